//! Epochs, and the messages between the leader and the workers.
//!
//! An epoch is *open* while reads may still add to it, *closed* when the frontier has passed it, *sealed* when its
//! files are synced, *committed* when a log entry names them. A commit covers many epochs.

use serde::{Deserialize, Serialize};

use super::{LeaderEpoch, Partition, RecentTransactions};

/// The dataflow's timestamp; never wall time. Epoch 0 carries only the initial counts, data starts at 1.
pub type Epoch = u64;

/// The number that names a commit's files; starts above the log and may skip.
pub type CommitNumber = u64;

/// Closes an epoch: sent under the epoch that it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The epoch that opens.
    pub epoch: Epoch,
    /// The commit it belongs to; a commit ends where this number grows.
    pub commit: CommitNumber,
}

/// A partition to be read, and from where to where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStart {
    /// The partition.
    pub partition: Partition,
    /// The first offset to read.
    pub from: i64,
    /// The offset to stop at, if the run ends there.
    pub until: Option<i64>,
    /// The leader epoch of the last record before `from`, where it is known; no record lies between that one and `from`.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Of a slot: the last transactions before `from`, where they are known.
    pub recent: RecentTransactions,
}

impl PartitionStart {
    /// A partition of which nothing but its offsets is known.
    pub fn new(partition: Partition, from: i64, until: Option<i64>) -> PartitionStart {
        PartitionStart { partition, from, until, leader_epoch: None, recent: RecentTransactions::default() }
    }
}

/// How a run begins: made once by the leader, sent to all workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The book's identity.
    pub book: String,
    /// The run's generation: the name of its staging folder.
    pub generation: String,
    /// IANA name of the book's time zone.
    pub time_zone: String,
    /// The book's day rule: `auto`, `commit` or `kafka`.
    pub day_from: String,
    /// The commit that epoch 1 belongs to.
    pub commit: CommitNumber,
    /// Whether the run ends when all partitions are read to their end.
    pub until_end: bool,
    /// All partitions of all topics.
    pub partitions: Vec<PartitionStart>,
    /// The declarations of the views that are kept; a view's number is its place.
    pub views: Vec<String>,
}

/// A message of the leader to all workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderCommand {
    /// Begin.
    Start(Start),
    /// Partitions that appeared while running: read them too.
    Partitions(Vec<PartitionStart>),
    /// The open epoch ends.
    Tick(Tick),
    /// Read no more records; commit what is read.
    Stop,
}

/// A message of a worker to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TickRequest {
    /// This worker has read records of the open epoch, and may read more.
    Flowing(usize),
    /// This worker, which has read records of the open epoch, has no more for now.
    CaughtUp(usize),
    /// The files of this commit are as large as they should get: end it.
    Full(CommitNumber),
    /// This process was asked to end.
    Stop,
}
