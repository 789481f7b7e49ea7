//! What of a partition was accepted as lost, over all entries.

use serde::{Deserialize, Serialize};

use super::entry::PartitionEntry;
use crate::change::Interval;

/// Offsets of a partition that were gone before they could be read, and accepted as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// What the entries cover that tell of it; the offsets lie in there.
    #[serde(flatten)]
    pub within: Interval,
    /// How many they are.
    pub offsets: u64,
}

impl Lost {
    /// What is lost after an entry, given what was before: one interval for a partition, however often something is lost.
    pub(super) fn after(before: Option<Lost>, read: &PartitionEntry) -> Option<Lost> {
        if read.lost == 0 {
            return before;
        }
        let known = before.unwrap_or(Lost { within: read.interval, offsets: 0 });
        let within = Interval { from: known.within.from, to: read.interval.to };
        Some(Lost { within, offsets: known.offsets.saturating_add(read.lost) })
    }
}
