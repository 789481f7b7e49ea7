//! The folded state on disk, so that a start does not read the whole log.
//!
//! A file `_walbook/checkpoint/<newest entry it holds, 20 digits>.json` in the two lines of a log entry:
//! `{"format":1,"state":{…}}` and its digest. It is written when its newest entry is redone; the newest two are kept.

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::store::Store;

use super::error::At;
use super::staging::Staging;
use super::{BookError, State, digested, layout, log};

/// Entries between two checkpoints.
pub(super) const INTERVAL: u64 = 64;

const KEPT: usize = 2;

#[derive(Serialize, Deserialize)]
struct Checkpoint<S> {
    format: u32,
    state: S,
}

/// The bytes of a checkpoint.
pub fn encode(state: &State) -> Vec<u8> {
    digested::write(&Checkpoint { format: digested::FORMAT, state }).0
}

/// Writes the checkpoint of `state`, whose newest entry must be redone, and removes those that it replaces.
pub(super) fn write(staging: &Staging, state: &State) -> Result<(), BookError> {
    let entry = state.newest_entry().expect("only a book with a log is written to");
    assert!(state.redone_to == entry, "a checkpoint says that all its entries are redone");
    let name = format!("checkpoint-{entry:020}.json.inprogress");
    staging.write(&name, &encode(state))?;
    staging.publish(&name, &layout::checkpoint_path(entry))?;
    let store = staging.store();
    store.sync_folder(layout::CHECKPOINTS).at("sync", layout::CHECKPOINTS)?;
    let numbers = log::numbers_in(store, layout::CHECKPOINTS)?;
    for old in &numbers[..numbers.len().saturating_sub(KEPT)] {
        let path = layout::checkpoint_path(*old);
        store.remove_file(&path).map_err(|error| staging.explain(error, "remove", &path))?;
    }
    Ok(())
}

/// The newest checkpoint that can be trusted: whole, and of the log that stands beside it.
///
/// A damaged one is passed over with a warning; what is left may be an older one, or none.
pub(super) fn read_newest(store: &dyn Store) -> Result<Option<State>, BookError> {
    for number in log::numbers_in(store, layout::CHECKPOINTS)?.into_iter().rev() {
        match read(store, number) {
            Ok(state) => return Ok(Some(state)),
            Err(newer @ BookError::UnknownFormat { .. }) => return Err(newer),
            Err(error) => warn!(%error, "passed over a checkpoint"),
        }
    }
    Ok(None)
}

/// The checkpoint of an entry.
pub(super) fn read(store: &dyn Store, number: u64) -> Result<State, BookError> {
    let path = layout::checkpoint_path(number);
    let (Checkpoint { format: _, state }, _): (Checkpoint<State>, _) =
        digested::read(&path, &store.read(&path).at("read", &path)?)?;
    let damaged = |reason: &str| BookError::Damaged { path: path.clone(), reason: reason.to_owned() };
    if state.newest_entry() != Some(number) {
        return Err(damaged("it holds another entry than its name says"));
    }
    match log::read_entry(store, number)? {
        Some(logged) if logged.digest == state.digest => Ok(state),
        Some(_) => Err(damaged("its newest entry is not the log's")),
        None => Err(damaged("the log does not hold its newest entry")),
    }
}
