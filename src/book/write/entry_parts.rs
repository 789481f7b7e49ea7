//! Parts of entries that more than one writer needs.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::book::State;
use crate::book::log::digested;
use crate::book::log::entry::{Entry, EntryKind, Versions, ViewEntry};
use crate::store::Store;

/// An entry that says something of views only.
pub(super) fn entry_of_views(
    store: &dyn Store,
    state: &State,
    generation: String,
    versions: Versions,
    views: BTreeMap<String, ViewEntry>,
) -> Entry {
    Entry {
        format: digested::FORMAT_OF_VIEWS,
        book: state.book.clone(),
        entry: state.entries,
        commit: state.commit,
        previous: state.digest.clone(),
        kind: EntryKind::Views,
        generation,
        redone_to: state.redone_to,
        written_at: write_time(store),
        commit_time: None,
        settings: state.settings.clone(),
        versions,
        topics: BTreeMap::new(),
        added: Vec::new(),
        removed: Vec::new(),
        deltas: Vec::new(),
        views,
    }
}

/// Microseconds since 1970-01-01 UTC; 0 for a clock before that.
pub(in crate::book) fn write_time(store: &dyn Store) -> i64 {
    let since = store.write_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
