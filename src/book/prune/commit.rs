//! Pruning by the run that owns the book.

use std::slice;
use std::sync::Arc;

use crate::book::log::entry::Entry;
use crate::book::log::pruning::is_old;
use crate::book::write::entry_parts::entry_of_pruning;
use crate::book::{BookError, Committer, State};
use crate::change::Day;

impl Committer {
    /// Puts an entry that takes the events and rejects of days before `before` out of the book, and moves their files away; `None` if
    /// there are none, and as long as a view is declared and not built.
    ///
    /// # Errors
    /// As [`Committer::commit`], and not to be called again after one.
    pub fn prune(&mut self, before: Day) -> Result<Option<Arc<Entry>>, BookError> {
        assert!(!self.failed, "a committer that failed is never used again");
        if !self.state.may_prune(before) {
            return Ok(None);
        }
        self.failed = true;
        let put = self.try_prune(before).map_err(|error| self.staging.explain_missing(error))?;
        self.failed = false;
        Ok(put.map(Arc::new))
    }

    fn try_prune(&mut self, before: Day) -> Result<Option<Entry>, BookError> {
        let generation = self.staging.generation().to_owned();
        let entry = entry_of_pruning(self.staging.store(), &self.state, generation, self.versions.clone(), before);
        let Some(entry) = self.put(entry)? else { return Ok(None) };
        self.move_pruned_files(&entry)?;
        // Else each question would fold all files of the pruned days once more.
        self.checkpoint()?;
        Ok(Some(entry))
    }

    /// Makes an entry that prunes visible.
    pub(in crate::book) fn move_pruned_files(&mut self, entry: &Entry) -> Result<(), BookError> {
        if let Some(work) = self.before_removal.as_mut().filter(|_| self.staging.store().objects().is_some()) {
            work(&self.state);
        }
        self.redo.move_pruned_files(slice::from_ref(entry))?;
        self.state.redone_to = entry.entry;
        Ok(())
    }
}

impl State {
    /// Whether the book has files of events or rejects of days before `before`, as far as its log says, and all views that are declared have
    /// what is in them.
    pub fn may_prune(&self, before: Day) -> bool {
        if self.unbuilt_view().is_some() {
            return false;
        }
        let is_newer = self.pruned.is_none_or(|pruned| pruned.before <= before);
        is_newer && self.files.as_ref().is_none_or(|files| files.range(..before).any(|(day, _)| is_old(*day, before)))
    }
}
