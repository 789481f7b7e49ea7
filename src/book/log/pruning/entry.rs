//! The part of a log entry that only entries of kind `prune` have.

use serde::{Deserialize, Serialize};

use crate::change::Day;

/// The part of a log entry that only those of this kind have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneEntry {
    /// The first day whose events and rejects stay.
    pub before: Day,
}
