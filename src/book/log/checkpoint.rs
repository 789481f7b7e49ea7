//! The folded state on disk, so that a start and a question do not read the whole log.
//!
//! A file `_walbook/checkpoint/<newest entry it folds, 20 digits>.json` in the two lines of a log entry:
//! `{"format":1,"state":{…}}` (2 with views, 3 after a compaction, 4 after pruning or where entries are swept) and its digest. It is written when its
//! newest entry is redone; the newest two are kept.

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

/// A checkpoint.
#[derive(Serialize, Deserialize)]
pub(in crate::book) struct Checkpoint<S> {
    format: u32,
    /// The base that the log had when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::book) base: Option<u64>,
    /// The folded log.
    pub(in crate::book) state: S,
}

impl<S> Checkpoint<S> {
    /// Whether it stops versions that know no sweep.
    fn is_of_swept_log(&self) -> bool {
        self.format >= digested::FORMAT_OF_SWEEP
    }
}

/// How far checkpoints allow a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::book) enum SweepLimit {
    /// Not at all: there are fewer than two.
    Nothing,
    /// Not at all: a version that knows no sweep would go on from them.
    OldFormat,
    /// All entries below this one.
    Below(u64),
}

/// The bytes of a checkpoint of a log that has all of its entries.
pub fn encode(state: &State) -> Vec<u8> {
    let format = match state {
        State { pruned: Some(_), .. } => digested::FORMAT_OF_PRUNING,
        State { compactions: Some(_), .. } => digested::FORMAT_OF_COMPACTION,
        State { views, .. } if !views.is_empty() => digested::FORMAT_OF_VIEWS,
        _ => digested::FORMAT,
    };
    digested::write(&Checkpoint { format, base: None, state }).0
}

/// The bytes of one of a log whose oldest entries may be swept.
fn encode_swept(state: &State, base: Option<u64>) -> Vec<u8> {
    digested::write(&Checkpoint { format: digested::FORMAT_OF_SWEEP, base, state }).0
}

/// Writes the checkpoint of `state`, whose newest entry must be redone, and removes those that it replaces; returns how many bytes it has.
/// Where the log may be swept, versions that know no sweep stop at it.
pub(in crate::book) fn write(staging: &Staging, state: &State, may_be_swept: bool) -> Result<u64, BookError> {
    let entry = state.newest_entry().expect("only a book with a log is written to");
    assert!(state.redone_to == entry, "all entries of a checkpoint are redone");
    let name = format!("checkpoint-{entry:020}.json.inprogress");
    let store = staging.store();
    // Versions that know no pruning know no sweep either: nothing else stops one now.
    let bytes = match may_be_swept || state.pruned.is_some() {
        true => {
            let base = commit_log::swept_to(store)?;
            if base.is_some() {
                // The run that put it may have been killed before it did so: a checkpoint must not outlive the base that it names.
                store.sync_folder(layout::BASES).at("sync", layout::BASES)?;
            }
            encode_swept(state, base)
        }
        false => encode(state),
    };
    staging.write(&name, &bytes)?;
    staging.publish(&name, &layout::checkpoint_path(entry))?;
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
pub(in crate::book) fn read_newest(store: &dyn Store) -> Result<Option<Checkpoint<State>>, BookError> {
    let mut replaced: Option<u64> = None;
    loop {
        let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
        let newest = numbers.last().copied();
        let mut is_replaced = false;
        for number in numbers.into_iter().rev() {
            match read(store, number) {
                Ok(held) => return Ok(Some(held)),
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

/// The entries of all checkpoints that are not as they were written; and whether one of the others stops versions that know no sweep.
///
/// # Errors
/// [`BookError::Io`] when they cannot be listed.
pub(in crate::book) fn examine(store: &dyn Store) -> Result<(Vec<u64>, bool), BookError> {
    let (mut damaged, mut may_be_swept) = (Vec::new(), false);
    for number in commit_log::numbers_in(store, layout::CHECKPOINTS)? {
        match read(store, number) {
            Ok(held) => may_be_swept |= held.is_of_swept_log(),
            Err(BookError::DamagedCheckpoint { .. }) => damaged.push(number),
            Err(_) => {}
        }
    }
    Ok((damaged, may_be_swept))
}

/// How far the checkpoints that there are allow a sweep: the newest two stay as they are, with all entries from the older one on.
///
/// # Errors
/// [`BookError::Io`].
pub(in crate::book) fn sweep_limit(store: &dyn Store) -> Result<SweepLimit, BookError> {
    let numbers = commit_log::numbers_in(store, layout::CHECKPOINTS)?;
    let [.., older, newest] = numbers[..] else { return Ok(SweepLimit::Nothing) };
    for number in [older, newest] {
        match read(store, number) {
            Ok(held) if held.is_of_swept_log() => {}
            Ok(_) => return Ok(SweepLimit::OldFormat),
            // The next start removes one that is damaged.
            Err(BookError::DamagedCheckpoint { .. }) => return Ok(SweepLimit::Nothing),
            // The committer has replaced it meanwhile.
            Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(SweepLimit::Nothing);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(SweepLimit::Below(older))
}

/// Removes damaged checkpoints; the caller writes another one.
pub(in crate::book) fn remove(staging: &Staging, damaged: &[u64]) -> Result<(), BookError> {
    for path in damaged.iter().map(|number| layout::checkpoint_path(*number)) {
        staging.store().remove_file(&path).at("remove", &path)?;
        info!(path, "removed a damaged checkpoint: the log has all that it held");
    }
    Ok(())
}

/// Removes all checkpoints but that of `newest`.
pub(in crate::book) fn remove_all_but(staging: &Staging, newest: Option<u64>) -> Result<(), BookError> {
    let numbers = commit_log::numbers_in(staging.store(), layout::CHECKPOINTS)?;
    let others = numbers.into_iter().filter(|number| Some(*number) != newest).map(layout::checkpoint_path);
    others.into_iter().try_for_each(|path| staging.store().remove_file(&path).at("remove", &path))
}

/// Reads the checkpoint of an entry.
pub(in crate::book) fn read(store: &dyn Store, number: u64) -> Result<Checkpoint<State>, BookError> {
    let path = layout::checkpoint_path(number);
    let damaged = |reason: &str| BookError::DamagedCheckpoint { path: path.clone(), reason: reason.to_owned() };
    let bytes = store.read(&path).at("read", &path)?;
    let held: Result<(Checkpoint<State>, _), BookError> = digested::read(&path, &bytes);
    let (held, _) = held.map_err(|error| match error {
        BookError::Damaged { reason, .. } => damaged(&reason),
        error => error,
    })?;
    if held.state.newest_entry() != Some(number) {
        return Err(damaged("it holds another entry than its name"));
    }
    match commit_log::read_digest(store, number)? {
        Some(digest) if digest == held.state.digest => Ok(held),
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
