//! The files of rows that are there, compared with those that the log names: a missing file is an error, however it is
//! asked for.
//!
//! A folder is listed and its names are summed up; when the sum is the log's, nothing is missing. Else the log is read from its
//! beginning, to find the file. So a question costs one listing of the days that it is about, as long as the book is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use crate::book::error::At;
use crate::book::layout::{FilePlace, LOG, Table, day_folder, day_of_folder, entry_path};
use crate::book::log::commit_log;
use crate::book::log::day_files::NameSum;
use crate::book::read::columns::{KeyValues, footer};
use crate::book::{BookError, Entry, State};
use crate::change::{CommitNumber, Day};
use crate::store::Store;

/// The files of rows of a book at an entry.
pub(in crate::book) struct Listing<'a> {
    /// Where the book is.
    pub(in crate::book) store: &'a dyn Store,
    /// The log up to the entry.
    pub(in crate::book) state: &'a State,
    /// The entries whose files may still be in staging.
    pub(in crate::book) tail: &'a [Entry],
}

/// By path in the book: the generation in whose staging folder a file may still be.
pub(in crate::book) type StagedBy = BTreeMap<String, Option<String>>;

impl Listing<'_> {
    /// The files of a table on the days that `wanted` accepts, of commits up to the entry; and whether all are there. Those that
    /// no entry names are among them.
    ///
    /// # Errors
    /// [`BookError::Io`] when a folder cannot be listed; [`BookError::Damaged`] when there are files of later commits that the log
    /// does not have. The inner one: [`BookError::Missing`] with the first file that is not there.
    pub(in crate::book) fn files(
        &self,
        table: Table,
        wanted: &dyn Fn(Day) -> bool,
    ) -> Result<(StagedBy, Result<(), BookError>), BookError> {
        let mut files = self.in_place(table, wanted)?;
        for entry in self.tail {
            for path in entry.added.iter().map(|file| &file.path) {
                if FilePlace::parse(path).is_some_and(|place| place.table == table && wanted(place.day)) {
                    files.insert(path.clone(), Some(entry.generation.clone()));
                }
            }
        }
        let missing = match self.differing_days(table, wanted, &files) {
            Some(days) if days.is_empty() => Ok(()),
            days => {
                self.compare_with_log(table, &|day| days.as_ref().is_none_or(|days| days.contains(&day)), &mut files)?
            }
        };
        Ok((files, missing))
    }

    /// The files of a table in their places.
    fn in_place(&self, table: Table, wanted: &dyn Fn(Day) -> bool) -> Result<StagedBy, BookError> {
        let mut files = BTreeMap::new();
        for folder in self.names_in(table.folder())? {
            let Some(day) = day_of_folder(&folder).filter(|day| wanted(*day)) else { continue };
            let folder = day_folder(table, day);
            for name in self.names_in(&folder)? {
                let path = format!("{folder}/{name}");
                match FilePlace::parse(&path) {
                    Some(place) if place.commit <= self.state.commit => drop(files.insert(path, None)),
                    Some(place) => self.expect_later_entry(&path, place.commit)?,
                    None => {}
                }
            }
        }
        Ok(files)
    }

    /// A file of a later commit is placed after its entry is durable: without that entry the log has lost its end.
    fn expect_later_entry(&self, path: &str, commit: CommitNumber) -> Result<(), BookError> {
        let next = entry_path(self.state.entries);
        // A listing too: network file systems remember for a while that a name was absent.
        let is_there = self.store.exists(&next).at("look up", &next)?
            || commit_log::numbers(self.store)?.last().is_some_and(|newest| *newest >= self.state.entries);
        if is_there || !self.is_of_book(path, commit)? {
            return Ok(());
        }
        let ends =
            self.state.newest_entry().map_or("it is empty".to_owned(), |newest| format!("it ends at entry {newest}"));
        Err(BookError::damaged(LOG, format!("it has lost its end: {ends}, but there is {path:?} of a later commit")))
    }

    /// Whether a file was written for a commit of this book, by its metadata; others only have such a name.
    fn is_of_book(&self, path: &str, commit: CommitNumber) -> Result<bool, BookError> {
        let bytes = match self.store.read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            read => read.at("read", path)?,
        };
        let Some(metadata) = footer(bytes.into()) else { return Ok(false) };
        let values = KeyValues(&metadata);
        Ok(values.text("walbook.book").is_ok_and(|book| book == self.state.book)
            && values.number("walbook.commit") == Ok(commit))
    }

    /// The wanted days on which the names differ from the log's; `None` where their sums are unknown.
    fn differing_days(&self, table: Table, wanted: &dyn Fn(Day) -> bool, files: &StagedBy) -> Option<BTreeSet<Day>> {
        let mut sums: BTreeMap<Day, NameSum> = BTreeMap::new();
        for path in files.keys() {
            let day = FilePlace::parse(path).map(|place| place.day)?;
            sums.entry(day).or_default().add(path);
        }
        let known = self.state.files.as_ref()?;
        let days: BTreeSet<Day> = known.keys().chain(sums.keys()).copied().filter(|day| wanted(*day)).collect();
        let logged = |day: &Day| known.get(day).map(|files| files.of(table)).unwrap_or_default();
        Some(days.into_iter().filter(|day| sums.get(day).copied().unwrap_or_default() != logged(day)).collect())
    }

    /// Looks up each file that the log names on some days; adds those that the listing passed over.
    fn compare_with_log(
        &self,
        table: Table,
        wanted: &dyn Fn(Day) -> bool,
        files: &mut StagedBy,
    ) -> Result<Result<(), BookError>, BookError> {
        let mut missing = Ok(());
        for number in 0..self.state.entries {
            let absent = || BookError::damaged(&entry_path(number), "it is missing, but later entries exist");
            let entry = commit_log::read_entry(self.store, number)?.ok_or_else(absent)?.entry;
            for path in entry.added.into_iter().map(|file| file.path) {
                let is_wanted = FilePlace::parse(&path).is_some_and(|place| place.table == table && wanted(place.day));
                if !is_wanted || files.contains_key(&path) {
                    continue;
                }
                if self.store.exists(&path).at("look up", &path)? {
                    files.insert(path, None);
                } else if missing.is_ok() {
                    missing = Err(BookError::Missing { path, entry: number });
                }
            }
        }
        Ok(missing)
    }

    /// The names in a folder; none when it does not exist.
    fn names_in(&self, folder: &str) -> Result<Vec<String>, BookError> {
        match self.store.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.at("list", folder),
        }
    }
}
