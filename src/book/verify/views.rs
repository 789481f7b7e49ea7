//! Whether each view has the rows that the events have, and a state from which they follow.

use std::collections::BTreeSet;
use std::thread;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};

use super::report::{Check, Problems};
use crate::book::log::pruning::is_old;
use crate::book::read::snapshot::Snapshot;
use crate::book::read::view_files;
use crate::book::write::views::build_views::build_views;
use crate::book::{BookError, State};
use crate::change::{Accumulators, Day, GroupKey, GroupLimit, with_causes};
use crate::store::BookStore;
use crate::views::{View, ViewContents};

/// How often the comparison begins again because a run has replaced files meanwhile.
const ATTEMPTS: usize = 5;

/// Computes each view that is built from all events, and compares every row; `None` for a book without such views.
pub(super) fn verify_views(store: &BookStore) -> Option<Check> {
    let mut attempt = 0;
    loop {
        let snapshot = Snapshot::take(store).ok()?;
        let state = snapshot.state();
        if !state.views.values().any(|view| view.is_current) {
            return None;
        }
        let (mut problems, mut seen) = (Problems::default(), String::new());
        let newest = state.newest_entry().unwrap_or(0);
        match compare(store, &snapshot, &mut |what| problems.add(newest, what)) {
            Ok(compared) => seen = compared,
            Err(error) => problems.add(newest, with_causes(&error)),
        }
        attempt += 1;
        let is_newer = || Snapshot::take(store).is_ok_and(|later| later.state().entries > state.entries);
        if problems.is_empty() || attempt == ATTEMPTS || !is_newer() {
            return Some(problems.check("views", seen));
        }
    }
}

/// Compares all views; returns what was compared.
fn compare(store: &BookStore, snapshot: &Snapshot, wrong: &mut dyn FnMut(String)) -> Result<String, BookError> {
    let (state, shared) = (snapshot.state(), store.shared());
    let views = current_views(state)?;
    let views: Vec<&View> = views.iter().collect();
    // First what a run may replace at any moment.
    let mut found = Vec::new();
    for view in &views {
        let known = &state.views[view.name()];
        found.push((view_files::read_rows(store, view, known, &|_| true)?, view_files::read_all(store, state, view)?));
    }
    let unlimited = GroupLimit::new(u64::MAX, views.iter().map(|view| view.name().to_owned()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let built = build_views(&shared, state, snapshot.tail(), &views, threads, &unlimited)?;
    let (mut groups, not_built) = (0, state.views.len() - views.len());
    // Of days whose events were pruned there is nothing to compare with.
    let is_compared =
        |day: &Option<Day>| state.pruned.is_none_or(|pruned| day.is_some_and(|day| !is_old(day, pruned.before)));
    for ((view, contents), (mut rows, from_state)) in views.into_iter().zip(built).zip(found) {
        let name = view.name();
        let by_day = |contents: ViewContents| contents.by_day(view).map_err(|reason| BookError::damaged(name, reason));
        let (mut expected, mut from_state) = (by_day(contents)?, by_day(from_state)?);
        let days: BTreeSet<Option<Day>> =
            expected.keys().chain(rows.keys()).chain(from_state.keys()).copied().collect();
        for day in days.into_iter().filter(is_compared) {
            groups += expected.get(&day).map_or(0, |part| part.groups.len());
            let part = Part {
                rows: rows.remove(&day).unwrap_or_default(),
                from_state: from_state.remove(&day).unwrap_or_default(),
                expected: expected.remove(&day).unwrap_or_default(),
            };
            if let Some(what) = part.difference(view).map_err(|reason| BookError::damaged(name, reason))? {
                wrong(format!("{}: {what}", printed_part(name, day)));
            }
        }
    }
    let gone = state.pruned.map_or(String::new(), |pruned| {
        format!(
            "; not compared: days before {}, whose events were pruned, and views that are not by day",
            pruned.before
        )
    });
    let rest = if not_built == 0 { String::new() } else { format!("; {not_built} are not built yet") };
    Ok(format!("{groups} groups of {} views, each as the events have it{rest}{gone}", state.views.len() - not_built))
}

fn current_views(state: &State) -> Result<Vec<View>, BookError> {
    let current = state.views.iter().filter(|(_, known)| known.is_current);
    (0..)
        .zip(current)
        .map(|(number, (name, known))| view_files::parse_view(state, number, name, &known.declared))
        .collect()
}

/// One day of a view, or all of it.
struct Part {
    rows: Vec<RecordBatch>,
    from_state: ViewContents,
    expected: ViewContents,
}

impl Part {
    /// How the files differ from the events.
    fn difference(&self, view: &View) -> Result<Option<String>, String> {
        let expected: Vec<(&GroupKey, &Accumulators)> = self.expected.groups.iter().collect();
        let from_state: Vec<(&GroupKey, &Accumulators)> = self.from_state.groups.iter().collect();
        let rows = self.rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        if rows != expected.len() {
            return Ok(Some(format!("it has {rows} rows, by the events {}", expected.len())));
        }
        let mut first = 0;
        for rows in &self.rows {
            let by_events = view.rows_of(&expected[first..first + rows.num_rows()])?;
            if let Some(what) = difference(first, rows, &by_events) {
                return Ok(Some(what));
            }
            first += rows.num_rows();
        }
        if from_state.len() != expected.len() {
            let what = format!("in its state it has {} rows, by the events {}", from_state.len(), expected.len());
            return Ok(Some(what));
        }
        let mut first = 0;
        for by_events in view.row_batches(&expected) {
            let by_events = by_events?;
            let rows = view.rows_of(&from_state[first..first + by_events.num_rows()])?;
            if let Some(what) = difference(first, &rows, &by_events) {
                return Ok(Some(format!("in its state {what}")));
            }
            first += rows.num_rows();
        }
        Ok((self.from_state.values != self.expected.values).then(|| "its distinct values are others".to_owned()))
    }
}

/// The first difference of two batches of one length; `first` is the number of their first row.
fn difference(first: usize, rows: &RecordBatch, expected: &RecordBatch) -> Option<String> {
    if rows == expected {
        return None;
    }
    let row = (0..rows.num_rows()).find(|row| rows.slice(*row, 1) != expected.slice(*row, 1))?;
    let (number, by_events) = (first + row, printed(expected, row));
    Some(format!("row {number} is {}, by the events {by_events}", printed(rows, row)))
}

fn printed(rows: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let value = |column| match ArrayFormatter::try_new(column, &options) {
        Ok(formatter) => formatter.value(row).try_to_string().unwrap_or_else(|_| "…".to_owned()),
        Err(_) => "…".to_owned(),
    };
    let values: Vec<String> = rows.columns().iter().map(|column| value(column.as_ref())).collect();
    format!("({})", values.join(", "))
}

fn printed_part(name: &str, day: Option<Day>) -> String {
    day.map_or_else(|| name.to_owned(), |day| format!("{name} of {day}"))
}
