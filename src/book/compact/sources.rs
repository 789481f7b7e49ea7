//! Which files of a day are worth merging.

use crate::book::BookError;
use crate::book::error::At;
use crate::book::log::commit_log;
use crate::book::log::entry::{AddedFile, Entry};
use crate::book::log::named_files::NamedFiles;
use crate::book::read::listing::Listing;
use crate::book::write::staging::gone_is_fine;
use crate::book::{State, layout};
use crate::change::{CommitNumber, Day};
use crate::store::Store;
use crate::store::layout::{FilePlace, RowsPlace, Table};

/// How large merged files become.
pub const TARGET_BYTES: u64 = 256 << 20;
/// So many files of commits make a day that still grows worth merging: some hours of a run with one worker, an hour of one with four.
const MANY_COMMITTED: usize = 720;
/// So many files that were merged while the day grew are merged again.
const MANY_MERGED: usize = 8;
/// A day that was merged is merged again when so many files came late, or a part as large as this of what was merged.
const MANY_LATE: usize = 8;
const LATE_SHARE: u64 = 4;

/// Which files of a day may be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayPhase {
    /// All: nothing comes any more.
    Closed,
    /// Those of commits up to this one, if they are very many: the day still grows.
    Open(CommitNumber),
}

/// A file of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: AddedFile,
    pub(super) place: RowsPlace,
    /// Where in staging it may still be.
    pub(super) staged: Option<String>,
}

/// All files of a day, in the order in which the book got them.
///
/// # Errors
/// [`BookError::Missing`] when the log names one that is not there; [`BookError::Damaged`]; [`BookError::Io`].
pub(super) fn of_day(
    store: &dyn Store,
    state: &State,
    tail: &[Entry],
    table: Table,
    day: Day,
) -> Result<Vec<Source>, BookError> {
    let (paths, missing) = Listing { store, state, tail }.files(table, &|other| other == day)?;
    missing?;
    let mut named = NamedFiles::new(state.newest_entry().unwrap_or(0), state.commit);
    let mut sources = Vec::new();
    for (path, staged) in paths {
        // A file that no entry names is not part of the book.
        if let (Some(file), Some(place)) = (named.find(store, &path)?, RowsPlace::parse(&path)) {
            sources.push(Source { file, place, staged });
        }
    }
    sources.sort_by_key(|source| match source.place {
        RowsPlace::Merged(place) => (false, place.entry, 0, place.index),
        RowsPlace::Committed(place) => (true, place.commit, place.worker, place.index),
    });
    Ok(sources)
}

/// The files among `sources` that are worth merging into ones of `target` bytes; none, or at least two.
pub(super) fn worth_merging(sources: Vec<Source>, phase: DayPhase, target: u64) -> Vec<Source> {
    let mut small: Vec<Source> = sources.into_iter().filter(|source| source.file.bytes < target / 2).collect();
    if let DayPhase::Open(old) = phase {
        small.retain(|source| match source.place {
            RowsPlace::Committed(place) => place.commit <= old,
            RowsPlace::Merged(_) => true,
        });
        let is_merged = |source: &Source| matches!(source.place, RowsPlace::Merged(_));
        let merged = small.iter().filter(|source| is_merged(source)).count();
        if small.len() - merged < MANY_COMMITTED {
            return Vec::new();
        }
        if merged < MANY_MERGED {
            small.retain(|source| !is_merged(source));
        }
    }
    if small.len() < 2 || is_too_little(&small) { Vec::new() } else { small }
}

/// Whether most of what would be written was merged before: a few late changes to an old day must not write all of it again each time.
fn is_too_little(sources: &[Source]) -> bool {
    let (merged, committed): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|source| matches!(source.place, RowsPlace::Merged(_)));
    let bytes = |sources: &[&Source]| sources.iter().map(|source| source.file.bytes).fold(0, u64::saturating_add);
    !merged.is_empty()
        && committed.len() < MANY_LATE
        && bytes(&committed) < bytes(&merged).div_ceil(LATE_SHARE)
        && merged.len() < MANY_LATE
}

/// The days whose files of a table are several, so that they may be worth merging; all days with files where the log does not say.
pub fn days_with_several_files(state: &State, table: Table) -> Vec<Day> {
    match &state.files {
        Some(files) => files.iter().filter(|(_, files)| files.of(table).files > 1).map(|(day, _)| *day).collect(),
        None => state.days.keys().copied().collect(),
    }
}

/// When the newest commit with files of a day was written, by its writer's clock; `None` for a day without such files in place.
///
/// # Errors
/// [`BookError::Damaged`] when the log has a gap; [`BookError::Io`].
pub(super) fn newest_written_at(
    store: &dyn Store,
    state: &State,
    table: Table,
    day: Day,
) -> Result<Option<i64>, BookError> {
    let folder = layout::day_folder(table, day);
    let names = gone_is_fine(store.list(&folder)).at("list", &folder)?;
    let newest = names.iter().filter_map(|name| FilePlace::parse(&format!("{folder}/{name}")));
    let newest = newest.filter(|place| place.commit <= state.commit).max_by_key(|place| place.commit);
    let Some(newest) = newest else { return Ok(None) };
    let mut named = NamedFiles::new(state.newest_entry().unwrap_or(0), state.commit);
    let Some(number) = named.entry_of(store, &newest.path())? else { return Ok(None) };
    Ok(commit_log::read_entry(store, number)?.map(|logged| logged.entry.written_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::MergedPlace;

    fn sources(committed: usize, merged: usize, bytes: u64) -> Vec<Source> {
        let (table, day) = (Table::Events, Day::EPOCH);
        let source = |place: RowsPlace, path: String| Source {
            file: AddedFile { path, bytes, rows: 1, xxh3: String::new() },
            place,
            staged: None,
        };
        let mut sources = Vec::new();
        for entry in 0..merged as u64 {
            let place = MergedPlace { table, day, entry, index: 0 };
            sources.push(source(RowsPlace::Merged(place), place.path()));
        }
        for commit in 1..=committed as u64 {
            let place = FilePlace { table, day, commit, worker: 0, index: 0 };
            sources.push(source(RowsPlace::Committed(place), place.path()));
        }
        sources
    }

    #[test]
    fn small_files_of_a_closed_day_are_merged_if_there_are_two() {
        let worth = |sources| worth_merging(sources, DayPhase::Closed, 100).len();
        assert_eq!(worth(sources(3, 1, 49)), 4);
        assert_eq!(worth(sources(3, 1, 50)), 0, "files of half the target stay");
        assert_eq!(worth(sources(1, 0, 1)), 0, "a day with one file stays");
        assert_eq!(worth(sources(0, 8, 1)), 8);
        assert_eq!(worth(sources(0, 2, 1)), 0, "what was merged is not merged again for itself");
    }

    #[test]
    fn a_day_that_grows_is_merged_when_it_has_many_old_files() {
        let worth = |committed, merged, old| {
            let worth = worth_merging(sources(committed, merged, 1), DayPhase::Open(old), 100);
            (worth.iter().filter(|source| matches!(source.place, RowsPlace::Merged(_))).count(), worth.len())
        };
        assert_eq!(worth(MANY_COMMITTED + 5, 0, MANY_COMMITTED as u64), (0, MANY_COMMITTED), "only the old ones");
        assert_eq!(worth(MANY_COMMITTED + 5, 0, MANY_COMMITTED as u64 - 1), (0, 0), "too few old ones");
        assert_eq!(worth(MANY_COMMITTED, MANY_MERGED - 1, u64::MAX), (0, MANY_COMMITTED));
        assert_eq!(worth(MANY_COMMITTED, MANY_MERGED, u64::MAX), (MANY_MERGED, MANY_COMMITTED + MANY_MERGED));
    }
}
