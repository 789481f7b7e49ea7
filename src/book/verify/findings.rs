//! What is found in the files of one entry.

use std::io::ErrorKind;

use super::merged::MergedRows;
use crate::book::log::entry::AddedFile;
use crate::book::read::row_file::first_found;
use crate::store::{Store, StoredFile};

/// The findings in the files of one entry.
#[derive(Default)]
pub(super) struct EntryFindings {
    pub(super) entry: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) event_rows: u64,
    pub(super) reject_rows: u64,
    /// Files that are missing; no fault if a later entry removes them from the book.
    pub(super) missing: Vec<String>,
    /// Files that are not as written.
    pub(super) damaged: Vec<String>,
    /// Rows that differ from the entry.
    pub(super) wrong_rows: Vec<String>,
    /// Records that repeat a place: their number, and the first of each file.
    pub(super) repeated: u64,
    pub(super) repeats: Vec<String>,
    /// What merged files have, and what those have that they replace.
    pub(super) merged: MergedRows,
}

/// Opens a file that an entry adds: in its place, in staging, or replaced by a compaction meanwhile.
pub(super) fn open(
    store: &dyn Store,
    added: &AddedFile,
    staged: Option<String>,
    found: &mut EntryFindings,
) -> Option<StoredFile> {
    match first_found(store, &added.path, staged.as_deref(), |path| store.open(path)) {
        Ok(file) => return Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if staged.is_some_and(|staged| store.exists(&staged).unwrap_or(false)) {
                found.damaged.push(format!("{}: it is not in its place yet", added.path));
                return None;
            }
            // Its run may have put it there, and removed it from staging, since the last look.
            match store.open(&added.path) {
                Ok(file) => return Some(file),
                Err(_) => found.missing.push(added.path.clone()),
            }
        }
        Err(error) => found.damaged.push(format!("{}: {error}", added.path)),
    }
    None
}
