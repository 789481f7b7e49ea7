//! Pruning by a process beside the run that owns the book: the run takes the files away.

use std::sync::Arc;

use super::move_away::files_in_place;
use crate::book::log::entry::{Entry, Versions};
use crate::book::log::pruning::Pruned;
use crate::book::write::beside::put_beside;
use crate::book::write::entry_parts::entry_of_pruning;
use crate::book::{BookError, State};
use crate::change::Day;
use crate::store::Store;

/// Puts an entry that takes the events and rejects of days before `before` out of the book; `None` if there are none, and as long as a view is
/// declared and not built.
///
/// # Errors
/// The error of `no_book` where there is no book; those of a log that does not hold together; [`BookError::Io`].
pub fn prune_beside(
    store: &Arc<dyn Store>,
    versions: &Versions,
    before: Day,
    no_book: &dyn Fn() -> BookError,
) -> Result<Option<Entry>, BookError> {
    put_beside(store, no_book, &mut |state: &State| {
        let entry = || entry_of_pruning(&**store, state, state.generation.clone(), versions.clone(), before);
        Ok(state.may_prune(before).then(entry))
    })
}

/// Whether the run that owns the book has moved away all files that an entry prunes.
///
/// # Errors
/// [`BookError::Io`].
pub fn is_moved_away(store: &dyn Store, entry: &Entry) -> Result<bool, BookError> {
    let Some(pruned) = Pruned::by(entry) else { return Ok(true) };
    Ok(files_in_place(store, &pruned)?.is_empty())
}
