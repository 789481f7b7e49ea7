//! The rules of an entry that merges files.

use std::collections::BTreeSet;

use super::entry::{CompactionEntry, RemovedRows};
use super::row_sum::RowSum;
use crate::book::State;
use crate::book::layout::{MergedPlace, RowsPlace, Table, fence_of};
use crate::book::log::entry::Entry;
use crate::change::Day;

/// Whether a compaction may follow the log up to `state`.
///
/// # Errors
/// The rule that it breaks.
pub(in crate::book::log) fn check(state: &State, entry: &Entry) -> Result<(), String> {
    let Some(compaction) = &entry.compaction else { return Err("a compaction without its sums".into()) };
    let moves = !entry.topics.is_empty() || !entry.deltas.is_empty() || !entry.views.is_empty();
    holds(!moves && entry.commit == state.commit, || "a compaction moves more than files".into())?;
    holds(entry.generation == state.generation, || {
        format!("generation {} merges files, but {} holds the fence", entry.generation, state.generation)
    })?;
    // Else the start of a run that put its fence meanwhile may have removed the merged files.
    let is_newer = fence_of(&compaction.staged_by) > fence_of(&entry.generation);
    holds(compaction.staged_by == entry.generation || is_newer, || {
        format!("files in the staging folder of {}, which is older than {}", compaction.staged_by, entry.generation)
    })?;
    let of = check_removed(state, entry)?;
    check_added(entry, compaction, of)
}

/// All are files that the book may have, of one table and day.
fn check_removed(state: &State, entry: &Entry) -> Result<(Table, Day), String> {
    let mut of = None;
    let mut paths = BTreeSet::new();
    for path in &entry.removed {
        let place = RowsPlace::parse(path).ok_or_else(|| format!("removes {path:?}"))?;
        holds(!state.is_pruned(&place), || format!("removes {path:?}, which was pruned"))?;
        let is_known = match place {
            RowsPlace::Committed(place) => place.commit <= state.commit,
            RowsPlace::Merged(place) => place.entry < entry.entry,
        };
        holds(is_known && paths.insert(path), || format!("removes {path:?}, which the book does not have"))?;
        let this = (place.table(), place.day());
        holds(*of.get_or_insert(this) == this, || "removes files of several days or tables".into())?;
    }
    let of = of.ok_or("removes no file")?;
    if let Some(files) = &state.files {
        let known = files.get(&of.1).copied().unwrap_or_default().of(of.0);
        holds(known.may_hold(&entry.removed), || {
            format!("removes {} files of a day that has {}, or other ones", entry.removed.len(), known.files)
        })?;
    }
    Ok(of)
}

/// All are of the same table and day, named by the entry, and have the rows of those that are removed.
fn check_added(entry: &Entry, compaction: &CompactionEntry, (table, day): (Table, Day)) -> Result<(), String> {
    let CompactionEntry { staged_by: _, removed, added } = compaction;
    holds(entry.added.len() == added.len(), || format!("{} files, {} sums", entry.added.len(), added.len()))?;
    let (mut rows, mut row_sum) = (0u128, RowSum::default());
    for (index, (file, merged)) in entry.added.iter().zip(added).enumerate() {
        let named = MergedPlace { table, day, entry: entry.entry, index }.path();
        holds(file.path == named, || format!("adds {:?}, not {named:?}", file.path))?;
        holds(file.rows > 0, || format!("adds {:?} without rows", file.path))?;
        let ascend = merged.parts.is_sorted_by(|one, next| one.end < next.end);
        holds(ascend && merged.parts.last().is_some_and(|last| last.end == file.bytes), || {
            format!("the parts of {:?} do not make up {} bytes", file.path, file.bytes)
        })?;
        rows += u128::from(file.rows);
        row_sum.add(merged.row_sum);
    }
    let RemovedRows { bytes: _, rows: removed_rows, row_sum: removed_sum } = *removed;
    holds(rows == u128::from(removed_rows), || format!("adds {rows} rows, removes {removed_rows}"))?;
    holds(row_sum == removed_sum, || format!("adds rows with the sum {row_sum}, removes some with {removed_sum}"))
}

fn holds(rule: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if rule { Ok(()) } else { Err(broken()) }
}
