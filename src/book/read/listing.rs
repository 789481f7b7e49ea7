//! The files of rows that are there, compared with those that the log names: a missing file is an error, however it is
//! asked for.
//!
//! A folder is listed and its names are summed up; when the sum is the log's, nothing is missing. Else the log is read from its
//! beginning, to find the file. So a question costs one listing of the days that it is about, as long as the book is whole.
//!
//! A day may be merged or pruned after the entry: then what is gone from its folder is among the replaced files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use crate::book::concurrently::concurrently;
use crate::book::error::At;
use crate::book::layout::{LOG, REPLACED, RowsPlace, Table, day_folder, day_of_folder, entry_path};
use crate::book::log::days::day_files::NameSum;
use crate::book::log::{base, commit_log, folding};
use crate::book::missing_file::missing_file;
use crate::book::read::columns::{KeyValues, footer};
use crate::book::read::row_file::replaced_folders;
use crate::book::{BookError, Entry, State};
use crate::change::Day;
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

/// By path in the book: where in staging a file may still be.
pub(in crate::book) type StagedFiles = BTreeMap<String, Option<String>>;

/// How often a day is listed that is being merged, until its replaced files are where readers find them, and the pause in between.
const ATTEMPTS: usize = 50;
/// The same of a day of which nothing shows that it is merged: it may be pruned just now, if no file is missing.
const LEAST_ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(10);

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
    ) -> Result<(StagedFiles, Result<(), BookError>), BookError> {
        let (mut files, mut differing) = (StagedFiles::new(), None);
        for attempt in 1..=ATTEMPTS {
            let (in_place, merged_later) = self.in_place(table, wanted)?;
            files = in_place;
            self.apply_tail(table, wanted, &mut files);
            differing = self.differing_days(table, wanted, &files);
            // Where it is not known which days differ, those that were merged later do.
            if self.add_all_replaced(table, differing.as_ref().unwrap_or(&merged_later), &mut files)? {
                self.apply_tail(table, wanted, &mut files);
                differing = self.differing_days(table, wanted, &files);
            }
            let is_whole = differing.as_ref().is_some_and(BTreeSet::is_empty);
            if is_whole || (merged_later.is_empty() && attempt >= LEAST_ATTEMPTS) || attempt == ATTEMPTS {
                break;
            }
            thread::sleep(PAUSE);
        }
        let missing = match differing {
            Some(days) if days.is_empty() => Ok(()),
            days => {
                self.compare_with_log(table, &|day| days.as_ref().is_none_or(|days| days.contains(&day)), &mut files)?
            }
        };
        Ok((files, missing))
    }

    /// Adds and removes the files of the entries that may not be redone.
    fn apply_tail(&self, table: Table, wanted: &dyn Fn(Day) -> bool, files: &mut StagedFiles) {
        for entry in self.tail {
            for path in &entry.removed {
                files.remove(path);
            }
            for file in &entry.added {
                if self.is_wanted(&file.path, table, wanted) {
                    files.insert(file.path.clone(), Some(entry.staged_path(file)));
                }
            }
        }
    }

    /// The files of a table in their places; and the days of which a later compaction has replaced others.
    fn in_place(&self, table: Table, wanted: &dyn Fn(Day) -> bool) -> Result<(StagedFiles, BTreeSet<Day>), BookError> {
        let mut files = BTreeMap::new();
        let mut merged_later = BTreeSet::new();
        let days = self.names_in(table.folder())?;
        let days: Vec<Day> = days.iter().filter_map(|name| day_of_folder(name)).filter(|day| wanted(*day)).collect();
        let listed = concurrently(self.store, &days, |day| self.names_in(&day_folder(table, *day)))?;
        for (day, names) in days.into_iter().zip(listed) {
            let folder = day_folder(table, day);
            for name in names {
                let path = format!("{folder}/{name}");
                let Some(place) = RowsPlace::parse(&path) else { continue };
                if self.state.is_pruned(&place) {
                    // The run has not moved it away yet.
                } else if self.holds(&place) {
                    files.insert(path, None);
                } else {
                    self.expect_later_entry(&path, &place)?;
                    merged_later.extend(matches!(place, RowsPlace::Merged(_)).then_some(day));
                }
            }
        }
        Ok((files, merged_later))
    }

    /// Adds the files of some days that later entries have removed from the book; returns whether there are any.
    fn add_all_replaced(&self, table: Table, days: &BTreeSet<Day>, files: &mut StagedFiles) -> Result<bool, BookError> {
        let before = files.len();
        days.iter().try_for_each(|day| self.add_replaced(table, *day, files))?;
        Ok(files.len() > before)
    }

    fn add_replaced(&self, table: Table, day: Day, files: &mut StagedFiles) -> Result<(), BookError> {
        let folders = replaced_folders(self.store, table, day).at("list", REPLACED)?;
        for (_, replaced) in folders.into_iter().filter(|(entry, _)| *entry >= self.state.entries) {
            for name in self.names_in(&replaced)? {
                let path = format!("{}/{name}", day_folder(table, day));
                if RowsPlace::parse(&path).is_some_and(|place| self.holds(&place)) {
                    files.entry(path).or_insert(None);
                }
            }
        }
        Ok(())
    }

    /// Whether a file may be of an entry up to this one, by its name.
    fn holds(&self, place: &RowsPlace) -> bool {
        !self.state.is_pruned(place)
            && match place {
                RowsPlace::Committed(place) => place.commit <= self.state.commit,
                RowsPlace::Merged(place) => place.entry < self.state.entries,
            }
    }

    /// A file of a later commit is placed after its entry is durable: without that entry the log has lost its end.
    fn expect_later_entry(&self, path: &str, place: &RowsPlace) -> Result<(), BookError> {
        let next = entry_path(self.state.entries);
        // A listing too: network file systems remember for a while that a name was absent.
        let is_there = self.store.exists(&next).at("look up", &next)?
            || commit_log::numbers(self.store)?.last().is_some_and(|newest| *newest >= self.state.entries);
        if is_there || !self.is_of_book(path, place)? {
            return Ok(());
        }
        let ends =
            self.state.newest_entry().map_or("it is empty".to_owned(), |newest| format!("it ends at entry {newest}"));
        Err(BookError::damaged(LOG, format!("it has lost its end: {ends}, but there is {path:?} of a later entry")))
    }

    /// Whether a file was written for this book, and for the commit in its name, by its metadata; others only have such a name.
    fn is_of_book(&self, path: &str, place: &RowsPlace) -> Result<bool, BookError> {
        let bytes = match self.store.read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            read => read.at("read", path)?,
        };
        let Some(metadata) = footer(bytes.into()) else { return Ok(false) };
        let values = KeyValues(&metadata);
        let is_of_commit = match place {
            RowsPlace::Committed(place) => values.number("walbook.commit") == Ok(place.commit),
            RowsPlace::Merged(_) => true,
        };
        Ok(is_of_commit && values.text("walbook.book").is_ok_and(|book| book == self.state.book))
    }

    /// The wanted days on which the names differ from the log's; `None` where their sums are unknown.
    fn differing_days(&self, table: Table, wanted: &dyn Fn(Day) -> bool, files: &StagedFiles) -> Option<BTreeSet<Day>> {
        let mut sums: BTreeMap<Day, NameSum> = BTreeMap::new();
        for path in files.keys() {
            let day = RowsPlace::parse(path).map(|place| place.day())?;
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
        files: &mut StagedFiles,
    ) -> Result<Result<(), BookError>, BookError> {
        let (named, removed) = folding::repeated(self.store, || self.named_by_log(table, wanted))?;
        // One that is still there, or there again, is not part of the book.
        removed.iter().for_each(|path| drop(files.remove(path)));
        let mut missing: Option<(u64, String)> = None;
        for (path, entry) in named {
            if files.contains_key(&path) {
                continue;
            }
            if self.store.exists(&path).at("look up", &path)? {
                files.insert(path, None);
            } else if missing.as_ref().is_none_or(|first| (entry, &path) < (first.0, &first.1)) {
                missing = Some((entry, path));
            }
        }
        Ok(missing.map_or(Ok(()), |(entry, path)| Err(missing_file(self.store, entry, &path))))
    }

    /// The files of a table on some days that the log names, each with the entry that has added it; and those that entries have removed.
    fn named_by_log(
        &self,
        table: Table,
        wanted: &dyn Fn(Day) -> bool,
    ) -> Result<(BTreeMap<String, u64>, Vec<String>), BookError> {
        let (mut named, mut removed) = (BTreeMap::new(), Vec::new());
        let base = base::read_newest(self.store)?;
        if let Some(base) = &base {
            if base.state.entries > self.state.entries {
                return Err(BookError::Swept { entry: self.state.newest_entry().unwrap_or(0) });
            }
            for day in base.manifests.of(table).map(|(day, _)| day).filter(|day| wanted(*day)) {
                let manifest = base.manifest(self.store, table, day)?.unwrap_or_default();
                let files = manifest.files.into_iter().map(|named| (named.file.path, named.entry));
                named.extend(files.filter(|(path, _)| self.is_wanted(path, table, wanted)));
            }
        }
        let swept_to = base.as_ref().map(|base| base.entry());
        for number in base.map_or(0, |base| base.state.entries)..self.state.entries {
            let entry = commit_log::required(self.store, number)?.entry;
            for path in &entry.removed {
                named.remove(path);
            }
            removed.extend(entry.removed);
            let added = entry.added.into_iter().map(|file| file.path);
            named.extend(added.filter(|path| self.is_wanted(path, table, wanted)).map(|path| (path, number)));
        }
        // What was read under numbers that were swept meanwhile may have been another process's.
        match commit_log::swept_to(self.store)? {
            now if now > swept_to => Err(BookError::Swept { entry: now.unwrap_or(0) }),
            _ => Ok((named, removed)),
        }
    }

    /// Whether a path is of a file of a table and of a wanted day that was not pruned.
    fn is_wanted(&self, path: &str, table: Table, wanted: &dyn Fn(Day) -> bool) -> bool {
        let place = RowsPlace::parse(path).filter(|place| !self.state.is_pruned(place));
        place.is_some_and(|place| place.table() == table && wanted(place.day()))
    }

    /// The names in a folder; none when it does not exist.
    fn names_in(&self, folder: &str) -> Result<Vec<String>, BookError> {
        match self.store.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.at("list", folder),
        }
    }
}
