//! Leader epochs: whether the records that were read are still those of the topic.
//!
//! A partition's leader writes its epoch into each batch of records. Records with the same offset and leader epoch are the
//! same, and so are all before them. After an unclean election or the loss of a disk other records may stand at the same
//! offsets; then the leader says of an epoch that it ended at a lower offset than was read of it (KIP-320).
//!
//! *Why by a seek*: librdkafka sends `OffsetsForLeaderEpoch` only to validate a position after a seek, and it reports the
//! answer only when the position lies beyond it, in a text. So a position beyond all offsets is validated, and nothing is
//! read. A call in the binding that returns the answer would replace this file's parsing.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::batch::{Message, Queue};
use super::context::Context;
use super::error::is_refusal;
use super::partition_list::partition_list;
use super::{KafkaError, KafkaSettings};
use crate::change::{LeaderEpoch, Partition};
use crate::control::Deadline;

/// Partitions asked for at once: each is a request of its own.
const MAX_ASKED: usize = 500;
/// How long their answers may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait before a divergence is asked for again.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(2);
/// How often to look for answers.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Messages taken at once.
const MAX_MESSAGES: usize = 1000;
/// An offset that no partition reaches.
const BEYOND_ALL: i64 = i64::MAX / 2;

/// What a partition's leader answers about a leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The newest epoch in the log that is not above the epoch that was asked for; -1 where there is none.
    pub epoch: i32,
    /// The first offset of the next epoch, or the end of the log; -1 where there is no such epoch.
    pub end: i64,
}

/// A partition whose records are not those that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The partition.
    pub partition: Partition,
    /// The first offset at which other records stand now, or none, as far as leader epochs show.
    pub from: i64,
}

impl LeaderEpoch {
    /// The offset from which on the records are others, given what the leader answers; `None` while they are the same.
    ///
    /// Only the end counts: a compacted log may have lost all batches of the epoch, and then an older one is answered.
    pub fn divergence(self, answer: EpochEnd) -> Option<i64> {
        (answer.end < self.to).then_some(answer.end.max(0))
    }
}

impl KafkaSettings {
    /// The positions that are not in the history of their topics any more, in any order; none while all are.
    ///
    /// A position is the leader epoch of a record and the offset after it. Asks the leaders, all at once; takes some
    /// 100 ms. A divergence is asked for a second time 2 s later: a broker that does not know yet that it leads no more answers
    /// with less. Brokers that know no leader epochs have nothing to compare.
    ///
    /// # Errors
    /// The error of any broker, or that not all leaders answered within 20 s: then nothing is known.
    pub fn check_positions(&self, positions: &[(Partition, LeaderEpoch)]) -> Result<Vec<Divergence>, KafkaError> {
        confirmed(positions, |asked| self.diverged(asked), || thread::sleep(CONFIRM_INTERVAL))
    }

    /// The positions that have diverged by one answer of each leader.
    fn diverged(&self, positions: &[(Partition, LeaderEpoch)]) -> Result<Vec<Divergence>, KafkaError> {
        let asked: Vec<(Partition, i32)> =
            positions.iter().map(|(partition, last)| (partition.clone(), last.epoch)).collect();
        let answers = self.epoch_ends(&asked)?;
        let diverged = positions.iter().filter_map(|(partition, last)| {
            let from = last.divergence((*answers.get(partition)?)?)?;
            Some(Divergence { partition: partition.clone(), from })
        });
        Ok(diverged.collect())
    }

    /// Where leader epochs end, by partition; `None` of a broker that does not know. Each partition may be asked for once.
    ///
    /// # Errors
    /// As [`KafkaSettings::check_positions`].
    pub fn epoch_ends(&self, asked: &[(Partition, i32)]) -> Result<BTreeMap<Partition, Option<EpochEnd>>, KafkaError> {
        let mut answers = BTreeMap::new();
        for some in asked.chunks(MAX_ASKED) {
            answers.append(&mut self.some_epoch_ends(some)?);
        }
        Ok(answers)
    }

    fn some_epoch_ends(&self, asked: &[(Partition, i32)]) -> Result<BTreeMap<Partition, Option<EpochEnd>>, KafkaError> {
        let consumer = Rc::new(self.asking("walbook-epochs")?);
        let deadline = Deadline::after(ANSWER_TIMEOUT);
        // The end needs no offset that exists; nothing is read from there before the seek.
        let ends = partition_list(asked.iter().map(|(partition, _)| (partition, Offset::End, None)));
        consumer.assign(&ends).map_err(|error| KafkaError::request(WHAT, &error))?;
        seek_beyond(&consumer, asked, deadline)?;
        let mut queue = Queue::new(consumer);
        let mut answers: BTreeMap<Partition, Option<EpochEnd>> = BTreeMap::new();
        let mut last_error = String::new();
        while answers.len() < asked.len() {
            for message in queue.poll(MAX_MESSAGES) {
                let Some(code) = message.error() else { continue };
                let Some((partition, _)) = asked.iter().find(|(partition, _)| is_of(&message, partition)) else {
                    last_error = message.error_text();
                    continue;
                };
                match read_answer(&message, code) {
                    Answer::End(end) => drop(answers.insert(partition.clone(), end)),
                    Answer::Refused(code) => return Err(KafkaError::answer(WHAT, code)),
                    Answer::Pending(error) => last_error = error,
                    Answer::Nothing => {}
                }
            }
            if deadline.has_passed() {
                return Err(unanswered(asked, &answers, &last_error));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(answers)
    }
}

/// The positions that have diverged by both of two answers, between which there is a pause.
fn confirmed(
    positions: &[(Partition, LeaderEpoch)],
    diverged: impl Fn(&[(Partition, LeaderEpoch)]) -> Result<Vec<Divergence>, KafkaError>,
    pause: impl FnOnce(),
) -> Result<Vec<Divergence>, KafkaError> {
    let suspect = diverged(positions)?;
    if suspect.is_empty() {
        return Ok(suspect);
    }
    pause();
    let is_suspect = |partition: &Partition| suspect.iter().any(|found| found.partition == *partition);
    let again = positions.iter().filter(|(partition, _)| is_suspect(partition));
    diverged(&again.cloned().collect::<Vec<_>>())
}

const WHAT: &str = "compare leader epochs with the topic's history";

/// The error of leaders that did not answer in time: one of their partitions, and the last error.
fn unanswered(
    asked: &[(Partition, i32)],
    answers: &BTreeMap<Partition, Option<EpochEnd>>,
    last_error: &str,
) -> KafkaError {
    let mut missing = asked.iter().filter(|(partition, _)| !answers.contains_key(partition));
    let first = missing.next().map(|(Partition { topic, number }, _)| format!("{topic:?} partition {number}"));
    let others = missing.count();
    let message = format!(
        "no answer from the leader of {} and {others} other partitions within {} s {last_error}",
        first.unwrap_or_default(),
        ANSWER_TIMEOUT.as_secs()
    );
    KafkaError::Request { what: WHAT.to_owned(), message: message.trim_end().to_owned(), code: None }
}

/// Seeks to an offset beyond all, which librdkafka validates first. A partition whose fetcher has not started is tried again.
fn seek_beyond(
    consumer: &BaseConsumer<Context>,
    asked: &[(Partition, i32)],
    deadline: Deadline,
) -> Result<(), KafkaError> {
    let beyond = Offset::Offset(BEYOND_ALL);
    let mut left: Vec<&(Partition, i32)> = asked.iter().collect();
    loop {
        let list = partition_list(left.iter().map(|(partition, epoch)| (partition, beyond, Some(*epoch))));
        let sought = consumer.seek_partitions(list, deadline.remaining());
        let sought = sought.map_err(|error| KafkaError::request(WHAT, &error))?;
        let failed: BTreeMap<(String, i32), RdError> = sought
            .elements()
            .into_iter()
            .filter_map(|element| Some(((element.topic().to_owned(), element.partition()), element.error().err()?)))
            .collect();
        left.retain(|(partition, _)| failed.contains_key(&(partition.topic.clone(), partition.number)));
        let Some(error) = failed.into_values().next() else { return Ok(()) };
        if deadline.has_passed() {
            return Err(KafkaError::request(WHAT, &error));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Whether a message is about a partition.
fn is_of(message: &Message, partition: &Partition) -> bool {
    message.partition() == partition.number && message.topic() == Some(partition.topic.as_bytes())
}

/// What an error of the consumer says about the epoch that was asked for.
enum Answer {
    End(Option<EpochEnd>),
    /// A retry does not help.
    Refused(RDKafkaErrorCode),
    /// librdkafka tries again.
    Pending(String),
    Nothing,
}

fn read_answer(message: &Message, code: RDKafkaRespErr) -> Answer {
    use RDKafkaRespErr as Code;
    match code {
        Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => Answer::Nothing,
        Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET => match parse_truncation(&message.error_text()) {
            Some(end) => Answer::End(Some(end)),
            // The position was not validated, but read: this broker knows no epochs.
            None if message.offset() == BEYOND_ALL => Answer::End(None),
            None => Answer::Pending(message.error_text()),
        },
        code if is_refusal(RDKafkaErrorCode::from(code)) => Answer::Refused(RDKafkaErrorCode::from(code)),
        _ => Answer::Pending(message.error_text()),
    }
}

/// The offset from which on a new leader has other records or none, if librdkafka reports that; `is_epoch_known` tells
/// whether the leader was asked, and has the records that were read.
///
/// With `auto.offset.reset=error` librdkafka reports the leader's answer, or, if it found no common epoch, only the description
/// of its code `_LOG_TRUNCATION`, in the text (rdkafka_offset.c, `rd_kafka_toppar_handle_OffsetForLeaderEpoch`).
pub(super) fn truncated_from(offset: i64, next: i64, is_epoch_known: bool, text: &str) -> Option<i64> {
    if let Some(answer) = parse_truncation(text) {
        // A cut beyond what was read concerns only what librdkafka had fetched ahead.
        return Some(answer.end.max(0)).filter(|from| *from < next);
    }
    if text.contains(&description(RDKafkaErrorCode::LogTruncation)) {
        return Some(0);
    }
    // Without leader epochs a position that was set back is the only sign.
    (offset < next && !is_epoch_known).then(|| offset.max(0))
}

/// The leader's answer in librdkafka's text of a position that it found truncated; `None` for any other text.
///
/// `…: broker end offset is 300 (offset leader epoch 2)…` (rdkafka_offset.c, `rd_kafka_toppar_handle_OffsetForLeaderEpoch`).
pub(super) fn parse_truncation(text: &str) -> Option<EpochEnd> {
    let (_, rest) = text.split_once("broker end offset is ")?;
    let (end, rest) = rest.split_once(" (offset leader epoch ")?;
    let (epoch, _) = rest.split_once(')')?;
    Some(EpochEnd { epoch: epoch.parse().ok()?, end: end.parse().ok()? })
}

/// librdkafka's own description of a code, which rdkafka prints in parentheses behind the code's name.
fn description(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let inner = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
    use rdkafka::types::RDKafkaApiKey;

    use super::*;

    const TOPIC: &str = "cut";
    /// The epochs of the leaders of partition 0: the mock counts from 0, and each choice of a leader is one more.
    const FIRST: i32 = 1;
    const SECOND: i32 = 2;

    fn partition(number: i32) -> Partition {
        Partition { topic: TOPIC.to_owned(), number }
    }

    /// A topic of two partitions with 3 records of one leader and 2 of the next in partition 0.
    fn cluster() -> MockCluster<'static, DefaultProducerContext> {
        let cluster = MockCluster::new(2).expect("librdkafka has a mock cluster");
        cluster.create_topic(TOPIC, 2, 2).expect("a new topic");
        cluster.partition_leader(TOPIC, 0, Some(1)).expect("a broker of the cluster");
        produce(&cluster.bootstrap_servers(), 3);
        cluster.partition_leader(TOPIC, 0, Some(2)).expect("a broker of the cluster");
        produce(&cluster.bootstrap_servers(), 2);
        cluster
    }

    fn produce(brokers: &str, records: usize) {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", brokers).create().expect("valid");
        for _ in 0..records {
            let record = BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0).payload(b"x");
            producer.send(record).expect("an empty queue");
        }
        producer.flush(Duration::from_secs(30)).expect("the broker answers");
    }

    fn settings(cluster: &MockCluster<'static, DefaultProducerContext>) -> KafkaSettings {
        KafkaSettings { brokers: cluster.bootstrap_servers(), passed: Vec::new() }
    }

    #[test]
    fn a_divergence_counts_only_if_the_next_answer_confirms_it() {
        let positions = [0, 1, 2].map(|number| (partition(number), LeaderEpoch { epoch: FIRST, to: 9 }));
        let check = |answers: [&[i32]; 2]| {
            let (asked, pauses) = (std::cell::RefCell::new(Vec::new()), std::cell::Cell::new(0));
            let answer = |some: &[(Partition, LeaderEpoch)]| {
                let numbers: Vec<i32> = some.iter().map(|(partition, _)| partition.number).collect();
                let answer = answers[asked.borrow().len()].iter();
                asked.borrow_mut().push(numbers);
                Ok(answer.map(|number| Divergence { partition: partition(*number), from: 3 }).collect())
            };
            let found = confirmed(&positions, answer, || pauses.set(pauses.get() + 1)).expect("all answer");
            let found: Vec<i32> = found.into_iter().map(|found| found.partition.number).collect();
            (found, asked.into_inner(), pauses.get())
        };
        assert_eq!(check([&[], &[]]), (vec![], vec![vec![0, 1, 2]], 0));
        // The broker did not know yet that it leads no more.
        assert_eq!(check([&[0, 2], &[]]), (vec![], vec![vec![0, 1, 2], vec![0, 2]], 1));
        assert_eq!(check([&[0, 2], &[2]]), (vec![2], vec![vec![0, 1, 2], vec![0, 2]], 1));
    }

    #[test]
    fn the_leader_says_where_an_epoch_ended() {
        let cluster = cluster();
        let settings = settings(&cluster);
        for (epoch, end) in [(FIRST, 3), (SECOND, 5)] {
            let answers = settings.epoch_ends(&[(partition(0), epoch)]).expect("the broker answers");
            assert_eq!(answers[&partition(0)], Some(EpochEnd { epoch, end }));
        }
    }

    #[test]
    fn a_position_beyond_the_end_of_its_epoch_has_diverged() {
        let cluster = cluster();
        let settings = settings(&cluster);
        let check = |epoch, to| -> Vec<(i32, i64)> {
            let positions = [(partition(0), LeaderEpoch { epoch, to })];
            let diverged = settings.check_positions(&positions).expect("the broker answers");
            diverged.into_iter().map(|Divergence { partition, from }| (partition.number, from)).collect()
        };
        assert_eq!(check(FIRST, 3), []);
        assert_eq!(check(SECOND, 5), []);
        assert_eq!(check(FIRST, 4), [(0, 3)], "offset 3 was read of another leader");
        assert_eq!(check(SECOND, 6), [(0, 5)], "the log was cut");
        assert_eq!(check(SECOND + 1, 5), [(0, 0)], "no epoch is shared");
        assert_eq!(settings.check_positions(&[]).expect("nothing to ask"), []);
    }

    #[test]
    fn brokers_without_leader_epochs_have_nothing_to_compare() {
        let cluster = cluster();
        // As a broker before Kafka 2.1.
        cluster.apiversion(RDKafkaApiKey::OffsetForLeaderEpoch, None, None).expect("a known request");
        let asked = [(partition(0), 0)];
        let answers = settings(&cluster).epoch_ends(&asked).expect("the broker answers");
        assert_eq!(answers[&partition(0)], None);
    }

    #[test]
    fn a_truncation_is_recognized_by_the_leaders_answer_or_the_description_of_its_code() {
        // librdkafka's text ends with `%s (broker %d)` of the description (rd_kafka_offset_reset).
        let text = |description: &str| format!("some reason: {description} (broker 1)");
        let answered = |end: i64| {
            format!(
                "Partition log truncation detected at offset 9 (leader epoch 2): broker end offset is {end} (offset leader epoch 2). Reset to INVALID.: Local"
            )
        };
        let truncated = text("Local: Partition log truncation detected");
        let out_of_range = text("Broker: Offset out of range");
        const INVALID_OFFSET: i64 = -1001;
        assert_eq!(truncated_from(INVALID_OFFSET, 5, true, &answered(3)), Some(3));
        assert_eq!(truncated_from(INVALID_OFFSET, 5, false, &answered(-1)), Some(0));
        assert_eq!(truncated_from(INVALID_OFFSET, 5, false, &answered(7)), None, "only what was fetched ahead is gone");
        assert_eq!(truncated_from(5, 5, true, &truncated), Some(0));
        assert_eq!(truncated_from(4, 5, false, &out_of_range), Some(4), "the position was set back");
        assert_eq!(truncated_from(4, 5, true, &out_of_range), None, "the leader has the records before it");
        assert_eq!(truncated_from(5, 5, false, &out_of_range), None);
        assert_eq!(truncated_from(9, 5, false, &out_of_range), None, "librdkafka has fetched more than was read");
        // A librdkafka that words it in another way, or does not know the code, fails here.
        assert_eq!(description(RDKafkaErrorCode::LogTruncation), "Local: Partition log truncation detected");
    }
}
