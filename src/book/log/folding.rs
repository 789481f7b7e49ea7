//! The ends of folding the whole log: where it begins, and whether it is at its end.
//!
//! A reader begins at the newest checkpoint, or at the base where no checkpoint can be used, and reads entry after entry until none follows.
//! A sweep may remove entries before a reader that was asleep gets there: it would take the first one that is gone for the end of the
//! log. So the base, which is there before the first entry is removed, is looked at once more.

use super::commit_log::LoggedEntry;
use super::{base, checkpoint, commit_log};
use crate::book::{BookError, State, layout};
use crate::store::Store;

/// How often a reader begins again because entries were swept meanwhile.
const ATTEMPTS: usize = 5;

/// The newest state that was written and `is_usable`; `None` where the log begins with its first entry.
///
/// # Errors
/// [`BookError::Damaged`] for a base that is damaged or missing; [`BookError::UnknownFormat`]; [`BookError::Io`].
pub(in crate::book) fn begin(
    store: &dyn Store,
    is_usable: impl Fn(&State) -> bool,
) -> Result<Option<State>, BookError> {
    let held = checkpoint::read_newest(store)?;
    // After the checkpoint: the base that it names was there before.
    let swept_to = commit_log::swept_to(store)?;
    let named = held.as_ref().and_then(|held| held.base);
    if let Some(named) = named.filter(|named| swept_to < Some(*named)) {
        return Err(BookError::damaged(&layout::base_path(named), "it is missing, but a checkpoint names it"));
    }
    match held.map(|held| held.state).filter(|state| is_usable(state) && Some(state.entries) > swept_to) {
        Some(state) => Ok(Some(state)),
        None => Ok(base::read_newest(store)?.map(|base| base.state)),
    }
}

/// Ends folding: `state` is the log up to an entry after which none follows.
///
/// # Errors
/// [`BookError::Swept`] when that is not the end of the log, because entries were swept meanwhile; [`BookError::Io`].
pub(in crate::book) fn end(store: &dyn Store, state: Option<&mut State>) -> Result<(), BookError> {
    let Some(swept_to) = commit_log::swept_to(store)? else { return Ok(()) };
    match state {
        Some(state) if state.entries > swept_to => {
            // Only entries that were redone are swept.
            state.redone_to = state.redone_to.max(swept_to);
            Ok(())
        }
        _ => Err(BookError::Swept { entry: swept_to }),
    }
}

/// The log folded up to an entry; `None` where a base stands for later ones, or it does not reach that far.
///
/// # Errors
/// [`BookError`] when the log is damaged or cannot be read.
pub fn state_at(store: &dyn Store, entry: u64) -> Result<Option<State>, BookError> {
    let mut state = begin(store, |state| state.entries <= entry + 1)?;
    loop {
        let entries = state.as_ref().map_or(0, |state| state.entries);
        if entries > entry {
            return Ok(state.filter(|_| entries == entry + 1));
        }
        let Some(LoggedEntry { entry: next, digest, .. }) = commit_log::read_entry(store, entries)? else {
            return Ok(None);
        };
        let state = state.get_or_insert_with(|| State::new(next.book.clone(), next.settings.clone()));
        state.follow(&next, &digest)?;
    }
}

/// Reads the log again while entries are swept that `read` has begun to read.
///
/// # Errors
/// Those of `read`, of a log that was not swept meanwhile.
pub(in crate::book) fn repeated<T>(
    store: &dyn Store,
    mut read: impl FnMut() -> Result<T, BookError>,
) -> Result<T, BookError> {
    let mut swept_to = None;
    for _ in 1..ATTEMPTS {
        match read() {
            Ok(done) => return Ok(done),
            // Whatever is wrong with what was read: there is a newer base, or one for the first time.
            Err(error) => match commit_log::swept_to(store)? {
                now if now > swept_to => swept_to = now,
                _ => return Err(error),
            },
        }
    }
    read()
}
