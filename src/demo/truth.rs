//! What is right: the counts that any reader of some records must reach.

use std::collections::BTreeMap;

use crate::change::CountKey;

/// The right counts for a number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// All records: event-bearing, markers and rejects.
    pub records: u64,
    /// Changes by day, table and operation; no zeros.
    pub counts: BTreeMap<CountKey, u64>,
    /// Records without a change.
    pub markers: u64,
    /// Records that cannot be read.
    pub rejects: u64,
}

impl Truth {
    /// The number of changes: rows of the events table.
    pub fn events(&self) -> u64 {
        self.counts.values().sum()
    }
}
