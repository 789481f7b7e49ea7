//! Evidence outside the log that it has lost its newest entries: by itself such a log looks whole.
//!
//! A run that continued from its end would write rows again. But a checkpoint, a day's folder of counts and the stamp of a
//! counts file are only written after the entry that they name is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use crate::change::Day;
use crate::store::Store;

use super::commit_log;
use crate::book::error::At;
use crate::book::layout::{CHECKPOINTS, LOG, Table, counts_path, day_folder, day_of_folder};
use crate::book::read::counts_rows::{CountsRows, CountsStamp};
use crate::book::{BookError, State};

/// Names of entries and days outside the log. Collected before the log is read, which may grow in between.
pub(in crate::book) struct LogEvidence {
    /// The newest entries of checkpoints, ascending.
    pub(in crate::book) checkpoints: Vec<u64>,
    /// The days that have counts.
    days: BTreeSet<Day>,
    /// By book: the newest entry in the stamp of a counts file, and its day.
    stamps: BTreeMap<String, (u64, Day)>,
}

impl LogEvidence {
    /// Lists checkpoints and days.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub(in crate::book) fn list(store: &dyn Store) -> Result<LogEvidence, BookError> {
        let checkpoints = commit_log::numbers_in(store, CHECKPOINTS)?;
        let folder = Table::Counts.folder();
        let names = match store.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            listed => listed.at("list", folder)?,
        };
        let days = names.iter().filter_map(|name| day_of_folder(name)).collect();
        Ok(LogEvidence { checkpoints, days, stamps: BTreeMap::new() })
    }

    /// Lists checkpoints and days, and reads the stamps of counts files; one that cannot be read is ignored.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub(in crate::book) fn read(store: &dyn Store) -> Result<LogEvidence, BookError> {
        let mut evidence = LogEvidence::list(store)?;
        for day in &evidence.days {
            match CountsRows::open(store, *day) {
                Ok(Some(file)) => {
                    let CountsStamp { book, entry, .. } = file.stamp;
                    let newest = evidence.stamps.entry(book).or_insert((entry, *day));
                    *newest = (*newest).max((entry, *day));
                }
                Ok(None) | Err(BookError::UnreadableCounts { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(evidence)
    }

    /// Refuses a log that lost its end; `state` is the whole log, read after the evidence was collected.
    ///
    /// # Errors
    /// [`BookError::Damaged`] with the evidence.
    pub(in crate::book) fn compare(&self, state: Option<&State>) -> Result<(), BookError> {
        let newest = state.and_then(State::newest_entry);
        let book = state.map_or("", |state| &state.book);
        // Without any entry the directory is no book, even if it has day folders.
        let has_day = |day| state.is_none_or(|state| state.days.contains_key(&day));
        self.lost_end(newest, book, &has_day).map_or(Ok(()), |what| Err(BookError::damaged(LOG, what)))
    }

    /// Evidence that the log, which ends at the entry `newest` of `book`, once had more entries.
    pub(in crate::book) fn lost_end(
        &self,
        newest: Option<u64>,
        book: &str,
        has_day: &dyn Fn(Day) -> bool,
    ) -> Option<String> {
        let ends = newest.map_or("it is empty".to_owned(), |newest| format!("it ends at entry {newest}"));
        let beyond = |entry: u64| newest.is_none_or(|newest| newest < entry);
        let shown = if let Some(held) = self.checkpoints.last().filter(|held| beyond(**held)) {
            format!("a checkpoint holds entry {held}")
        } else if let Some((entry, day)) = self.stamps.get(book).filter(|(entry, _)| beyond(*entry)) {
            format!("{:?} holds entry {entry}", counts_path(*day))
        } else {
            let day = self.days.iter().find(|day| !has_day(**day))?;
            format!("there is {:?}, and no entry has changes of that day", day_folder(Table::Counts, *day))
        };
        Some(format!("it has lost its end: {ends}, but {shown}"))
    }
}
