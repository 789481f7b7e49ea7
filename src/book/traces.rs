//! What a book shows of its log without the log: a log that lost its newest entries looks whole by itself.
//!
//! To go on from where such a log ends would write rows that are there already. But a checkpoint, a day's folder of counts
//! and the stamp of a counts file are only made after the entry that they tell of is safe in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use crate::change::Day;
use crate::store::Store;

use super::counts_rows::CountsRows;
use super::error::At;
use super::layout::{CHECKPOINTS, LOG, Table, counts_path, day_folder, day_of_folder};
use super::{BookError, State, log};

/// What tells of entries. Looked at before the log is read, which may grow in between.
pub(super) struct Traces {
    /// The entries that checkpoints hold, ascending.
    pub(super) checkpoints: Vec<u64>,
    /// The days that have counts.
    days: BTreeSet<Day>,
    /// By book: the newest entry that a counts file stands at, and its day.
    stamps: BTreeMap<String, (u64, Day)>,
}

impl Traces {
    /// Lists checkpoints and days.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub(super) fn list(store: &dyn Store) -> Result<Traces, BookError> {
        let checkpoints = log::numbers_in(store, CHECKPOINTS)?;
        let folder = Table::Counts.folder();
        let names = match store.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            listed => listed.at("list", folder)?,
        };
        let days = names.iter().filter_map(|name| day_of_folder(name)).collect();
        Ok(Traces { checkpoints, days, stamps: BTreeMap::new() })
    }

    /// Lists checkpoints and days, and reads where each counts file stands; one that cannot be read tells nothing.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub(super) fn read(store: &dyn Store) -> Result<Traces, BookError> {
        let mut traces = Traces::list(store)?;
        for day in &traces.days {
            match CountsRows::open(store, *day) {
                Ok(Some(file)) => {
                    let newest = traces.stamps.entry(file.book).or_insert((file.entry, *day));
                    *newest = (*newest).max((file.entry, *day));
                }
                Ok(None) | Err(BookError::UnreadableCounts { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(traces)
    }

    /// Refuses a log that lost its end; `state` is the whole log, read after the traces.
    ///
    /// # Errors
    /// [`BookError::Damaged`] tells what shows it.
    pub(super) fn compare(&self, state: Option<&State>) -> Result<(), BookError> {
        let newest = state.and_then(State::newest_entry);
        let book = state.map_or("", |state| &state.book);
        // Without any entry the directory is no book, whatever folders it has.
        let has_day = |day| state.is_none_or(|state| state.days.contains_key(&day));
        self.lost_end(newest, book, &has_day).map_or(Ok(()), |what| Err(BookError::damaged(LOG, what)))
    }

    /// What shows that the log, which ends at the entry `newest` of `book` and has some days, once went on.
    pub(super) fn lost_end(&self, newest: Option<u64>, book: &str, has_day: &dyn Fn(Day) -> bool) -> Option<String> {
        let ends = newest.map_or("it is empty".to_owned(), |newest| format!("it ends at entry {newest}"));
        let beyond = |entry: u64| newest.is_none_or(|newest| newest < entry);
        let shown = if let Some(held) = self.checkpoints.last().filter(|held| beyond(**held)) {
            format!("a checkpoint holds entry {held}")
        } else if let Some((entry, day)) = self.stamps.get(book).filter(|(entry, _)| beyond(*entry)) {
            format!("{:?} stands at entry {entry}", counts_path(*day))
        } else {
            let day = self.days.iter().find(|day| !has_day(**day))?;
            format!("there is {:?}, and no entry has changes of that day", day_folder(Table::Counts, *day))
        };
        Some(format!("it has lost its end: {ends}, but {shown}"))
    }
}
