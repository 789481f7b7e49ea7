//! Where reading stands: half-open intervals of offsets and what they held. Pure algebra, no I/O.

use serde::{Deserialize, Serialize};

use super::CommittedTransaction;

/// A partition of a topic (or what stands for one in another source).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number in its topic.
    pub number: i32,
}

/// A half-open interval of offsets, `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The first offset inside.
    pub from: i64,
    /// The first offset after it.
    pub to: i64,
}

impl Interval {
    /// The number of offsets inside.
    pub fn width(self) -> i64 {
        self.to - self.from
    }

    /// The interval that `next` prolongs, or `None` when `next` does not begin where `self` ends: offsets would be lost or read twice.
    #[must_use]
    pub fn chain(self, next: Interval) -> Option<Interval> {
        (self.to == next.from && next.from <= next.to).then_some(Interval { from: self.from, to: next.to })
    }
}

/// The leader epoch of the last record that was read of a partition, and where that record ends.
///
/// Kafka's: the number of the partition's leader that wrote the record. Not an epoch of the dataflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderEpoch {
    /// The leader epoch; never falls along a partition.
    pub epoch: i32,
    /// The offset after the record. Offsets without a record may have been passed since.
    pub to: i64,
}

/// What was read of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRead {
    /// The partition.
    pub partition: Partition,
    /// The offsets that were read or passed.
    pub interval: Interval,
    /// The leader epoch of the last record in there; `None` where there is no record or records have none.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Of a slot: the last transaction in there, if there is one.
    pub last_transaction: Option<CommittedTransaction>,
}

/// Where a partition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The first offset that cannot be read yet: in Kafka that of the oldest transaction that is open, if one is.
    pub readable: i64,
    /// The first offset that was not written.
    pub written: i64,
}

impl End {
    /// The end of a partition in which all that was written can be read.
    pub fn at(offset: i64) -> End {
        End { readable: offset, written: offset }
    }
}

/// A change's place in the source database: its transaction's end LSN and its number inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The transaction's end LSN, as a number.
    pub commit_lsn: i64,
    /// The number of the change in its transaction.
    pub seq: i32,
}

/// What the records of one partition were; sums over epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records that hold one or several changes.
    pub bearing: u64,
    /// Changes: rows of the events table.
    pub events: u64,
    /// Records without a change: BEGIN, COMMIT, messages, tombstones, heartbeats.
    pub markers: u64,
    /// Records that could not be read.
    pub rejects: u64,
    /// Fields beside lines (LSN, transaction, commit time) that were there and could not be read: null in the events.
    #[serde(default)]
    pub unreadable_fields: u64,
    /// The highest place, where records have one.
    pub highest: Option<Place>,
}

impl Tally {
    /// All records: event-bearing, markers and rejects.
    pub fn records(&self) -> u64 {
        self.bearing + self.markers + self.rejects
    }

    /// Adds what another stretch of the same partition held.
    pub fn add(&mut self, other: &Tally) {
        self.bearing += other.bearing;
        self.events += other.events;
        self.markers += other.markers;
        self.rejects += other.rejects;
        self.unreadable_fields += other.unreadable_fields;
        self.highest = self.highest.max(other.highest);
    }
}

/// What some records of one partition were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTally {
    /// The partition.
    pub partition: Partition,
    /// What the records were.
    pub tally: Tally,
    /// Kafka's time of the last of them that has one, in microseconds since 1970-01-01 UTC.
    pub kafka_time: Option<i64>,
    /// The highest commit time of their changes, in microseconds since 1970-01-01 UTC.
    pub commit_time: Option<i64>,
    /// Examples of rejects, one for each reason that is new to the worker.
    pub rejects: Vec<RejectSample>,
}

/// The first record of a partition that one worker could not read for some reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectSample {
    /// The record's offset.
    pub offset: i64,
    /// Why it could not be read.
    pub reason: String,
    /// The setting or the query that would help, where one is known.
    pub advice: Option<String>,
    /// The beginning of its value as text, in which invalid UTF-8 is replaced; a longer value ends in `…`.
    pub value: String,
}
