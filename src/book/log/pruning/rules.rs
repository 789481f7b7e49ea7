//! The rules of an entry that prunes.

use super::entry::PruneEntry;
use crate::book::State;
use crate::book::log::entry::Entry;

/// Whether the entry may follow the log up to `state`.
///
/// # Errors
/// The rule that it breaks.
pub(in crate::book::log) fn check(state: &State, entry: &Entry) -> Result<(), String> {
    let Some(PruneEntry { before }) = entry.prune else { return Err("it prunes, and has no day".into()) };
    let moves = !entry.topics.is_empty() || !entry.deltas.is_empty() || !entry.views.is_empty();
    if moves || !entry.added.is_empty() || entry.commit != state.commit {
        return Err("it prunes, and does something else".into());
    }
    if entry.generation != state.generation {
        return Err(format!("generation {} prunes, but {} holds the fence", entry.generation, state.generation));
    }
    match &state.pruned {
        Some(pruned) if pruned.before > before => {
            Err(format!("days before {before} are pruned, but those before {} are already", pruned.before))
        }
        _ => Ok(()),
    }
}
