//! Where the partitions of a source ended at which instants, and which of these ends were reached.

use std::collections::{BTreeMap, VecDeque};

use tracing::debug;

use crate::change::{End, Partition};

/// Ends that are kept of a partition: more than are seen in ten minutes.
const MAX_OPEN: usize = 600;
/// Ends that are kept after they were reached: those of a minute; a state is shown for some seconds.
const MAX_REACHED: usize = 60;

/// What a source has answered when it was asked where its partitions end.
#[derive(Default)]
pub(in crate::server) struct SourceEnds {
    pub(in crate::server) by_partition: BTreeMap<Partition, PartitionEnds>,
    /// When the source last answered, and since when it has answered every question.
    pub(in crate::server) answered: Option<(i64, i64)>,
    /// Why it did not answer the last question.
    pub(in crate::server) error: Option<String>,
}

impl SourceEnds {
    /// Notes the answer to a question that was asked at an instant.
    pub(in crate::server) fn note(&mut self, asked_at: i64, answer: Result<Vec<(Partition, End)>, String>) {
        match answer {
            Ok(ends) => {
                let since = self.answered.filter(|_| self.error.is_none()).map_or(asked_at, |(_, since)| since);
                (self.answered, self.error) = (Some((asked_at, since)), None);
                // A topic that was created again with fewer partitions: the others are dropped.
                let mut before = std::mem::take(&mut self.by_partition);
                for (partition, end) in ends {
                    let mut known = before.remove(&partition).unwrap_or_default();
                    known.note(asked_at, end);
                    self.by_partition.insert(partition, known);
                }
            }
            Err(error) => {
                debug!(error, "could not ask where the partitions end");
                self.error = Some(error);
            }
        }
    }
}

/// The ends of a partition, compared with what was read and with what is committed.
#[derive(Default)]
pub(in crate::server) struct PartitionEnds {
    /// When the partition was seen first.
    pub(in crate::server) first_seen: Option<i64>,
    /// Ends of what could be read: a run is not late with what is behind them.
    pub(in crate::server) readable: EndHistory,
    /// Ends of all that was written, compared with what was read …
    pub(in crate::server) read: EndHistory,
    /// … and with what is committed: only these prove completeness.
    pub(in crate::server) committed: EndHistory,
    /// The offset at which a transaction is open, and since when that is known.
    open: Option<(i64, i64)>,
}

impl PartitionEnds {
    fn note(&mut self, asked_at: i64, end: End) {
        self.first_seen.get_or_insert(asked_at);
        if self.read.newest().is_some_and(|newest| end.written < newest) {
            // Another log, or a broker that lags behind: it proves nothing about what was there before.
            return;
        }
        self.readable.note(asked_at, end.readable);
        self.read.note(asked_at, end.written);
        self.committed.note(asked_at, end.written);
        let since = self.open.filter(|(offset, _)| *offset == end.readable).map_or(asked_at, |(_, since)| since);
        self.open = (end.readable < end.written).then_some((end.readable, since));
    }

    /// Since when a transaction is open, given the first unread offset: a run that has read beyond its start saw it end.
    pub(in crate::server) fn open_since(&self, next: i64) -> Option<i64> {
        self.open.filter(|(offset, _)| next <= *offset).map(|(_, since)| since)
    }
}

/// The ends that a partition had, and when.
///
/// *Why* not Kafka's timestamps alone: a producer may set them to anything, and an idle topic has no new one. That a partition
/// was read to where it ended at some instant is certain.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct EndHistory {
    /// Instants and ends that were not reached when last compared.
    open: VecDeque<(i64, i64)>,
    newest: Option<i64>,
    /// The last ones that were reached: an answer about an earlier state must not use what was reached later.
    reached: VecDeque<(i64, i64)>,
}

impl EndHistory {
    fn note(&mut self, at: i64, end: i64) {
        self.newest = Some(end);
        if self.open.len() >= MAX_OPEN {
            // Every second one is precise enough for a long lag.
            let mut keep = false;
            self.open.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.open.push_back((at, end));
    }

    /// The newest end.
    pub(in crate::server) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The latest instant of which everything that the partition held was read, given the first unread offset and the offset
    /// up to which nothing follows it.
    pub(in crate::server) fn complete_at(&mut self, next: i64, empty_to: i64) -> Option<i64> {
        let previous = self.reached.back().copied();
        while let Some((at, end)) = self.open.front().filter(|(_, end)| *end <= empty_to).copied() {
            self.open.pop_front();
            // No further than what was read: later it may no longer be known that nothing follows.
            self.reached.push_back((at, end.min(next)));
        }
        while self.reached.len() > MAX_REACHED {
            // However many are reached at once, that of the state before stays.
            let is_previous = self.reached.front() == previous.as_ref();
            self.reached.remove(usize::from(is_previous));
        }
        self.reached.iter().rev().find(|(_, end)| *end <= next).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_complete_at_the_last_end_that_was_reached() {
        let mut ends = EndHistory::default();
        assert_eq!(ends.complete_at(5, 5), None);
        ends.note(100, 10);
        ends.note(200, 10);
        ends.note(300, 20);
        assert_eq!((ends.complete_at(5, 5), ends.newest()), (None, Some(20)));
        assert_eq!(ends.complete_at(10, 10), Some(200));
        assert_eq!(ends.complete_at(19, 19), Some(200));
        assert_eq!(ends.complete_at(25, 25), Some(300));
        ends.note(400, 25);
        assert_eq!(ends.complete_at(25, 25), Some(400));
        // In an earlier state less was read.
        assert_eq!([19, 9, 25].map(|next| ends.complete_at(next, next)), [Some(200), None, Some(400)]);
    }

    #[test]
    fn an_end_behind_an_empty_range_stays_reached() {
        let mut ends = EndHistory::default();
        ends.note(100, 30);
        assert_eq!(ends.complete_at(10, 30), Some(100));
        // Now a record follows it.
        ends.note(200, 60);
        assert_eq!((ends.complete_at(10, 10), ends.complete_at(9, 9)), (Some(100), None));
    }

    #[test]
    fn the_previous_end_is_kept_however_many_are_reached_at_once() {
        let mut ends = EndHistory::default();
        ends.note(1, 1);
        assert_eq!(ends.complete_at(1, 1), Some(1));
        for at in 2..400 {
            ends.note(at, at);
        }
        assert_eq!(ends.complete_at(400, 400), Some(399));
        assert_eq!((ends.complete_at(1, 1), ends.reached.len()), (Some(1), MAX_REACHED));
    }

    #[test]
    fn the_history_of_a_long_lag_is_bounded() {
        let mut ends = EndHistory::default();
        for at in 0..5_000 {
            ends.note(at, 10 + at);
        }
        assert!(ends.open.len() <= MAX_OPEN);
        assert!(ends.complete_at(3_000, 3_000).is_some_and(|at| (2_900..=2_990).contains(&at)));
    }

    #[test]
    fn records_of_an_open_transaction_are_no_lag_and_yet_not_read() {
        let mut known = PartitionEnds::default();
        known.note(100, End { readable: 10, written: 30 });
        known.note(200, End { readable: 10, written: 40 });
        assert_eq!((known.readable.newest(), known.open), (Some(10), Some((10, 100))));
        assert_eq!((known.readable.complete_at(10, 10), known.read.complete_at(10, 10)), (Some(200), None));
        assert_eq!([9, 10, 11].map(|next| known.open_since(next)), [Some(100), Some(100), None]);
        // Another transaction is open now, which was not yet at the first instant.
        known.note(300, End { readable: 35, written: 50 });
        assert_eq!(known.open, Some((35, 300)));
        assert_eq!((known.readable.complete_at(35, 35), known.read.complete_at(35, 35)), (Some(300), Some(100)));
        known.note(400, End::at(60));
        let complete = (known.read.complete_at(60, 60), known.committed.complete_at(59, 59));
        assert_eq!((known.open, complete), (None, (Some(400), Some(300))));
    }

    #[test]
    fn a_log_that_became_shorter_proves_nothing() {
        let mut known = PartitionEnds::default();
        known.note(100, End::at(500));
        known.note(200, End::at(10));
        assert_eq!((known.read.complete_at(500, 500), known.readable.newest()), (Some(100), Some(500)));
    }
}
