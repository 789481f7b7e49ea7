//! Files of a day that are merged, sealed in staging, and not part of the book yet.

use crate::book::log::commit_log;
use crate::book::log::compaction::{CompactionEntry, MergedFile, RemovedRows};
use crate::book::log::entry::{AddedFile, EntryKind};
use crate::book::log::pruning::is_old;
use crate::book::{BookError, State};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::{MergedPlace, RowsPlace, Table};

/// Merged files of a day, and the files whose rows they have.
#[derive(Clone, Debug)]
pub struct MergedDay {
    pub(super) table: Table,
    pub(super) day: Day,
    /// The number of entries of the log when the sources were listed.
    pub(super) entries: u64,
    /// The generation in whose staging folder the merged files are.
    pub(super) staged_by: String,
    /// The sources' paths, sorted.
    pub(super) removed: Vec<String>,
    pub(super) removed_rows: RemovedRows,
    pub(super) added: Vec<StagedMerge>,
}

/// One merged file; its path follows from the entry that will add it.
#[derive(Clone, Debug)]
pub(super) struct StagedMerge {
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) xxh3: String,
    pub(super) merged: MergedFile,
}

impl MergedDay {
    /// The table that the rows belong to.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The day.
    pub fn day(&self) -> Day {
        self.day
    }

    /// The number of files before and after, and that of their bytes.
    pub fn sizes(&self) -> [(u64, u64); 2] {
        let after = self.added.iter().map(|file| file.bytes).sum();
        [(self.removed.len() as u64, self.removed_rows.bytes), (self.added.len() as u64, after)]
    }

    /// How many rows they have.
    pub fn rows(&self) -> u64 {
        self.removed_rows.rows
    }

    /// The paths of the sources, sorted.
    pub(in crate::book) fn removed(&self) -> &[String] {
        &self.removed
    }

    /// What the entry of this number says of them.
    pub(in crate::book) fn named_by(&self, entry: u64) -> (Vec<AddedFile>, CompactionEntry) {
        let (table, day) = (self.table, self.day);
        let path = |index: usize| MergedPlace { table, day, entry, index }.path();
        let added = self.added.iter().enumerate().map(|(index, StagedMerge { bytes, rows, xxh3, merged: _ })| {
            AddedFile { path: path(index), bytes: *bytes, rows: *rows, xxh3: xxh3.clone() }
        });
        let compaction = CompactionEntry {
            staged_by: self.staged_by.clone(),
            removed: self.removed_rows,
            added: self.added.iter().map(|file| file.merged.clone()).collect(),
        };
        (added.collect(), compaction)
    }

    /// Whether all sources are still part of the book: no entry since they were listed has merged or pruned files of the day.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the log has a gap; [`BookError::Io`].
    pub(in crate::book) fn is_current(&self, store: &dyn Store, state: &State) -> Result<bool, BookError> {
        for number in self.entries..state.entries {
            let entry = match commit_log::required(store, number) {
                Ok(logged) => logged.entry,
                // That long ago: what it said is not known any more.
                Err(BookError::Swept { .. }) => return Ok(false),
                Err(error) => return Err(error),
            };
            let place = entry.added.first().and_then(|file| RowsPlace::parse(&file.path));
            let is_same_day = place.is_some_and(|place| (place.table(), place.day()) == (self.table, self.day));
            let is_pruned = entry.prune.is_some_and(|prune| is_old(self.day, prune.before));
            if is_pruned || (entry.kind == EntryKind::Compaction && is_same_day) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
