//! Compactions by the run that owns the book.

use std::sync::Arc;

use super::merged_day::MergedDay;
use crate::book::log::commit_log;
use crate::book::log::commit_log::Put;
use crate::book::log::digested;
use crate::book::log::entry::Entry;
use crate::book::write::entry_parts::entry_of_compaction;
use crate::book::{BookError, Committer};

impl Committer {
    /// Puts an entry that replaces files of a day by merged ones, and makes it visible; `None` if another compaction of the day was
    /// faster, or a source is gone from the book.
    ///
    /// # Errors
    /// As [`Committer::commit`], and not to be called again after one.
    pub fn compact(&mut self, merged: &MergedDay) -> Result<Option<Arc<Entry>>, BookError> {
        assert!(!self.failed, "a committer that failed is never used again");
        self.failed = true;
        let put = self.try_compact(merged).map_err(|error| self.staging.explain_missing(error))?;
        self.failed = false;
        Ok(put.map(Arc::new))
    }

    fn try_compact(&mut self, merged: &MergedDay) -> Result<Option<Entry>, BookError> {
        loop {
            if !merged.is_current(self.staging.store(), &self.state)? {
                return Ok(None);
            }
            let store = self.staging.store();
            let generation = self.staging.generation().to_owned();
            let entry = entry_of_compaction(store, &self.state, generation, self.versions.clone(), merged);
            self.state.check(&entry)?;
            let (bytes, digest) = digested::write(&entry);
            match commit_log::put(&self.staging, entry.entry, &bytes)? {
                Put::Done => {
                    self.unfolded.add(bytes.len() as u64);
                    self.state.follow(&entry, &digest)?;
                    self.place_merged(&entry)?;
                    // Else each question would decode the paths of all replaced files.
                    self.checkpoint()?;
                    return Ok(Some(entry));
                }
                Put::Lost(reason) => drop(self.take_up_next(reason)?),
            }
        }
    }
}
