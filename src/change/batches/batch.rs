//! Records that travel together.

use crate::change::{CommitNumber, Records};

/// Records of one poll.
pub struct PolledBatch {
    /// The records; they go back to the source when this is dropped.
    pub records: Box<dyn Records>,
    /// How many there are; at least one.
    pub count: usize,
}

/// Records of one poll, and the commit they belong to.
pub struct Batch {
    /// The commit of the epoch in which they were read.
    pub commit: CommitNumber,
    /// The records.
    pub polled: PolledBatch,
}
