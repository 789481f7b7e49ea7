//! Where a topic's partitions ended at a position: all that was written below must still be there.
//!
//! A broker that lost its disk, or an unclean election of a leader, cuts records off that a position stands for, also if the
//! position itself survives in its own topic. Later records may stand at the same offsets then; their leader epoch is another.
//!
//! A partition that does not answer is waited for, and then keeps its last known end, which is compared when it answers again. A Kafka
//! transaction with records during which a partition stops answering is not committed but repeated: it may have accepted some of
//! them, and which partition accepted a record is not reported (`delivery.report.only.error`, which saves CPU for each record). Only this
//! capture writes to the topic, so where it ends is asked only after something was written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::{CaptureError, PartitionEnd};
use crate::change::{Classified, LeaderEpoch, Lsn, Partition};
use crate::source::kafka::{Divergence, KafkaError, KafkaSettings, LeaderEnd, LedPartition, Topics};

/// How long all leaders together may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one of them may take that is asked alone, after they did not answer together.
const LEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked of the brokers of one topic.
pub(super) trait EndsBroker {
    /// The partitions and their leaders, from new metadata.
    fn led_partitions(&self) -> Result<Vec<LedPartition>, KafkaError>;

    /// Where partitions end; fails as a whole if one leader does not answer.
    fn written_ends(
        &self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<BTreeMap<Partition, LeaderEnd>, KafkaError>;
}

impl EndsBroker for Topics {
    fn led_partitions(&self) -> Result<Vec<LedPartition>, KafkaError> {
        Topics::led_partitions(self)
    }

    fn written_ends(
        &self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<BTreeMap<Partition, LeaderEnd>, KafkaError> {
        Topics::written_ends(self, partitions, timeout)
    }
}

/// What the partitions that answered have answered, by their numbers.
pub(super) type Answers = BTreeMap<i32, LeaderEnd>;

/// The ends of a topic, which are kept in the positions.
pub(super) struct TopicEnds<'a, B = Topics> {
    broker: &'a B,
    kafka: &'a KafkaSettings,
    topic: &'a str,
    /// The last known ends; partitions that were never written to are left out.
    known: Vec<PartitionEnd>,
    /// The partitions that have not answered when all were asked last.
    unanswered: BTreeSet<i32>,
    listing: Option<Listing>,
    /// Whether a leader has not answered, so that each is asked alone.
    is_leader_silent: bool,
    asked_at: Option<Instant>,
    written_at: Option<Instant>,
}

/// The partitions and their leaders.
struct Listing {
    at: Instant,
    partitions: Vec<LedPartition>,
}

impl<'a, B: EndsBroker> TopicEnds<'a, B> {
    /// The ends of `topic`, of which those of the last position are `known`.
    pub(super) fn new(
        broker: &'a B,
        kafka: &'a KafkaSettings,
        topic: &'a str,
        known: Vec<PartitionEnd>,
    ) -> TopicEnds<'a, B> {
        TopicEnds {
            broker,
            kafka,
            topic,
            known,
            unanswered: BTreeSet::new(),
            listing: None,
            is_leader_silent: false,
            asked_at: None,
            written_at: None,
        }
    }

    /// The last known ends.
    pub(super) fn known(&self) -> &[PartitionEnd] {
        &self.known
    }

    /// Notes that the topic was written to.
    pub(super) fn note_write(&mut self, now: Instant) {
        self.written_at = Some(now);
    }

    /// Whether the ends may be others than the known ones, or could be known of more partitions.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let (Some(asked_at), Some(listing)) = (self.asked_at, &self.listing) else { return true };
        // A partition that is new in the topic is written to before it is listed here.
        let is_incomplete = !self.unanswered.is_empty() || self.written_at.is_some_and(|written| written >= listing.at);
        self.written_at.is_some_and(|written| written >= asked_at) || is_incomplete && self.is_old(listing, now)
    }

    /// Asks where the partitions end, with what is not committed yet; those that do not answer are left out. The partitions are
    /// listed again if that was long ago, after an error, or if this `is_repeated`.
    ///
    /// # Errors
    /// A refusal, or the last error if no leader answers.
    pub(super) fn ask(&mut self, now: Instant, is_repeated: bool) -> Result<Answers, KafkaError> {
        let is_listed = !is_repeated && self.listing.as_ref().is_some_and(|listing| !self.is_old(listing, now));
        if is_listed {
            match self.ask_leaders(now) {
                Err(error) if !error.is_usage() => debug!(%error, "the leaders of the topic may be others now"),
                answered => return answered,
            }
        }
        self.listing = Some(Listing { at: now, partitions: self.broker.led_partitions()? });
        match self.ask_leaders(now) {
            Err(error) if !error.is_usage() && !self.is_leader_silent => {
                debug!(%error, "asking each leader of the topic alone");
                self.is_leader_silent = true;
                self.ask_leaders(now)
            }
            answered => answered,
        }
    }

    /// Whether answers can be compared: all partitions answered but those that have not for long, and what seems to be cut was
    /// seen with new metadata. A broker that leads no more may answer with less.
    pub(super) fn is_conclusive(&self, answers: &Answers, is_repeated: bool) -> bool {
        self.missing(answers).is_subset(&self.unanswered) && (is_repeated || cut(&self.known, answers).is_none())
    }

    /// Compares the known ends with `answers`, which are the known ones from then on; `position` is what the known ones stand for.
    /// Gives the partitions that answered until now.
    ///
    /// # Errors
    /// [`CaptureError::RecordsGone`].
    pub(super) fn compare_and_keep(&mut self, answers: Answers, position: Lsn) -> Result<Vec<i32>, CaptureError> {
        self.compare(&answers, position)?;
        let unanswered = self.missing(&answers);
        let not_in = |all: &BTreeSet<i32>, other: &BTreeSet<i32>| all.difference(other).copied().collect::<Vec<i32>>();
        let (missing, back) = (not_in(&unanswered, &self.unanswered), not_in(&self.unanswered, &unanswered));
        if !missing.is_empty() {
            warn!(
                topic = self.topic,
                partitions = ?missing,
                "partitions do not answer where they end: the position keeps their last known ends, which are compared later"
            );
        }
        if !back.is_empty() {
            info!(topic = self.topic, partitions = ?back, "partitions answer again where they end, and were not cut");
        }
        self.known.retain(|end| unanswered.contains(&end.partition));
        let written = answers.into_iter().filter(|(_, end)| end.offset > 0);
        self.known.extend(written.map(|(partition, end)| PartitionEnd {
            partition,
            offset: end.offset,
            leader_epoch: end.epoch,
        }));
        self.known.sort_unstable_by_key(|end| end.partition);
        self.unanswered = unanswered;
        Ok(missing)
    }

    fn compare(&self, answers: &Answers, position: Lsn) -> Result<(), CaptureError> {
        let gone = |partition: i32, from: i64, to: i64| {
            let topic = self.topic.to_owned();
            Err(CaptureError::RecordsGone { topic, partition, from, to, position })
        };
        if let Some((end, offset)) = cut(&self.known, answers) {
            return gone(end.partition, offset, end.offset);
        }
        let epochs = changed_epochs(&self.known, answers).map(|(end, epoch)| {
            let partition = Partition { topic: self.topic.to_owned(), number: end.partition };
            (partition, LeaderEpoch { epoch, to: end.offset })
        });
        let epochs: Vec<(Partition, LeaderEpoch)> = epochs.collect();
        if epochs.is_empty() {
            return Ok(());
        }
        let diverged = self.kafka.check_positions(&epochs)?;
        let Some(Divergence { partition, from }) = diverged.into_iter().min_by_key(|found| found.partition.number)
        else {
            return Ok(());
        };
        let known = self.known.iter().find(|end| end.partition == partition.number);
        gone(partition.number, from, known.map_or(from, |end| end.offset))
    }

    /// The partitions that are listed or known, and have not answered.
    fn missing(&self, answers: &Answers) -> BTreeSet<i32> {
        let listed = self.listing.iter().flat_map(|listing| &listing.partitions).map(|led| led.partition.number);
        let all = listed.chain(self.known.iter().map(|end| end.partition));
        all.filter(|partition| !answers.contains_key(partition)).collect()
    }

    fn is_old(&self, listing: &Listing, now: Instant) -> bool {
        now.duration_since(listing.at) >= self.kafka.metadata_refresh_interval()
    }

    /// Asks the listed leaders: all at once, or each alone while one of them is silent. One that does not answer alone is not asked
    /// again until the partitions are listed again.
    fn ask_leaders(&mut self, now: Instant) -> Result<Answers, KafkaError> {
        let Some(listing) = &mut self.listing else { return Ok(Answers::new()) };
        let mut led: BTreeMap<i32, Vec<Partition>> = BTreeMap::new();
        for LedPartition { partition, leader } in &listing.partitions {
            if let Some(leader) = leader {
                led.entry(*leader).or_default().push(partition.clone());
            }
        }
        let by_number = |ends: BTreeMap<Partition, LeaderEnd>| ends.into_iter().map(|(of, end)| (of.number, end));
        let mut answers = Answers::new();
        if self.is_leader_silent {
            let mut silent = None;
            for (leader, partitions) in led {
                match self.broker.written_ends(&partitions, LEADER_TIMEOUT) {
                    Ok(ends) => answers.extend(by_number(ends)),
                    Err(error) if error.is_usage() => return Err(error),
                    Err(error) => {
                        debug!(%error, leader, "a leader does not answer where its partitions end");
                        let its = listing.partitions.iter_mut().filter(|led| led.leader == Some(leader));
                        its.for_each(|led| led.leader = None);
                        silent = Some(error);
                    }
                }
            }
            match silent {
                Some(error) if answers.is_empty() => return Err(error),
                Some(_) => {}
                None => self.is_leader_silent = listing.partitions.iter().any(|led| led.leader.is_none()),
            }
        } else {
            let partitions: Vec<Partition> = led.into_values().flatten().collect();
            answers.extend(by_number(self.broker.written_ends(&partitions, ANSWER_TIMEOUT)?));
        }
        self.asked_at = Some(now);
        Ok(answers)
    }
}

/// The first known end that lies above the partition's answer, and that one.
fn cut(known: &[PartitionEnd], answers: &Answers) -> Option<(PartitionEnd, i64)> {
    let answered = known.iter().filter_map(|end| Some((*end, answers.get(&end.partition)?.offset)));
    answered.into_iter().find(|(end, offset)| *offset < end.offset)
}

/// The known ends of partitions that answer with another leader's epoch. Under one leader nothing is cut but at its end.
fn changed_epochs<'a>(
    known: &'a [PartitionEnd],
    answers: &'a Answers,
) -> impl Iterator<Item = (PartitionEnd, i32)> + 'a {
    known.iter().filter_map(|end| {
        let answer = answers.get(&end.partition)?;
        (answer.epoch != end.leader_epoch).then_some((*end, end.leader_epoch?))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const TOPIC: &str = "t";
    const INTERVAL: Duration = Duration::from_secs(10);

    fn end(partition: i32, offset: i64, epoch: i32) -> PartitionEnd {
        (partition, offset, epoch).into()
    }

    fn answers(ends: &[PartitionEnd]) -> Answers {
        let answer = |end: &PartitionEnd| (end.partition, LeaderEnd { offset: end.offset, epoch: end.leader_epoch });
        ends.iter().map(answer).collect()
    }

    /// Brokers that count what is asked of them. Partition N is led by broker N.
    #[derive(Default)]
    struct Brokers {
        ends: RefCell<Vec<PartitionEnd>>,
        /// Partitions that have no leader.
        leaderless: RefCell<Vec<i32>>,
        /// Brokers that do not answer.
        silent: RefCell<Vec<i32>>,
        listed: Cell<usize>,
        asked: Cell<usize>,
    }

    impl Brokers {
        fn with(ends: &[PartitionEnd]) -> Brokers {
            Brokers { ends: RefCell::new(ends.to_vec()), ..Brokers::default() }
        }

        /// How often the partitions were listed, and how often their ends asked for, since the last call.
        fn requests(&self) -> (usize, usize) {
            (self.listed.take(), self.asked.take())
        }
    }

    impl EndsBroker for Brokers {
        fn led_partitions(&self) -> Result<Vec<LedPartition>, KafkaError> {
            self.listed.set(self.listed.get() + 1);
            let leaderless = self.leaderless.borrow();
            let led = |end: &PartitionEnd| LedPartition {
                partition: Partition { topic: TOPIC.to_owned(), number: end.partition },
                leader: Some(end.partition).filter(|leader| !leaderless.contains(leader)),
            };
            Ok(self.ends.borrow().iter().map(led).collect())
        }

        fn written_ends(
            &self,
            partitions: &[Partition],
            _: Duration,
        ) -> Result<BTreeMap<Partition, LeaderEnd>, KafkaError> {
            self.asked.set(self.asked.get() + 1);
            if partitions.iter().any(|partition| self.silent.borrow().contains(&partition.number)) {
                let (what, message) = ("ask".to_owned(), "timed out".to_owned());
                return Err(KafkaError::Request { what, message, code: None });
            }
            let ends = answers(&self.ends.borrow());
            Ok(partitions.iter().map(|partition| (partition.clone(), ends[&partition.number])).collect())
        }
    }

    fn kafka() -> KafkaSettings {
        KafkaSettings { brokers: String::new(), passed: Vec::new() }
    }

    fn keep(ends: &mut TopicEnds<'_, Brokers>, now: Instant, is_repeated: bool) -> Result<Vec<i32>, CaptureError> {
        let answers = ends.ask(now, is_repeated).expect("a broker answers");
        ends.compare_and_keep(answers, Lsn::ZERO)
    }

    #[test]
    fn idle_positions_ask_the_brokers_nothing() {
        let (brokers, kafka) = (Brokers::with(&[end(0, 7, 1), end(1, 0, 1)]), kafka());
        let mut ends = TopicEnds::new(&brokers, &kafka, TOPIC, Vec::new());
        let now = Instant::now();
        assert!(ends.is_due(now), "nothing is known yet");
        keep(&mut ends, now, false).expect("nothing to compare");
        assert_eq!((brokers.requests(), ends.known()), ((1, 1), &[end(0, 7, 1)][..]));
        for hours in 0..5 {
            assert!(!ends.is_due(now + Duration::from_secs(3600 * hours)), "nothing was written");
        }

        ends.note_write(now + INTERVAL / 4);
        let soon = now + INTERVAL / 2;
        assert!(ends.is_due(soon));
        keep(&mut ends, soon, false).expect("nothing is gone");
        assert_eq!(brokers.requests(), (0, 1), "the partitions are still those that were listed");
        assert!(!ends.is_due(soon), "nothing was written since");
        let later = now + INTERVAL;
        assert!(ends.is_due(later), "what was written may be in a partition that is not listed yet");
        keep(&mut ends, later, false).expect("nothing is gone");
        assert_eq!(brokers.requests(), (1, 1));
        assert!(!ends.is_due(later + INTERVAL * 1000));
    }

    #[test]
    fn a_partition_without_a_leader_keeps_its_known_end_and_is_compared_when_it_answers() {
        let (brokers, kafka) = (Brokers::with(&[end(0, 10, 1), end(1, 20, 1)]), kafka());
        let mut ends = TopicEnds::new(&brokers, &kafka, TOPIC, vec![end(0, 9, 1), end(1, 20, 1)]);
        let mut now = Instant::now();
        brokers.leaderless.borrow_mut().push(1);
        let some = ends.ask(now, false).expect("one leader answers");
        assert!(!ends.is_conclusive(&some, true), "it is waited for");
        let missing = keep(&mut ends, now, true).expect("nothing that answers is gone");
        assert_eq!((missing, ends.known()), (vec![1], &[end(0, 10, 1), end(1, 20, 1)][..]));
        let missing = keep(&mut ends, now, true).expect("nothing that answers is gone");
        assert!(missing.is_empty(), "it is missing still");

        let some = ends.ask(now, false).expect("one leader answers");
        assert!(ends.is_conclusive(&some, false), "it is waited for once");
        assert!(!ends.is_due(now) && ends.is_due(now + INTERVAL), "its leader is looked for");
        now += INTERVAL;
        brokers.leaderless.borrow_mut().clear();
        *brokers.ends.borrow_mut() = vec![end(0, 10, 1), end(1, 15, 1)];
        let all = ends.ask(now, false).expect("the leaders answer");
        assert!(!ends.is_conclusive(&all, false) && ends.is_conclusive(&all, true), "a loss is asked for twice");
        let gone = ends.compare_and_keep(all, Lsn::ZERO);
        assert!(matches!(gone, Err(CaptureError::RecordsGone { partition: 1, from: 15, to: 20, .. })), "{gone:?}");
    }

    #[test]
    fn a_leader_that_does_not_answer_does_not_hide_the_others() {
        let (brokers, kafka) = (Brokers::with(&[end(0, 10, 1), end(1, 20, 1), end(2, 30, 1)]), kafka());
        let mut ends = TopicEnds::new(&brokers, &kafka, TOPIC, Vec::new());
        let now = Instant::now();
        keep(&mut ends, now, false).expect("nothing to compare");
        brokers.requests();
        brokers.silent.borrow_mut().push(1);
        *brokers.ends.borrow_mut() = vec![end(0, 11, 1), end(1, 21, 1), end(2, 31, 1)];
        keep(&mut ends, now, false).expect("nothing that answers is gone");
        assert_eq!(ends.known(), [end(0, 11, 1), end(1, 20, 1), end(2, 31, 1)]);
        assert_eq!(brokers.requests(), (1, 5), "together, together with new metadata, each alone");
        keep(&mut ends, now, false).expect("nothing that answers is gone");
        assert_eq!(brokers.requests(), (0, 2), "the silent one is left out");

        brokers.silent.borrow_mut().clear();
        keep(&mut ends, now + INTERVAL, false).expect("nothing is gone");
        assert_eq!(ends.known(), [end(0, 11, 1), end(1, 21, 1), end(2, 31, 1)]);
        assert_eq!(brokers.requests(), (1, 3));
        keep(&mut ends, now + INTERVAL, false).expect("nothing is gone");
        assert_eq!(brokers.requests(), (0, 1), "all together again");

        brokers.silent.borrow_mut().extend([0, 1, 2]);
        assert!(ends.ask(now, false).is_err(), "no leader answers");
    }

    #[test]
    fn a_partition_that_ends_before_its_known_end_was_cut() {
        let known = [end(0, 10, 1), end(3, 20, 1)];
        assert_eq!(cut(&known, &answers(&[end(0, 10, 1), end(1, 5, 1), end(3, 25, 1)])), None);
        assert_eq!(cut(&known, &answers(&[end(0, 10, 1), end(3, 19, 2)])), Some((known[1], 19)));
        assert_eq!(cut(&known, &answers(&[end(0, 0, 1), end(3, 20, 1)])), Some((known[0], 0)), "it is empty now");
        assert_eq!(cut(&known, &answers(&[end(3, 20, 1)])), None, "no answer is no loss");
    }

    #[test]
    fn histories_are_compared_where_the_leader_is_another() {
        let known = [end(0, 10, 1), end(1, 20, 4), end(2, 30, -1), end(3, 40, 2)];
        let answers = answers(&[end(0, 12, 1), end(1, 22, 5), end(2, 31, 2)]);
        let changed: Vec<_> = changed_epochs(&known, &answers).collect();
        assert_eq!(changed, [(known[1], 4)], "partition 3 has not answered");
    }
}
