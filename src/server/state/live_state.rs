//! What the run of this process has read, at its newest closed epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counts::CountsSnapshot;
use super::durable_state::DurableState;
use super::frames::Changes;
use super::views::{LiveViews, UncommittedViews, ViewTable};
use crate::book::{AnswerLevel, CompleteTo};
use crate::change::instant::now_micros;
use crate::change::{ClosedEpoch, Epoch, Interval, Partition, PartitionStart};

/// A run at its newest closed epoch.
#[derive(Clone)]
pub(in crate::server) struct LiveState {
    /// The counts.
    pub(in crate::server) counts: Arc<CountsSnapshot>,
    /// The epoch.
    pub(in crate::server) epoch: Epoch,
    /// When the server received it, in microseconds since 1970-01-01 UTC.
    pub(in crate::server) closed_at: i64,
    /// How far each partition was read.
    pub(in crate::server) partitions: ReadPositions,
    /// Records that could not be parsed since the run began.
    pub(in crate::server) rejects: u64,
    /// The views that the run keeps.
    pub(in crate::server) views: LiveViews,
}

impl LiveState {
    /// A run that has closed no epoch yet: its counts are those of the book.
    pub(in crate::server) fn starting_at(
        durable: &DurableState,
        starts: &[PartitionStart],
        declared: &[String],
    ) -> LiveState {
        let CountsSnapshot { totals, complete_to, time_zone, rejects } = &*durable.counts;
        let known = complete_to.positions.iter().flat_map(|(topic, positions)| {
            positions.iter().map(|(number, next)| (Partition { topic: topic.clone(), number: *number }, *next))
        });
        let read = starts.iter().map(|start| (start.partition.clone(), start.from));
        let partitions = ReadPositions::starting_at(read, known);
        let complete_to = CompleteTo { level: AnswerLevel::Live { epoch: 0 }, ..complete_to.clone() };
        let (totals, time_zone, rejects) = (totals.clone(), time_zone.clone(), Arc::clone(rejects));
        let counts = CountsSnapshot { totals, complete_to, time_zone, rejects };
        let views = LiveViews::starting_at(declared, &durable.views, &counts.time_zone);
        LiveState { counts: Arc::new(counts), epoch: 0, closed_at: now_micros(), partitions, rejects: 0, views }
    }

    /// The state after further epochs, and the number of records in them; what changed goes to `changed`.
    pub(in crate::server) fn after(
        &self,
        epochs: &[ClosedEpoch],
        durable: &DurableState,
        changed: &mut Changes,
    ) -> (LiveState, u64) {
        let mut totals = self.counts.totals.clone();
        let mut partitions = self.partitions.clone();
        let (mut epoch, mut rejects, mut records) = (self.epoch, self.rejects, 0);
        for closed in epochs {
            epoch = closed.epoch;
            changed.counts.extend(closed.totals.iter().map(|(key, total)| totals.set(key, *total)));
            for (partition, interval) in &closed.positions {
                partitions.advance(partition, *interval);
            }
            for read in &closed.tallies {
                rejects += read.tally.rejects;
                records += read.tally.records();
                if let Some(kafka_time) = read.kafka_time {
                    partitions.note_kafka_time(&read.partition, kafka_time);
                }
            }
        }
        let committed = &durable.counts.complete_to;
        let complete_to = CompleteTo {
            commit: committed.commit,
            positions: partitions.positions(),
            commit_time: committed.commit_time,
            events_from: committed.events_from,
            level: AnswerLevel::Live { epoch },
        };
        let (time_zone, of_commit) = (self.counts.time_zone.clone(), Arc::clone(&durable.counts.rejects));
        let counts = CountsSnapshot { totals, complete_to, time_zone, rejects: of_commit };
        let views = self.views.after(epochs, &durable.views, changed);
        let live = LiveState { counts: Arc::new(counts), epoch, closed_at: now_micros(), partitions, rejects, views };
        (live, records)
    }

    /// The same state without the views that the book does not have any more.
    pub(in crate::server) fn without_dropped_views(&self, durable: &DurableState) -> LiveState {
        LiveState { views: self.views.without_dropped(&durable.views), ..self.clone() }
    }

    /// The same state with a view in memory, given its groups at the newest commit; `None` for a view that the run does not
    /// keep.
    pub(in crate::server) fn with_view_table(
        &self,
        name: &str,
        table: ViewTable,
        uncommitted: &UncommittedViews,
    ) -> Option<LiveState> {
        Some(LiveState { views: self.views.with_table(name, table, uncommitted)?, ..self.clone() })
    }
}

/// How far each partition was read.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct ReadPositions {
    /// The partitions that the run reads.
    read: BTreeMap<Partition, ReadPosition>,
    /// The first unread offsets of partitions that only earlier runs have read.
    others: BTreeMap<Partition, i64>,
}

/// How far a partition was read.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::server) struct ReadPosition {
    /// The first unread offset.
    pub(in crate::server) next: i64,
    /// Kafka's time of the last record that was read, in microseconds since 1970-01-01 UTC.
    pub(in crate::server) kafka_time: Option<i64>,
}

impl ReadPositions {
    /// The first unread offsets of the partitions that a run reads, and of all that its book knows.
    pub(in crate::server) fn starting_at(
        read: impl IntoIterator<Item = (Partition, i64)>,
        known: impl IntoIterator<Item = (Partition, i64)>,
    ) -> ReadPositions {
        let at = |next| ReadPosition { next, kafka_time: None };
        let read = read.into_iter().map(|(partition, next)| (partition, at(next))).collect();
        ReadPositions { read, others: known.into_iter().collect() }
    }

    fn advance(&mut self, partition: &Partition, interval: Interval) {
        if !self.read.contains_key(partition) {
            self.read.insert(partition.clone(), ReadPosition { next: interval.from, kafka_time: None });
        }
        let read = self.read.get_mut(partition).expect("it was just inserted");
        read.next = read.next.max(interval.to);
    }

    fn note_kafka_time(&mut self, partition: &Partition, kafka_time: i64) {
        if let Some(read) = self.read.get_mut(partition) {
            read.kafka_time = Some(kafka_time);
        }
    }

    /// The partitions that the run reads.
    pub(in crate::server) fn iter(&self) -> impl Iterator<Item = (&Partition, &ReadPosition)> {
        self.read.iter()
    }

    /// Whether everything below these positions was read.
    pub(in crate::server) fn reach(&self, positions: &BTreeMap<String, BTreeMap<i32, i64>>) -> bool {
        let read = self.positions();
        let mut wanted = positions.iter().flat_map(|(topic, wanted)| wanted.iter().map(move |wanted| (topic, wanted)));
        wanted.all(|(topic, (number, next))| {
            read.get(topic).and_then(|topic| topic.get(number)).copied().unwrap_or(0) >= *next
        })
    }

    /// By topic and partition: the first unread offset.
    pub(in crate::server) fn positions(&self) -> BTreeMap<String, BTreeMap<i32, i64>> {
        let mut positions: BTreeMap<String, BTreeMap<i32, i64>> = BTreeMap::new();
        let read = self.read.iter().map(|(partition, read)| (partition, read.next));
        // The run's own positions last: they replace those that the book had at its start.
        for (partition, next) in self.others.iter().map(|(partition, next)| (partition, *next)).chain(read) {
            positions.entry(partition.topic.clone()).or_default().insert(partition.number, next);
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_hold_partitions_of_earlier_runs_that_this_run_does_not_read() {
        let partition = |topic: &str| Partition { topic: topic.to_owned(), number: 0 };
        let known = [(partition("old"), 7), (partition("shop"), 3)];
        let mut partitions = ReadPositions::starting_at([(partition("shop"), 5)], known);
        partitions.advance(&partition("shop"), Interval { from: 5, to: 9 });
        assert_eq!(partitions.iter().map(|(partition, _)| partition.topic.as_str()).collect::<Vec<_>>(), ["shop"]);
        let positions = partitions.positions();
        assert_eq!((positions["old"][&0], positions["shop"][&0]), (7, 9));
    }
}
