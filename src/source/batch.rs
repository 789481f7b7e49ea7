//! Records that travel together.

use super::Taken;
use crate::change::CommitNumber;

/// Records that were taken together, and the commit they belong to.
pub struct Batch {
    /// The commit of the epoch in which they were read.
    pub commit: CommitNumber,
    /// The records.
    pub taken: Taken,
}
