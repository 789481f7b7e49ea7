//! One commit of a book, for readers: where it stands, and exactly its counts and files.
//!
//! A snapshot is taken at the newest entry N. Files on disk may lag behind it (a commit is made by its entry, its
//! files are put in place afterwards) or run ahead (somebody commits while we read). Both are made good from the log:
//! a counts file that stands at entry K gets the deltas of the entries after K, or loses those of the entries after N.
//! The sum must then be the day's total in the log, or there is no answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use tracing::warn;

use super::checksum;
use super::complete_to::CompleteTo;
use super::counts_rows::CountsRows;
use super::entry::AddedFile;
use super::error::At;
use super::layout::{FilePlace, Table, day_folder, day_of_folder, entry_path, staged_path};
use super::log::{LoggedEntry, read_entry};
use super::named_files::NamedFiles;
use super::tail::Tail;
use super::traces::Traces;
use super::{BookError, State, checkpoint};
use crate::change::{Day, Operation};
use crate::store::{Disk, Store};

/// How many numbers after the newest entry are looked at: an entry there means that one before it is missing.
const LOOK_AHEAD: u64 = 8;

/// How many entries are read back at most for the newest commit time.
const LOOK_BACK: u64 = 100;

/// How many files are looked into for it: a commit may have a thousand days.
const NEWEST_FILES: usize = 16;

/// How many bytes of files are compared with the log for it: a question must not wait for the whole of a large commit.
const NEWEST_BYTES: u64 = 256 << 20;

/// A file of rows that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it stands in the book, or will.
    pub path: String,
    /// The generation in whose staging folder it may still be.
    staged_by: Option<String>,
}

impl DataFile {
    /// The day of its rows.
    pub fn day(&self) -> Option<Day> {
        FilePlace::parse(&self.path).map(|place| place.day)
    }

    /// Its number among the files of its commit, worker and day.
    pub fn index(&self) -> Option<usize> {
        FilePlace::parse(&self.path).map(|place| place.index)
    }
}

/// A book at its newest entry.
pub struct Snapshot {
    disk: Disk,
    state: State,
    tail: Tail,
    named: RefCell<NamedFiles>,
    /// Paths of files that were compared with the log.
    whole: RefCell<HashSet<String>>,
}

impl Snapshot {
    /// Takes a snapshot of the book in a directory.
    ///
    /// # Errors
    /// [`BookError::NoBook`]; [`BookError::Damaged`] and [`BookError::Unsound`] when the log does not hold together.
    pub fn take(root: &Path) -> Result<Snapshot, BookError> {
        expect_directory(root)?;
        let disk = Disk::new(root);
        let traces = Traces::list(&disk)?;
        let mut state = checkpoint::read_newest(&disk)?;
        while let Some(LoggedEntry { entry, digest }) =
            next_entry(&disk, state.as_ref().map_or(0, |state| state.entries))?
        {
            let state = state.get_or_insert_with(|| State::new(entry.book.clone(), entry.settings.clone()));
            state.follow(&entry, &digest)?;
        }
        let newest = state.as_ref().and_then(State::newest_entry);
        traces.compare(state.as_ref())?;
        let no_book = || BookError::NoBook { path: root.to_owned() };
        let state = state.ok_or_else(no_book)?;
        let newest = newest.ok_or_else(no_book)?;
        let tail = Tail::read(&disk, state.redone_to, newest)?;
        let mut named = NamedFiles::new(newest, state.commit);
        tail.entries.iter().for_each(|entry| named.remember(entry));
        Ok(Snapshot { disk, state, tail, named: RefCell::new(named), whole: RefCell::default() })
    }

    /// The IANA name of the zone of the book's days.
    pub fn time_zone(&self) -> &str {
        &self.state.settings.time_zone
    }

    /// What the log says.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What an answer from this snapshot is complete to.
    pub fn complete_to(&self) -> CompleteTo {
        CompleteTo::new(&self.state, self.newest_commit_time())
    }

    /// The days that have changes.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.state.days.keys().copied()
    }

    /// Shows schema, table, operation and count of one day: each key once, each count positive.
    ///
    /// # Errors
    /// [`BookError::Disagree`] when the counts do not add up to what the log says, [`BookError::UnreadableCounts`]; what
    /// was shown until then is void.
    pub fn day_counts(&self, day: Day, show: &mut dyn FnMut(&str, &str, Operation, u64)) -> Result<(), BookError> {
        let file = CountsRows::open(&self.disk, day)?;
        let mut corrections = self.tail.corrections(day, file.as_ref().map(|file| file.entry))?;

        let mut sum = 0u128;
        let mut wrong = None;
        let mut pass = |schema: &str, table: &str, op: Operation, count: i64| match u64::try_from(count) {
            Ok(0) => {}
            Ok(count) => {
                sum += u128::from(count);
                show(schema, table, op, count);
            }
            Err(_) => wrong = Some(format!("{schema}.{table} has {count} {op}")),
        };
        if let Some(file) = file {
            file.for_each(&mut |schema, table, op, count| {
                let correction = corrections.take(schema, table, op);
                pass(schema, table, op, count.saturating_add(correction));
            })?;
        }
        corrections.for_each(&mut pass);

        let total = self.state.days.get(&day).map_or(0, |known| known.changes);
        if wrong.is_none() && sum != u128::from(total) {
            wrong = Some(format!("the counts are {sum} at entry {}, the log says {total}", self.tail.newest));
        }
        wrong.map_or(Ok(()), |what| Err(BookError::Disagree { day, what }))
    }

    /// The files of events on the days that `wanted` lets through: those of commits up to this one, each once.
    ///
    /// # Errors
    /// [`BookError::Io`] when a folder cannot be listed.
    pub fn event_files(&self, wanted: &dyn Fn(Day) -> bool) -> Result<Vec<DataFile>, BookError> {
        self.files(Table::Events, wanted)
    }

    /// The files of rejects: those of commits up to this one, each once.
    ///
    /// # Errors
    /// [`BookError::Io`] when a folder cannot be listed.
    pub fn reject_files(&self) -> Result<Vec<DataFile>, BookError> {
        self.files(Table::Rejects, &|_| true)
    }

    fn files(&self, table: Table, wanted: &dyn Fn(Day) -> bool) -> Result<Vec<DataFile>, BookError> {
        let mut files = BTreeMap::new();
        for folder in self.names_in(table.folder())? {
            let Some(day) = day_of_folder(&folder).filter(|day| wanted(*day)) else { continue };
            let folder = day_folder(table, day);
            for name in self.names_in(&folder)? {
                let path = format!("{folder}/{name}");
                // A higher number is a commit that was made meanwhile.
                if FilePlace::parse(&path).is_some_and(|place| place.commit <= self.state.commit) {
                    files.insert(path, None);
                }
            }
        }
        for entry in &self.tail.entries {
            for path in entry.added.iter().map(|file| &file.path) {
                if FilePlace::parse(path).is_some_and(|place| place.table == table && wanted(place.day)) {
                    files.insert(path.clone(), Some(entry.generation.clone()));
                }
            }
        }
        Ok(files.into_iter().map(|(path, staged_by)| DataFile { path, staged_by }).collect())
    }

    /// Whether an entry names a file, whose bytes are then all compared with it: nothing may be decoded before. Reads
    /// the file once, however often it is asked for.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the bytes are not those that were committed; [`BookError::Vanished`].
    pub fn is_whole(&self, file: &DataFile) -> Result<bool, BookError> {
        if self.whole.borrow().contains(&file.path) {
            return Ok(true);
        }
        let Some(named) = self.named.borrow_mut().find(&self.disk, &file.path)? else {
            warn!(path = file.path, "skipped a file that no entry names");
            return Ok(false);
        };
        match checksum::difference(&self.open(file)?, &named).at("read", &file.path)? {
            Some(what) => Err(BookError::damaged(&file.path, what)),
            None => Ok(self.whole.borrow_mut().insert(named.path)),
        }
    }

    /// Opens a file of this snapshot, wherever it stands by now.
    ///
    /// # Errors
    /// [`BookError::Vanished`] when it is nowhere.
    pub fn open(&self, file: &DataFile) -> Result<File, BookError> {
        let staged = file.staged_by.as_deref().map(|generation| staged_path(generation, &file.path));
        // The place again after staging: the file may have been moved between the two looks.
        for path in [Some(&file.path), staged.as_ref(), Some(&file.path)].into_iter().flatten() {
            match File::open(self.disk.root().join(path)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened.at("open", path),
            }
        }
        Err(BookError::Vanished { path: file.path.clone() })
    }

    /// The names in a folder; none when there is no folder, because nothing was put into it yet.
    fn names_in(&self, folder: &str) -> Result<Vec<String>, BookError> {
        match self.disk.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.at("list", folder),
        }
    }

    /// The highest commit time in the files of the newest commit that has events; those of its newest days.
    ///
    /// Information for people: files that are damaged, or too large to be looked at for it, leave it unknown.
    fn newest_commit_time(&self) -> Option<i64> {
        for number in (self.tail.newest.saturating_sub(LOOK_BACK)..=self.tail.newest).rev() {
            let entry = read_entry(&self.disk, number).ok()??.entry;
            let mut files: Vec<(Day, &AddedFile)> =
                entry.added.iter().filter_map(|file| Some((day_of_events(&file.path)?, file))).collect();
            files.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
            files.truncate(NEWEST_FILES);
            if files.is_empty() {
                continue;
            }
            if files.iter().map(|(_, file)| file.bytes).fold(0, u64::saturating_add) > NEWEST_BYTES {
                return None;
            }
            self.named.borrow_mut().remember(&entry);
            let mut highest = None;
            for (_, added) in files {
                let file = DataFile { path: added.path.clone(), staged_by: Some(entry.generation.clone()) };
                if !self.is_whole(&file).ok()? {
                    return None;
                }
                highest = highest.max(highest_commit_time(&self.open(&file).ok()?));
            }
            return highest;
        }
        None
    }
}

/// Refuses a path that is something else than a directory, or below such.
pub(super) fn expect_directory(root: &Path) -> Result<(), BookError> {
    let is_none = match root.metadata() {
        Ok(found) => !found.is_dir(),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    };
    if is_none { Err(BookError::NoBook { path: root.to_owned() }) } else { Ok(()) }
}

/// Entry `number`, or `None` when the log ends before it.
fn next_entry(disk: &Disk, number: u64) -> Result<Option<LoggedEntry>, BookError> {
    if let Some(logged) = read_entry(disk, number)? {
        return Ok(Some(logged));
    }
    let exists = |number| disk.root().join(entry_path(number)).exists();
    if !(number + 1..=number + LOOK_AHEAD).any(exists) {
        return Ok(None);
    }
    // Two entries may have come since the first look; an entry that is still not there is missing.
    let missing = || BookError::damaged(&entry_path(number), "it is gone, but the log goes on");
    read_entry(disk, number)?.map(Some).ok_or_else(missing)
}

/// The day of a file of events; `None` for any other path.
fn day_of_events(path: &str) -> Option<Day> {
    FilePlace::parse(path).filter(|place| place.table == Table::Events).map(|place| place.day)
}

fn highest_commit_time(file: &File) -> Option<i64> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(file, options).ok()?;
    let groups = metadata.metadata().row_groups();
    let column = metadata.schema().index_of("commit_time").ok()?;
    groups.iter().filter_map(|group| highest_micros(group.column(column))).max()
}

/// The highest value of a column of timestamps, if its statistics tell.
fn highest_micros(column: &ColumnChunkMetaData) -> Option<i64> {
    match column.statistics()? {
        Statistics::Int64(statistics) => statistics.max_opt().copied(),
        _ => None,
    }
}
