//! Records that travel together.

use crate::change::{CommitNumber, Records};

/// Records that were taken together, and the commit they belong to.
pub struct Batch {
    /// The commit of the epoch in which they were read.
    pub commit: CommitNumber,
    /// The records; they go back to the source when this is dropped.
    pub records: Box<dyn Records>,
    /// How many there are.
    pub count: usize,
}
