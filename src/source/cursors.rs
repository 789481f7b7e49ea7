//! How far each partition was read: the only truth about offsets while a run lasts.

use std::sync::Arc;

use crate::change::{Interval, Partition, PartitionStart};

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
    until: Option<i64>,
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
            until: start.until,
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
        Accepted::New
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
    pub fn moved(&mut self) -> impl Iterator<Item = (Partition, Interval)> + '_ {
        self.cursors.iter_mut().filter(|cursor| cursor.reported < cursor.next).map(|cursor| {
            let interval = Interval { from: cursor.reported, to: cursor.next };
            cursor.reported = cursor.next;
            (Partition::clone(&cursor.partition), interval)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(from: i64, until: Option<i64>) -> Cursors {
        let mut cursors = Cursors::default();
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        cursors.add(&PartitionStart { partition, from, until });
        cursors
    }

    #[test]
    fn a_repeated_record_is_dropped_and_a_gap_is_passed() {
        let mut cursors = cursors(5, None);
        assert_eq!(cursors.accept(0, 4), Accepted::Drop);
        assert_eq!(cursors.accept(0, 5), Accepted::New);
        assert_eq!(cursors.accept(0, 5), Accepted::Drop);
        assert_eq!(cursors.accept(0, 9), Accepted::New);
        let moved: Vec<_> = cursors.moved().map(|(_, interval)| (interval.from, interval.to)).collect();
        assert_eq!(moved, [(5, 10)]);
        assert_eq!(cursors.moved().count(), 0);
        cursors.pass(0, 12);
        cursors.pass(0, 11);
        let moved: Vec<_> = cursors.moved().map(|(_, interval)| (interval.from, interval.to)).collect();
        assert_eq!(moved, [(10, 12)]);
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
