//! The counts that every correct reader of some records reaches.

use std::collections::BTreeMap;

use crate::change::CountKey;

/// The correct counts of a number of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedCounts {
    /// All records: those with changes, markers and rejects.
    pub records: u64,
    /// Changes by day, table and operation; no zeros.
    pub counts: BTreeMap<CountKey, u64>,
    /// Records without a change.
    pub markers: u64,
    /// Records that cannot be read.
    pub rejects: u64,
}

impl ExpectedCounts {
    /// The number of changes: rows of the events table.
    pub fn events(&self) -> u64 {
        self.counts.values().sum()
    }
}
