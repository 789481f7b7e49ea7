//! Merges the files of days in one staging folder.

use std::sync::Arc;

use super::merge::Merge;
use super::merged_day::MergedDay;
use super::sources::{DayPhase, TARGET_BYTES, of_day, worth_merging};
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::book::{BookError, Committer, Entry, State};
use crate::change::Day;
use crate::store::layout::{Table, staged_merged_name};

/// Merges the files of days; what it writes is not part of the book before an entry is put.
#[derive(Clone)]
pub struct Compactor {
    staging: Arc<Staging>,
    target: u64,
}

impl Compactor {
    pub(super) fn new(staging: Arc<Staging>) -> Compactor {
        Compactor { staging, target: TARGET_BYTES }
    }

    /// Makes files of about this size, and merges those below half of it.
    #[must_use]
    pub fn with_target(self, target: u64) -> Compactor {
        Compactor { target, ..self }
    }

    /// Merges the small files that a day has by `state`; `None` where that is not worth it, and when it was cancelled. Files of the
    /// entries in `tail` may still be in staging.
    ///
    /// # Errors
    /// [`BookError::Damaged`] or [`BookError::Missing`] for a file that is not as committed; [`BookError::Fenced`]; [`BookError::Io`].
    pub fn merge_day(
        &self,
        state: &State,
        tail: &[Entry],
        (table, day): (Table, Day),
        phase: DayPhase,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<MergedDay>, BookError> {
        let sources = of_day(self.staging.store(), state, tail, table, day);
        // What it looks for may be swept, or its folder gone, because a newer run owns the book.
        let sources = sources.map_err(|error| self.staging.explain_missing(error))?;
        let sources = worth_merging(sources, phase, self.target);
        if sources.is_empty() {
            return Ok(None);
        }
        let merge = Merge {
            staging: &self.staging,
            book: &state.book,
            table,
            day,
            entries: state.entries,
            target: self.target,
            is_cancelled,
        };
        merge.run(&sources).map_err(|error| self.staging.explain_missing(error))
    }

    /// Removes files that no entry was put for.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub fn discard(&self, merged: &MergedDay) -> Result<(), BookError> {
        merged.added.iter().try_for_each(|file| {
            let staged = self.staging.path(&staged_merged_name(&file.xxh3));
            let removed = gone_is_fine(self.staging.store().remove_file(&staged));
            removed.map_err(|error| self.staging.explain(error, "remove", &staged))
        })
    }
}

impl Committer {
    /// Merges days on behalf of this run; may be used on another thread than the committer.
    pub fn compactor(&self) -> Compactor {
        Compactor::new(Arc::clone(&self.staging))
    }
}
