//! What all workers read and counted in an epoch that is closed.

use std::sync::Arc;

use super::{CountKey, Epoch, Interval, Partition, PartitionRead, PartitionTally, ViewChanges};

/// What was read and counted in one epoch, of all workers.
#[derive(Clone, Debug, Default)]
pub struct EpochSummary {
    /// Totals with `+1` for one that begins to hold and `-1` for one that ends to.
    pub totals: Vec<(CountKey, isize, isize)>,
    /// What was read of partitions.
    pub positions: Vec<PartitionRead>,
    /// What the records were.
    pub tallies: Vec<PartitionTally>,
    /// How views changed; the commit and the server share it.
    pub views: Arc<ViewChanges>,
}

/// What was read and counted since the closed epoch before, for live answers.
#[derive(Clone, Debug, Default)]
pub struct ClosedEpoch {
    /// The newest epoch that is closed.
    pub epoch: Epoch,
    /// Counts that changed, each with what it is now. If a count occurs twice the last one is valid.
    pub totals: Vec<(CountKey, u64)>,
    /// What was read of partitions.
    pub positions: Vec<(Partition, Interval)>,
    /// What the records were.
    pub tallies: Vec<PartitionTally>,
    /// How views changed, oldest first.
    pub views: Vec<Arc<ViewChanges>>,
}
