//! What changed between two states.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::query::{CountId, ViewGroup};

/// What changed between two states: counts, and groups of the views in memory.
#[derive(Default)]
pub(in crate::server) struct Changes {
    /// The counts.
    pub(in crate::server) counts: Vec<CountId>,
    /// The groups of views, by the number of the load that brought the view into memory.
    groups: BTreeMap<u64, Vec<Arc<ViewGroup>>>,
}

impl Changes {
    /// Changed counts alone.
    pub(in crate::server) fn of_counts(counts: Vec<CountId>) -> Changes {
        Changes { counts, groups: BTreeMap::new() }
    }

    /// Adds groups of a view.
    pub(in crate::server) fn add_groups(&mut self, load: u64, mut groups: Vec<Arc<ViewGroup>>) {
        if !groups.is_empty() {
            self.groups.entry(load).or_default().append(&mut groups);
        }
    }

    /// The groups of a view that changed.
    pub(in crate::server) fn groups(&self, load: u64) -> &[Arc<ViewGroup>] {
        self.groups.get(&load).map_or(&[], Vec::as_slice)
    }

    /// How many there are.
    pub(in crate::server) fn len(&self) -> usize {
        self.counts.len() + self.groups.values().map(Vec::len).sum::<usize>()
    }

    /// Leaves each of them once.
    pub(in crate::server) fn deduplicate(&mut self) {
        self.counts.sort_unstable();
        self.counts.dedup();
        self.groups.values_mut().for_each(ViewGroup::deduplicate);
    }
}
