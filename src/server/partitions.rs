//! How far each partition was read, and until when that is everything.

use std::collections::{BTreeMap, VecDeque};

use crate::change::{Interval, Partition};

/// Ends that are remembered for a partition: more than are seen in ten minutes.
const ENDS: usize = 600;

/// Ends that are remembered after they were reached: a minute's, and moments are told for some seconds.
const REACHED: usize = 60;

/// How far each partition was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Partitions {
    /// Those that the run reads.
    read: BTreeMap<Partition, ReadTo>,
    /// Those that the book knows from other runs: nobody asks how they go on.
    others: BTreeMap<Partition, i64>,
}

/// How far a partition was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadTo {
    /// The first offset that was not read.
    pub(super) next: i64,
    /// Kafka's time of the last record that was read, in microseconds since 1970-01-01 UTC.
    pub(super) kafka_time: Option<i64>,
}

impl Partitions {
    /// Partitions at their first offset that was not read: those that a run reads, and all that its book knows.
    pub(super) fn starting_at(
        read: impl IntoIterator<Item = (Partition, i64)>,
        known: impl IntoIterator<Item = (Partition, i64)>,
    ) -> Partitions {
        let at = |next| ReadTo { next, kafka_time: None };
        let read = read.into_iter().map(|(partition, next)| (partition, at(next))).collect();
        Partitions { read, others: known.into_iter().collect() }
    }

    pub(super) fn moved(&mut self, partition: Partition, interval: Interval) {
        let read = self.read.entry(partition).or_insert(ReadTo { next: interval.from, kafka_time: None });
        read.next = read.next.max(interval.to);
    }

    pub(super) fn read_at(&mut self, partition: &Partition, kafka_time: i64) {
        if let Some(read) = self.read.get_mut(partition) {
            read.kafka_time = Some(kafka_time);
        }
    }

    /// Those that the run reads.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Partition, &ReadTo)> {
        self.read.iter()
    }

    /// Whether everything below these positions was read.
    pub(super) fn reach(&self, positions: &BTreeMap<String, BTreeMap<i32, i64>>) -> bool {
        let read = self.positions();
        let mut wanted = positions.iter().flat_map(|(topic, wanted)| wanted.iter().map(move |wanted| (topic, wanted)));
        wanted.all(|(topic, (number, next))| {
            read.get(topic).and_then(|topic| topic.get(number)).copied().unwrap_or(0) >= *next
        })
    }

    /// By topic and partition: the first offset that was not read.
    pub(super) fn positions(&self) -> BTreeMap<String, BTreeMap<i32, i64>> {
        let mut positions: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
        let read = self.read.iter().map(|(partition, read)| (partition, read.next));
        // What the run has read counts, whatever the book knew.
        for (partition, next) in self.others.iter().map(|(partition, next)| (partition, *next)).chain(read) {
            positions.entry(partition.topic.clone()).or_default().insert(partition.number, next);
        }
        positions
    }
}

/// The ends that a partition had, and when.
///
/// *Why* not Kafka's timestamps alone: a producer may set them to anything, and a topic in which nothing happens has no
/// new one. That a partition was read to where it ended at some instant is certain.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// Ends that were not reached when last looked at, with the instants.
    open: VecDeque<(i64, i64)>,
    newest: Option<i64>,
    /// The last ones that were reached: who asks about a moment ago must not be told what was reached since.
    reached: VecDeque<(i64, i64)>,
}

impl Ends {
    /// Notes the end that a partition had at an instant.
    pub(super) fn note(&mut self, at: i64, end: i64) {
        self.newest = Some(end);
        if self.open.len() >= ENDS {
            // Every second one is enough to tell how far behind a partition is.
            let mut keep = false;
            self.open.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.open.push_back((at, end));
    }

    /// The newest end.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The latest instant of which everything that the partition held was read, given the first offset that was not read,
    /// and up to which nothing lies behind it.
    pub(super) fn read_to(&mut self, next: i64, empty_to: i64) -> Option<i64> {
        let before = self.reached.back().copied();
        while let Some((at, end)) = self.open.front().filter(|(_, end)| *end <= empty_to).copied() {
            self.open.pop_front();
            // As far as it was needed: later nobody may know any more that nothing lies behind it.
            self.reached.push_back((at, end.min(next)));
        }
        while self.reached.len() > REACHED {
            // However many are reached at once, that of the moment before stays.
            let is_before = self.reached.front() == before.as_ref();
            self.reached.remove(usize::from(is_before));
        }
        self.reached.iter().rev().find(|(_, end)| *end <= next).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_read_is_told_and_not_asked_for() {
        let partition = |topic: &str| Partition { topic: topic.to_owned(), number: 0 };
        let known = [(partition("old"), 7), (partition("shop"), 3)];
        let mut partitions = Partitions::starting_at([(partition("shop"), 5)], known);
        partitions.moved(partition("shop"), Interval { from: 5, to: 9 });
        assert_eq!(partitions.iter().map(|(partition, _)| partition.topic.as_str()).collect::<Vec<_>>(), ["shop"]);
        let positions = partitions.positions();
        assert_eq!((positions["old"][&0], positions["shop"][&0]), (7, 9));
    }

    #[test]
    fn what_was_read_is_everything_until_the_last_end_that_was_reached() {
        let mut ends = Ends::default();
        assert_eq!(ends.read_to(5, 5), None);
        ends.note(100, 10);
        ends.note(200, 10);
        ends.note(300, 20);
        assert_eq!((ends.read_to(5, 5), ends.newest()), (None, Some(20)));
        assert_eq!(ends.read_to(10, 10), Some(200));
        assert_eq!(ends.read_to(19, 19), Some(200));
        assert_eq!(ends.read_to(25, 25), Some(300));
        ends.note(400, 25);
        assert_eq!(ends.read_to(25, 25), Some(400));
        // At an earlier moment less was read.
        assert_eq!([19, 9, 25].map(|next| ends.read_to(next, next)), [Some(200), None, Some(400)]);
    }

    #[test]
    fn what_was_known_to_be_empty_stays_read() {
        let mut ends = Ends::default();
        ends.note(100, 30);
        assert_eq!(ends.read_to(10, 30), Some(100));
        // A record lies behind it now.
        ends.note(200, 60);
        assert_eq!((ends.read_to(10, 10), ends.read_to(9, 9)), (Some(100), None));
    }

    #[test]
    fn the_moment_before_is_remembered_however_much_is_reached_at_once() {
        let mut ends = Ends::default();
        ends.note(1, 1);
        assert_eq!(ends.read_to(1, 1), Some(1));
        for at in 2..400 {
            ends.note(at, at);
        }
        assert_eq!(ends.read_to(400, 400), Some(399));
        assert_eq!((ends.read_to(1, 1), ends.reached.len()), (Some(1), REACHED));
    }

    #[test]
    fn a_long_lag_is_remembered_in_bounds() {
        let mut ends = Ends::default();
        for at in 0..5_000 {
            ends.note(at, 10 + at);
        }
        assert!(ends.open.len() <= ENDS);
        assert!(ends.read_to(3_000, 3_000).is_some_and(|at| (2_900..=2_990).contains(&at)));
    }
}
