//! What an epoch was, now that it is closed.

use crate::change::{CountKey, Epoch, Interval, Partition, PartitionTally};

/// What came since the last one was told.
#[derive(Clone, Debug, Default)]
pub struct ClosedEpoch {
    /// The newest epoch that is closed.
    pub epoch: Epoch,
    /// Counts that changed, each with what it is now. Of a count that stands there twice the last one holds.
    pub totals: Vec<(CountKey, u64)>,
    /// What was read of partitions.
    pub positions: Vec<(Partition, Interval)>,
    /// What the records were.
    pub tallies: Vec<PartitionTally>,
}
