//! The consumer of one worker: its partitions, the records that arrive, and what errors mean.

use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::batch::{Handle, KafkaRecords, Message, Queue, known_end};
use super::context::{Context, client};
use super::epochs::truncated_from;
use super::partition_list::partition_list;
use super::{KafkaError, KafkaSettings};
use crate::change::{Failure, Partition, PartitionStart, PolledBatch};
use crate::source::{Accepted, Cursors, Source, Waker};

/// How long a request for watermarks may take.
const WATERMARKS_TIMEOUT: Duration = Duration::from_secs(15);
/// How long brokers may not know a partition before that is an error; they learn of it from each other.
const UNKNOWN_PARTITION_TIMEOUT: Duration = Duration::from_secs(60);
/// How often one partition may be reassigned without a record in between.
const MAX_REASSIGNMENTS: u32 = 5;

/// Reads partitions of Kafka topics with one consumer.
pub struct KafkaSource {
    settings: KafkaSettings,
    /// Emptied only while the callback is being set.
    consumer: Option<BaseConsumer<Context>>,
    queue: Option<Queue>,
    cursors: Cursors,
    /// By place in the cursors: how often it was reassigned since its last record.
    reassigned: Vec<u32>,
    /// By place in the cursors: since when brokers do not know it.
    unknown_since: Vec<Option<Instant>>,
    /// What went wrong after the records of the last batch.
    failure: Option<KafkaError>,
}

impl KafkaSource {
    /// A consumer without partitions.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] when librdkafka refuses them.
    pub fn new(settings: &KafkaSettings, worker: usize) -> Result<KafkaSource, KafkaError> {
        Ok(KafkaSource {
            settings: settings.clone(),
            consumer: Some(settings.reading(worker)?),
            queue: None,
            cursors: Cursors::default(),
            reassigned: Vec::new(),
            unknown_since: Vec::new(),
            failure: None,
        })
    }

    /// The place of a message's partition in the cursors; `None` if it is not assigned.
    fn place(&self, message: &Message) -> Option<usize> {
        let (topic, number) = (message.topic()?, message.partition());
        // By name, because librdkafka may use the address of a topic's handle again for another topic.
        (0..self.cursors.len()).find(|place| {
            let partition = self.cursors.partition(*place);
            partition.number == number && partition.topic.as_bytes() == topic
        })
    }

    /// Resets what was counted of a partition's errors.
    fn reset_errors(&mut self, place: usize) {
        self.reassigned[place] = 0;
        self.unknown_since[place] = None;
    }

    /// Handles a message that is an error, or the end of a partition.
    fn handle_error(&mut self, message: &Message, code: RDKafkaRespErr) -> Result<(), KafkaError> {
        use RDKafkaRespErr as Code;
        let Some(place) = self.place(message) else {
            warn!(error = message.error_text(), "Kafka consumer reported an error");
            return Ok(());
        };
        let failed = |cursors: &Cursors, message: &Message| KafkaError::Consume {
            partition: Partition::clone(cursors.partition(place)),
            message: message.error_text(),
        };
        match code {
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                self.reset_errors(place);
                self.cursors.pass(place, message.offset());
                Ok(())
            }
            Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                self.out_of_range(place, message)
            }
            // One broker's metadata may be behind, during a rolling restart or for a new partition.
            Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
            | Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION => {
                let since = *self.unknown_since[place].get_or_insert_with(Instant::now);
                if since.elapsed() < UNKNOWN_PARTITION_TIMEOUT { Ok(()) } else { Err(failed(&self.cursors, message)) }
            }
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            | Code::RD_KAFKA_RESP_ERR__BAD_COMPRESSION
            | Code::RD_KAFKA_RESP_ERR__BAD_MSG
            | Code::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED
            | Code::RD_KAFKA_RESP_ERR__FATAL => Err(failed(&self.cursors, message)),
            // librdkafka retries by itself: leaders move, brokers come back.
            _ => {
                let partition = self.cursors.partition(place);
                let (topic, number) = (&partition.topic, partition.number);
                warn!(topic, partition = number, error = message.error_text(), "Kafka consumer reported an error");
                Ok(())
            }
        }
    }

    /// Finds out why the broker refuses the position; reassigns the partition if it has all that is to be read.
    fn out_of_range(&mut self, place: usize, message: &Message) -> Result<(), KafkaError> {
        let partition = Partition::clone(self.cursors.partition(place));
        let next = self.cursors.next_offset(place);
        let last = self.cursors.leader_epoch(place);
        let diverged = match last {
            Some(last) => self.settings.check_positions(&[(partition.clone(), last)])?.pop().map(|found| found.from),
            None => None,
        };
        let reported = || truncated_from(message.offset(), next, last.is_some(), &message.error_text());
        // The partition may have grown again, with other records at the same offsets, so watermarks prove nothing.
        if let Some(from) = diverged.or_else(reported) {
            return Err(KafkaError::Diverged { partition, from, next });
        }
        let queue = self.queue.as_ref().expect("messages come from the queue");
        let (low, high) = queue
            .consumer()
            .fetch_watermarks(&partition.topic, partition.number, WATERMARKS_TIMEOUT)
            .map_err(|error| {
                let what = format!("ask for the watermarks of {:?} partition {}", partition.topic, partition.number);
                KafkaError::request(what, &error)
            })?;
        if low > next {
            return Err(KafkaError::Lost { partition, from: next, to: low });
        }
        if high < next {
            return Err(KafkaError::Truncated { partition, end: high, next });
        }
        self.reassigned[place] += 1;
        if self.reassigned[place] > MAX_REASSIGNMENTS {
            let message = format!("the broker has offsets {low} to {high}, but refused {next} repeatedly");
            return Err(KafkaError::Consume { partition, message });
        }
        info!(topic = partition.topic, partition = partition.number, next, low, high, "reassigning a partition");
        let list = self.positions(place..place + 1, low);
        let again =
            queue.consumer().incremental_unassign(&list).and_then(|()| queue.consumer().incremental_assign(&list));
        again.map_err(|error| KafkaError::Consume { partition, message: error.to_string() })
    }

    /// Where to read the partitions at some places: after their last record, so that a record is noticed that stands where
    /// there was none; at least at `low`. With the leader epoch librdkafka notices when a new leader has other records.
    fn positions(&self, places: Range<usize>, low: i64) -> TopicPartitionList {
        partition_list(places.map(|place| {
            let offset = Offset::Offset(self.cursors.records_to(place).max(low).min(self.cursors.next_offset(place)));
            let epoch = self.cursors.leader_epoch(place).map(|last| last.epoch);
            (&**self.cursors.partition(place), offset, epoch)
        }))
    }

    /// Ends the stretch of records at a place: notes the leader epoch of its last record, which must not be below the one before.
    fn end_stretch(&mut self, place: usize, last: &Message) -> Result<(), KafkaError> {
        let epoch = last.leader_epoch();
        if let (Some(before), Some(epoch)) = (self.cursors.leader_epoch(place), epoch)
            && epoch < before.epoch
        {
            let partition = Partition::clone(self.cursors.partition(place));
            return Err(KafkaError::Diverged { partition, from: before.to - 1, next: before.to });
        }
        self.cursors.set_leader_epoch(place, epoch);
        Ok(())
    }
}

impl Source for KafkaSource {
    fn set_waker(&mut self, waker: Waker) {
        let mut consumer = self.consumer.take().expect("a source gets one waker");
        consumer.set_nonempty_callback(move || waker());
        self.queue = Some(Queue::new(Rc::new(consumer)));
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        let first = self.cursors.len();
        for start in partitions {
            self.cursors.add(start);
            self.reassigned.push(0);
            self.unknown_since.push(None);
        }
        let list = self.positions(first..self.cursors.len(), 0);
        let queue = self.queue.as_ref().expect("a source gets its waker before partitions");
        queue
            .consumer()
            .incremental_assign(&list)
            .map_err(|error| KafkaError::request("assign partitions", &error).into())
    }

    fn poll_batch(&mut self, limit: usize) -> Result<Option<PolledBatch>, Failure> {
        if let Some(failure) = self.take_failure() {
            return Err(failure);
        }
        let mut queue = self.queue.take().expect("a source gets its waker before it is read");
        let mut messages: Vec<Message> = Vec::new();
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        // The partition of the message before: all messages of one call keep their handles, so equal handles are one partition.
        let mut last: Option<(Handle, usize)> = None;
        // The end of the open stretch is known when the next one begins.
        let mut open: Option<usize> = None;
        let mut errors = Vec::new();
        let mut failed = Ok(());
        for message in queue.poll(limit) {
            if let Some(code) = message.error() {
                errors.push((message, code));
                continue;
            }
            let place = match &last {
                Some((handle, place)) if *handle == message.handle() => *place,
                _ => match self.place(&message) {
                    Some(place) => place,
                    None => continue,
                },
            };
            last = Some((message.handle(), place));
            if self.cursors.accept(place, message.offset()) == Accepted::Drop {
                if self.cursors.has_passed(place, message.offset()) && failed.is_ok() {
                    let partition = Partition::clone(self.cursors.partition(place));
                    let next = self.cursors.next_offset(place);
                    failed = Err(KafkaError::Diverged { partition, from: message.offset(), next });
                }
                continue;
            }
            if open != Some(place) {
                self.reset_errors(place);
                if let Some(before) = open.replace(place) {
                    stretches.push((before, messages.len()));
                }
            }
            messages.push(message);
        }
        stretches.extend(open.map(|place| (place, messages.len())));
        let consumer = Rc::clone(queue.consumer());
        self.queue = Some(queue);
        for (place, end) in &stretches {
            failed = failed.and(self.end_stretch(*place, &messages[end - 1]));
        }
        // Records of another history must not be returned: another process could commit them before this one has failed.
        failed?;
        let failed = errors.iter().try_for_each(|(message, code)| self.handle_error(message, *code));
        if messages.is_empty() {
            return failed.map(|()| None).map_err(Failure::from);
        }
        // The cursors have moved past these records: they are returned first.
        self.failure = failed.err();
        let count = messages.len();
        let stretches =
            stretches.into_iter().map(|(place, end)| (self.cursors.partition(place).clone(), end)).collect();
        Ok(Some(PolledBatch { records: Box::new(KafkaRecords { messages, stretches, _consumer: consumer }), count }))
    }

    fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take().map(Failure::from)
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        let Some(queue) = &self.queue else { return Some(0) };
        let native = client(queue.consumer());
        let lags = (0..self.cursors.len()).map(|place| {
            let partition = self.cursors.partition(place);
            let high = known_end(native, partition);
            high.map_or(0, |high| (high - self.cursors.next_offset(place)).max(0))
        });
        Some(lags.sum())
    }
}
