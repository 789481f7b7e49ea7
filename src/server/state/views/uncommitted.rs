//! What changed in views since the newest commit: in no file yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::change::{Accumulators, ClosedEpoch, Epoch, GroupKey, ViewChanges};

/// The changes of views since the newest commit, oldest first; the commit that will write them shares them.
#[derive(Default)]
pub(in crate::server) struct UncommittedViews(VecDeque<(Epoch, Arc<ViewChanges>)>);

impl UncommittedViews {
    /// Adds those of a closed epoch.
    pub(in crate::server) fn add(&mut self, closed: &ClosedEpoch) {
        self.0.extend(closed.views.iter().map(|changes| (closed.epoch, Arc::clone(changes))));
    }

    /// Drops those of epochs before `end`, which a commit has in its files.
    ///
    /// Changes of epochs that were closed together are kept as long as the last one: groups come with all that they hold, so that
    /// repeating a change makes no difference.
    pub(in crate::server) fn drop_before(&mut self, end: Epoch) {
        while self.0.front().is_some_and(|(epoch, _)| *epoch < end) {
            self.0.pop_front();
        }
    }

    /// Drops all: the live state has ended.
    pub(in crate::server) fn clear(&mut self) {
        self.0.clear();
    }

    /// What the changed groups of a view hold, oldest first.
    pub(in crate::server) fn of_view(&self, number: u16) -> impl Iterator<Item = (&GroupKey, &Accumulators)> {
        let groups = self.0.iter().flat_map(|(_, changes)| &changes.groups);
        groups.filter(move |(key, _)| key.view() == number).map(|(key, holds)| (key, holds))
    }
}
