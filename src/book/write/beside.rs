//! An entry that another process than the run puts: one that any process may put while a run owns the book.

use std::sync::Arc;

use super::resume::fold;
use super::staging::Staging;
use crate::book::log::commit_log::{self, Put};
use crate::book::log::digested;
use crate::book::log::entry::Entry;
use crate::book::{BookError, State};
use crate::store::Store;

/// Puts the entry that `entry_of` makes for the newest state of the log, which is asked again when another entry was faster; `None` where it
/// makes none.
///
/// # Errors
/// The error of `no_book` where there is no book, those of `entry_of` and of a log that does not hold together; [`BookError::Io`].
pub(in crate::book) fn put_beside(
    store: &Arc<dyn Store>,
    no_book: &dyn Fn() -> BookError,
    entry_of: &mut dyn FnMut(&State) -> Result<Option<Entry>, BookError>,
) -> Result<Option<Entry>, BookError> {
    loop {
        let (state, _) = fold(&**store)?.ok_or_else(no_book)?;
        let Some(entry) = entry_of(&state)? else { return Ok(None) };
        state.check(&entry)?;
        commit_log::sync(&**store)?;
        let staging = Staging::make(Arc::clone(store), entry.entry)?;
        let (bytes, digest) = digested::write(&entry);
        let put = commit_log::put_beside(&staging, entry.entry, &bytes);
        // What is left of the folder goes with the next start.
        let abandoned = staging.abandon();
        // A run that has just begun may have removed the folder, also right after the entry was put.
        match put {
            Ok(Put::Done) => return Ok(Some(entry)),
            _ if commit_log::holds(&**store, entry.entry, &digest)? => {
                commit_log::sync(&**store)?;
                return Ok(Some(entry));
            }
            // Another entry has this number: look again.
            Ok(Put::Lost(_)) | Err(BookError::StagingGone { .. } | BookError::Fenced { .. }) => abandoned?,
            Err(error) => return Err(error),
        }
    }
}
