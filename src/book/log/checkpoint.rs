//! The folded state on disk, so that a start and a question do not read the whole log.
//!
//! A file `_walbook/checkpoint/<newest entry it folds, 20 digits>.json` in the two lines of a log entry:
//! `{"format":1,"state":{…}}` (2 with views, 3 after a compaction) and its digest. It is written when its newest entry is redone; the newest two are kept.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::store::Store;

use super::{commit_log, digested};
use crate::book::error::At;
use crate::book::write::staging::Staging;
use crate::book::{BookError, State, layout};

/// Entries between two checkpoints.
const INTERVAL_ENTRIES: u64 = 64;
/// Bytes of entries between two checkpoints: each start and each question decodes them. A checkpoint that is larger is written when
/// the entries after it are as large.
const INTERVAL_BYTES: u64 = 1 << 20;

const KEPT: usize = 2;

/// What the log has after its newest checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::book) struct UnfoldedEntries {
    entries: u64,
    bytes: u64,
    /// How large the checkpoint is, where that is known.
    checkpoint_bytes: u64,
}

impl UnfoldedEntries {
    /// None after a checkpoint of this size.
    pub(in crate::book) fn after(checkpoint_bytes: u64) -> UnfoldedEntries {
        UnfoldedEntries { checkpoint_bytes, ..UnfoldedEntries::default() }
    }

    /// Adds one entry.
    pub(in crate::book) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes += bytes;
    }

    /// Whether these are many enough for a checkpoint.
    pub(in crate::book) fn are_many(&self) -> bool {
        self.entries >= INTERVAL_ENTRIES || self.bytes >= INTERVAL_BYTES.max(self.checkpoint_bytes)
    }
}

#[derive(Serialize, Deserialize)]
struct Checkpoint<S> {
    format: u32,
    state: S,
}

/// The bytes of a checkpoint.
pub fn encode(state: &State) -> Vec<u8> {
    let format = match state {
        State { compactions: Some(_), .. } => digested::FORMAT_OF_COMPACTION,
        State { views, .. } if !views.is_empty() => digested::FORMAT_OF_VIEWS,
        _ => digested::FORMAT,
    };
    digested::write(&Checkpoint { format, state }).0
}

/// Writes the checkpoint of `state`, whose newest entry must be redone, and removes those that it replaces; returns how many bytes it has.
pub(in crate::book) fn write(staging: &Staging, state: &State) -> Result<u64, BookError> {
    let entry = state.newest_entry().expect("only a book with a log is written to");
    assert!(state.redone_to == entry, "all entries of a checkpoint are redone");
    let name = format!("checkpoint-{entry:020}.json.inprogress");
    let bytes = encode(state);
    staging.write(&name, &bytes)?;
    staging.publish(&name, &layout::checkpoint_path(entry))?;
    let store = staging.store();
    store.sync_folder(layout::CHECKPOINTS).at("sync", layout::CHECKPOINTS)?;
    let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
    for old in &numbers[..numbers.len().saturating_sub(KEPT)] {
        let path = layout::checkpoint_path(*old);
        store.remove_file(&path).map_err(|error| staging.explain(error, "remove", &path))?;
    }
    Ok(bytes.len() as u64)
}

/// The newest checkpoint that is whole and belongs to the log beside it.
///
/// A damaged one is skipped with a warning; an older one may be left, or none. One that a writer replaces meanwhile is looked for again.
pub(in crate::book) fn read_newest(store: &dyn Store) -> Result<Option<State>, BookError> {
    let mut replaced: Option<u64> = None;
    loop {
        let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
        let newest = numbers.last().copied();
        let mut is_replaced = false;
        for number in numbers.into_iter().rev() {
            match read(store, number) {
                Ok(state) => return Ok(Some(state)),
                Err(newer @ BookError::UnknownFormat { .. }) => return Err(newer),
                Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => is_replaced = true,
                Err(error) => warn!(%error, "skipped a checkpoint"),
            }
        }
        // Only a newer one can have replaced them.
        if !is_replaced || newest <= replaced {
            return Ok(None);
        }
        replaced = newest;
    }
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
    match commit_log::read_digest(store, number)? {
        Some(digest) if digest == state.digest => Ok(state),
        // An entry that is not what its name says is an error of the log, and the checkpoint stays.
        Some(_) => commit_log::read_entry(store, number).and(Err(damaged("its newest entry is not the log's"))),
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
