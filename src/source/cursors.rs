//! How far each partition was read: the only truth about offsets while a run lasts.

use std::sync::Arc;

use crate::change::{CommittedTransaction, Interval, LeaderEpoch, Partition, PartitionRead, PartitionStart};

/// The partitions of one worker with their next offset. A partition is named by its *place* in the list.
#[derive(Default, Debug)]
pub struct Cursors {
    cursors: Vec<Cursor>,
}

#[derive(Debug)]
struct Cursor {
    partition: Arc<Partition>,
    /// The first offset that [`Cursors::moved`] has not reported.
    reported: i64,
    next: i64,
    /// The offset after the last record: between it and `next` there is none.
    records_to: i64,
    /// The leader epoch of the last record, where it has one; behind by the records whose epoch was not set yet.
    leader_epoch: Option<LeaderEpoch>,
    until: Option<i64>,
    /// The last transaction that [`Cursors::moved`] has not reported.
    last_transaction: Option<CommittedTransaction>,
}

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Keep it: it is the next one.
    New,
    /// Drop it: it was read before, or lies at or past the end.
    Drop,
}

impl Cursors {
    /// Adds a partition and gives its place.
    pub fn add(&mut self, start: &PartitionStart) -> usize {
        self.cursors.push(Cursor {
            partition: Arc::new(start.partition.clone()),
            reported: start.from,
            next: start.from,
            records_to: start.leader_epoch.map_or(start.from, |last| last.to),
            leader_epoch: start.leader_epoch,
            until: start.until,
            last_transaction: None,
        });
        self.cursors.len() - 1
    }

    /// The partition at a place.
    pub fn partition(&self, place: usize) -> &Arc<Partition> {
        &self.cursors[place].partition
    }

    /// The first unread offset at a place.
    pub fn next_offset(&self, place: usize) -> i64 {
        self.cursors[place].next
    }

    /// The offset after the last record at a place: before the next offset, if offsets without a record were passed since.
    pub fn records_to(&self, place: usize) -> i64 {
        self.cursors[place].records_to
    }

    /// The leader epoch of the last record at a place, where it is known.
    pub fn leader_epoch(&self, place: usize) -> Option<LeaderEpoch> {
        self.cursors[place].leader_epoch
    }

    /// Sets the leader epoch of the last record that was accepted at a place.
    pub fn set_leader_epoch(&mut self, place: usize, epoch: Option<i32>) {
        let cursor = &mut self.cursors[place];
        cursor.leader_epoch = epoch.map(|epoch| LeaderEpoch { epoch, to: cursor.records_to });
    }

    /// Whether an offset was passed as one without a record.
    pub fn has_passed(&self, place: usize, offset: i64) -> bool {
        let Cursor { records_to, next, .. } = self.cursors[place];
        (records_to..next).contains(&offset)
    }

    /// The first unread offset at each place.
    pub fn next_offsets(&self) -> Vec<i64> {
        self.cursors.iter().map(|cursor| cursor.next).collect()
    }

    /// Sets where the partition at a place ends, now that it is known: records behind it will not be read.
    pub fn end_at(&mut self, place: usize, offset: i64) {
        self.cursors[place].until = Some(offset);
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.cursors.len()
    }

    /// Whether there is no partition.
    pub fn is_empty(&self) -> bool {
        self.cursors.is_empty()
    }

    /// Moves past the record at `offset`, if it is new. A record at or past the end proves that the end is reached.
    pub fn accept(&mut self, place: usize, offset: i64) -> Accepted {
        let cursor = &mut self.cursors[place];
        if let Some(until) = cursor.until
            && offset >= until
        {
            cursor.next = cursor.next.max(until);
            return Accepted::Drop;
        }
        if offset < cursor.next {
            return Accepted::Drop;
        }
        cursor.next = offset + 1;
        cursor.records_to = offset + 1;
        Accepted::New
    }

    /// Notes that the records that were accepted last are the end of a transaction.
    pub fn end_transaction(&mut self, place: usize, transaction: CommittedTransaction) {
        self.cursors[place].last_transaction = Some(transaction);
    }

    /// Moves to `offset`, before which nothing is left to read: offsets without record were passed.
    pub fn pass(&mut self, place: usize, offset: i64) {
        let cursor = &mut self.cursors[place];
        let offset = cursor.until.map_or(offset, |until| offset.min(until));
        cursor.next = cursor.next.max(offset);
    }

    /// Whether all partitions have an end and are at it.
    pub fn at_end(&self) -> bool {
        self.cursors.iter().all(|cursor| cursor.until.is_some_and(|until| cursor.next >= until))
    }

    /// What was read of each partition since the last call; each interval begins where the last one ended.
    pub fn moved(&mut self) -> impl Iterator<Item = PartitionRead> + '_ {
        self.cursors.iter_mut().filter(|cursor| cursor.reported < cursor.next).map(|cursor| {
            let interval = Interval { from: cursor.reported, to: cursor.next };
            let leader_epoch = cursor.leader_epoch.filter(|last| cursor.reported < last.to);
            cursor.reported = cursor.next;
            let last_transaction = cursor.last_transaction.take();
            PartitionRead { partition: Partition::clone(&cursor.partition), interval, leader_epoch, last_transaction }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(from: i64, until: Option<i64>) -> Cursors {
        let mut cursors = Cursors::default();
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        cursors.add(&PartitionStart::new(partition, from, until));
        cursors
    }

    /// From, to, and the leader epoch of the last record with the offset after it.
    type Moved = (i64, i64, Option<(i32, i64)>);

    fn moved(cursors: &mut Cursors) -> Vec<Moved> {
        let moved = cursors.moved().map(|PartitionRead { interval, leader_epoch, .. }| {
            (interval.from, interval.to, leader_epoch.map(|LeaderEpoch { epoch, to }| (epoch, to)))
        });
        moved.collect()
    }

    #[test]
    fn a_leader_epoch_is_that_of_the_last_record_and_stays_while_there_is_none() {
        let mut cursors = cursors(5, None);
        assert_eq!(cursors.leader_epoch(0), None);
        cursors.accept(0, 5);
        cursors.accept(0, 6);
        cursors.set_leader_epoch(0, Some(3));
        cursors.pass(0, 9);
        assert_eq!(moved(&mut cursors), [(5, 9, Some((3, 7)))]);
        cursors.pass(0, 11);
        assert_eq!(moved(&mut cursors), [(9, 11, None)], "the epoch before still holds");
        assert_eq!(cursors.leader_epoch(0), Some(LeaderEpoch { epoch: 3, to: 7 }));
        assert_eq!([6, 7, 10, 11].map(|offset| cursors.has_passed(0, offset)), [false, true, true, false]);
        cursors.accept(0, 11);
        cursors.set_leader_epoch(0, None);
        assert_eq!(moved(&mut cursors), [(11, 12, None)]);
        assert_eq!(cursors.leader_epoch(0), None, "a record without an epoch ends what was known");
    }

    #[test]
    fn a_partition_that_continues_has_passed_what_lies_after_its_last_record() {
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        let leader_epoch = Some(LeaderEpoch { epoch: 3, to: 7 });
        let mut cursors = Cursors::default();
        cursors.add(&PartitionStart { leader_epoch, ..PartitionStart::new(partition, 9, None) });
        assert_eq!((cursors.records_to(0), cursors.leader_epoch(0)), (7, leader_epoch));
        assert_eq!(cursors.accept(0, 8), Accepted::Drop);
        assert!(cursors.has_passed(0, 8) && !cursors.has_passed(0, 6));
        assert_eq!(moved(&mut cursors), []);
    }

    #[test]
    fn a_repeated_record_is_dropped_and_a_gap_is_passed() {
        let mut cursors = cursors(5, None);
        assert_eq!(cursors.accept(0, 4), Accepted::Drop);
        assert_eq!(cursors.accept(0, 5), Accepted::New);
        assert_eq!(cursors.accept(0, 5), Accepted::Drop);
        assert_eq!(cursors.accept(0, 9), Accepted::New);
        assert_eq!(moved(&mut cursors), [(5, 10, None)]);
        assert_eq!(cursors.moved().count(), 0);
        cursors.pass(0, 12);
        cursors.pass(0, 11);
        assert_eq!(moved(&mut cursors), [(10, 12, None)]);
        assert!(!cursors.at_end());
    }

    #[test]
    fn the_end_is_reached_by_a_record_past_it_or_by_passing_it() {
        let mut by_record = cursors(0, Some(3));
        assert_eq!(by_record.accept(0, 1), Accepted::New);
        assert!(!by_record.at_end());
        assert_eq!(by_record.accept(0, 7), Accepted::Drop);
        assert!(by_record.at_end());
        assert_eq!(by_record.next_offset(0), 3);

        let mut by_passing = cursors(0, Some(3));
        by_passing.pass(0, 9);
        assert!(by_passing.at_end());
        assert_eq!(by_passing.next_offset(0), 3);
        assert!(cursors(3, Some(3)).at_end());
        assert!(Cursors::default().at_end());
    }
}
