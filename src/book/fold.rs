//! What the entries of a log add up to, as far as readers need it.

use std::collections::BTreeMap;

use super::entry::Entry;
use crate::change::{CommitNumber, Day};

/// The sum of all entries up to one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fold {
    /// The newest commit's number.
    pub(crate) commit: CommitNumber,
    /// By topic and partition: the first offset that was not read.
    pub(crate) positions: BTreeMap<String, BTreeMap<i32, i64>>,
    /// By day: how many changes.
    pub(crate) days: BTreeMap<Day, i128>,
}

impl Fold {
    /// Adds the next entry.
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.commit = self.commit.max(entry.commit);
        for (topic, read) in &entry.topics {
            let positions = self.positions.entry(topic.clone()).or_default();
            for (partition, position) in &read.positions {
                positions.insert(*partition, position.interval.to);
            }
        }
        for delta in &entry.deltas {
            *self.days.entry(delta.0).or_default() += i128::from(delta.4);
        }
    }
}
