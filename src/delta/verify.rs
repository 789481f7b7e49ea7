//! Whether each table has the files of the book at the entry that its newest version covers.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::error::{At, DeltaError};
use super::event_files::EventFiles;
use super::log::TableLog;
use crate::book::{Check, State, state_at};
use crate::change::with_causes;
use crate::store::Store;
use crate::store::layout::{DELTA_FILES, Table, VIEWS, ViewFileKind, ViewPlace, view_folder};

/// The number of problems that are listed.
const LISTED: usize = 20;

/// How far a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Its folder.
    pub folder: String,
    /// Its newest version.
    pub version: u64,
    /// The entry of the log that it covers.
    pub covers: u64,
}

/// The tables that a book has, as they are at their newest versions.
///
/// # Errors
/// [`DeltaError`] for the first one that cannot be read.
pub fn status(store: &dyn Store, state: &State) -> Result<Vec<TableStatus>, DeltaError> {
    let mut all = Vec::new();
    for folder in folders(state) {
        let table = TableLog::read(store, &folder, &state.book)?;
        if let (Some(version), Some(covers)) = (table.version, table.covers) {
            all.push(TableStatus { folder, version, covers });
        }
    }
    Ok(all)
}

/// Compares the newest version of each table with the book; `None` for a book without Delta tables.
pub fn verify(book: &dyn Store, state: &State) -> Option<Check> {
    let (mut problems, mut seen) = (Vec::new(), Vec::new());
    for folder in folders(state) {
        match compare(book, state, &folder, &mut |what| problems.push(format!("{folder}: {what}"))) {
            Ok(Some(compared)) => seen.push(format!("{folder} {compared}")),
            Ok(None) => {}
            Err(error) => problems.push(format!("{folder}: {}", with_causes(&error))),
        }
    }
    if problems.is_empty() && seen.is_empty() {
        return None;
    }
    let problem_count = problems.len() as u64;
    problems.truncate(LISTED);
    Some(Check { name: "delta", ok: problem_count == 0, seen: seen.join("; "), problem_count, problems })
}

fn folders(state: &State) -> Vec<String> {
    let tables = [Table::Events, Table::Counts].map(|table| table.folder().to_owned());
    tables.into_iter().chain(state.views.keys().map(|name| view_folder(VIEWS, name))).collect()
}

/// A file as it must be: bytes and rows, where the log of the book says them.
type Expected = BTreeMap<String, Option<(u64, u64)>>;

/// Compares one table; returns what was compared, or `None` where there is no table.
fn compare(
    book: &dyn Store,
    newest: &State,
    folder: &str,
    wrong: &mut dyn FnMut(String),
) -> Result<Option<String>, DeltaError> {
    let table = TableLog::read(book, folder, &newest.book)?;
    let (Some(version), Some(covers)) = (table.version, table.covers) else { return Ok(None) };
    let at = format!("version {version} at entry {covers}");
    if covers >= newest.entries {
        wrong(format!("{at}, but the log ends at entry {}", newest.entries.saturating_sub(1)));
        return Ok(Some(at));
    }
    let Some(state) = state_at(book, covers)? else {
        return Ok(Some(format!("{at}, which was swept: its list of files cannot be compared")));
    };
    let expected = match folder {
        "events" => expected_events(book, &state)?,
        "counts" => expected_counts(&state),
        view => expected_view(&state, view),
    };
    let Some(expected) = expected else { return Ok(Some(format!("{at}, which has no such view"))) };
    for (path, size) in &expected {
        match (table.files.get(path), size) {
            (None, _) => wrong(format!("{at} lacks {path}")),
            (Some(add), Some((bytes, rows))) => {
                let held = (u64::try_from(add.size).ok(), add.rows());
                if held != (Some(*bytes), Some(*rows)) {
                    wrong(format!("{at} says {held:?} bytes and rows of {path}, the log {bytes} and {rows}"));
                }
            }
            (Some(_), None) => {}
        }
    }
    for (path, add) in &table.files {
        if !expected.contains_key(path) {
            wrong(format!("{at} has {path}, which is not part of the book there"));
        }
        let path = format!("{folder}/{path}");
        match book.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => wrong(format!("{at}: {path} is missing")),
            opened => {
                let bytes = opened.at("open", &path)?.size();
                if i64::try_from(bytes) != Ok(add.size) {
                    wrong(format!("{at}: {path} has {bytes} bytes, not {}", add.size));
                }
            }
        }
    }
    Ok(Some(format!("{at} with {} files", table.files.len())))
}

fn expected_events(book: &dyn Store, state: &State) -> Result<Option<Expected>, DeltaError> {
    let mut events = EventFiles::default();
    events.follow(book, state)?;
    let named = |path: &str| {
        let name = path.strip_prefix("events/").unwrap_or(path);
        if book.objects().is_none() { format!("{DELTA_FILES}/{name}") } else { name.to_owned() }
    };
    Ok(Some(events.files.iter().map(|(path, size)| (named(path), Some((size.bytes, size.rows)))).collect()))
}

fn expected_counts(state: &State) -> Option<Expected> {
    let named = |(day, known): (&_, &crate::book::DayState)| counts_name(*day, known.entry);
    Some(state.days.iter().map(|day| (named(day), None)).collect())
}

fn expected_view(state: &State, folder: &str) -> Option<Expected> {
    let view = state.views.get(folder.rsplit('/').next()?)?;
    let mut expected = Expected::new();
    for (path, file) in &view.files {
        if let Some(place) = ViewPlace::parse(path).filter(|place| place.kind == ViewFileKind::Rows) {
            expected.insert(view_name(&place, &file.xxh3), Some((file.bytes, file.rows)));
        }
    }
    Some(expected)
}

/// The name of a day's counts below the folder of the table: what an entry has added last is there.
pub(super) fn counts_name(day: crate::change::Day, entry: u64) -> String {
    format!("{DELTA_FILES}/day={day}/e{entry:020}.parquet")
}

/// The name of a file of a view below its folder.
pub(super) fn view_name(place: &ViewPlace, xxh3: &str) -> String {
    let below = place.day.map_or_else(String::new, |day| format!("day={day}/"));
    format!("{DELTA_FILES}/{below}{xxh3}.parquet")
}
