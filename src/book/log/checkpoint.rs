//! The folded state on disk, so that a start does not read the whole log.
//!
//! A file `_walbook/checkpoint/<newest entry it folds, 20 digits>.json` in the two lines of a log entry:
//! `{"format":1,"state":{…}}` (2 with views) and its digest. It is written when its newest entry is redone; the newest two are kept.

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::store::Store;

use super::{commit_log, digested};
use crate::book::error::At;
use crate::book::write::staging::Staging;
use crate::book::{BookError, State, layout};

/// Entries between two checkpoints.
pub(in crate::book) const INTERVAL: u64 = 64;

const KEPT: usize = 2;

#[derive(Serialize, Deserialize)]
struct Checkpoint<S> {
    format: u32,
    state: S,
}

/// The bytes of a checkpoint.
pub fn encode(state: &State) -> Vec<u8> {
    let format = if state.views.is_empty() { digested::FORMAT } else { digested::FORMAT_OF_VIEWS };
    digested::write(&Checkpoint { format, state }).0
}

/// Writes the checkpoint of `state`, whose newest entry must be redone, and removes those that it replaces.
pub(in crate::book) fn write(staging: &Staging, state: &State) -> Result<(), BookError> {
    let entry = state.newest_entry().expect("only a book with a log is written to");
    assert!(state.redone_to == entry, "all entries of a checkpoint are redone");
    let name = format!("checkpoint-{entry:020}.json.inprogress");
    staging.write(&name, &encode(state))?;
    staging.publish(&name, &layout::checkpoint_path(entry))?;
    let store = staging.store();
    store.sync_folder(layout::CHECKPOINTS).at("sync", layout::CHECKPOINTS)?;
    let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
    for old in &numbers[..numbers.len().saturating_sub(KEPT)] {
        let path = layout::checkpoint_path(*old);
        store.remove_file(&path).map_err(|error| staging.explain(error, "remove", &path))?;
    }
    Ok(())
}

/// The newest checkpoint that is whole and belongs to the log beside it.
///
/// A damaged one is skipped with a warning; an older one may be left, or none.
pub(in crate::book) fn read_newest(store: &dyn Store) -> Result<Option<State>, BookError> {
    for number in commit_log::numbers_in(store, layout::CHECKPOINTS)?.into_iter().rev() {
        match read(store, number) {
            Ok(state) => return Ok(Some(state)),
            Err(newer @ BookError::UnknownFormat { .. }) => return Err(newer),
            Err(error) => warn!(%error, "skipped a checkpoint"),
        }
    }
    Ok(None)
}

/// The entries of all checkpoints that are not as they were written.
///
/// # Errors
/// [`BookError::Io`] when they cannot be listed.
pub(in crate::book) fn damaged(store: &dyn Store) -> Result<Vec<u64>, BookError> {
    let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
    let is_damaged = |number: &u64| matches!(read(store, *number), Err(BookError::DamagedCheckpoint { .. }));
    Ok(numbers.into_iter().filter(is_damaged).collect())
}

/// Removes damaged checkpoints; the caller writes another one.
pub(in crate::book) fn remove(staging: &Staging, damaged: &[u64]) -> Result<(), BookError> {
    for path in damaged.iter().map(|number| layout::checkpoint_path(*number)) {
        staging.store().remove_file(&path).at("remove", &path)?;
        info!(path, "removed a damaged checkpoint: the log has all that it held");
    }
    Ok(())
}

/// Reads the checkpoint of an entry.
pub(in crate::book) fn read(store: &dyn Store, number: u64) -> Result<State, BookError> {
    let path = layout::checkpoint_path(number);
    let damaged = |reason: &str| BookError::DamagedCheckpoint { path: path.clone(), reason: reason.to_owned() };
    let bytes = store.read(&path).at("read", &path)?;
    let held: Result<(Checkpoint<State>, _), BookError> = digested::read(&path, &bytes);
    let (Checkpoint { format: _, state }, _) = held.map_err(|error| match error {
        BookError::Damaged { reason, .. } => damaged(&reason),
        error => error,
    })?;
    if state.newest_entry() != Some(number) {
        return Err(damaged("it holds another entry than its name"));
    }
    match commit_log::read_entry(store, number)? {
        Some(logged) if logged.digest == state.digest => Ok(state),
        Some(_) => Err(damaged("its newest entry is not the log's")),
        None => Err(damaged("the log does not hold its newest entry")),
    }
}

/// Reads a line as a checkpoint, and as an entry that opens a log.
#[cfg(feature = "fuzzing")]
pub fn fuzz_log_line(line: &[u8]) {
    let bytes = digested::with_digest(line);
    if let Ok((checkpoint, _)) = digested::read::<Checkpoint<State>>("fuzzed", &bytes) {
        let _ = checkpoint.state.newest_entry();
    }
    if let Ok((entry, digest)) = digested::read::<crate::book::Entry>("fuzzed", &bytes) {
        let _ = State::new(entry.book.clone(), entry.settings.clone()).follow(&entry, &digest);
    }
    // Without its digest it is refused, whatever it holds.
    assert!(digested::read::<crate::book::Entry>("fuzzed", line).is_err());
}
