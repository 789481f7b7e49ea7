//! One commit of a book, for readers: where it stands, and exactly its counts and files.
//!
//! A snapshot is taken at the newest entry N. Files on disk may lag behind it (a commit is made by its entry, its
//! files are put in place afterwards) or run ahead (somebody commits while we read). Both are made good from the log:
//! a counts file that stands at entry K gets the deltas of the entries after K, or loses those of the entries after N.
//! The sum must then be the day's total in the log, or there is no answer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use super::ReadError;
use super::complete_to::CompleteTo;
use super::entry::AddedFile;
use super::file_name::{commit_of_file, day_of_events, day_of_folder, staged_path};
use super::fold::Fold;
use super::read_counts::CountsFile;
use super::read_log::{StoredEntry, entry_path, log_folder, read_entry};
use super::tail::Tail;
use crate::change::{Day, Operation};

/// How many numbers after the newest entry are looked at: an entry there means that one before it is missing.
const LOOK_AHEAD: u64 = 8;

/// How many entries are read back at most for the newest commit time.
const LOOK_BACK: u64 = 100;

/// A file of rows that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it stands in the book, or will.
    pub path: String,
    /// The generation in whose staging folder it may still be.
    staged_by: Option<String>,
}

/// A book at its newest entry.
pub struct Snapshot {
    root: PathBuf,
    time_zone: String,
    fold: Fold,
    tail: Tail,
}

impl Snapshot {
    /// Takes a snapshot of the book in a directory.
    ///
    /// # Errors
    /// [`ReadError::NotABook`]; [`ReadError::Damaged`] when the log does not hold together.
    pub fn take(root: &Path) -> Result<Snapshot, ReadError> {
        if !log_folder(root).is_dir() {
            return Err(ReadError::NotABook { path: root.to_owned() });
        }
        let mut fold = Fold::default();
        let mut newest: Option<StoredEntry> = None;
        let mut number = 0;
        while let Some(stored) = next_entry(root, number)? {
            if !newest.as_ref().map_or(stored.entry.previous.is_empty(), |before| stored.follows(before)) {
                return Err(ReadError::damaged(entry_path(root, number), "it does not follow the entry before"));
            }
            fold.add(&stored.entry);
            newest = Some(stored);
            number += 1;
        }
        let newest = newest.ok_or_else(|| ReadError::NotABook { path: root.to_owned() })?.entry;
        let tail = Tail::read(root, newest.redone_to, newest.entry)?;
        Ok(Snapshot { root: root.to_owned(), time_zone: newest.settings.time_zone, fold, tail })
    }

    /// The IANA name of the zone of the book's days.
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// What an answer from this snapshot is complete to.
    pub fn complete_to(&self) -> CompleteTo {
        CompleteTo {
            commit: self.fold.commit,
            positions: self.fold.positions.clone(),
            commit_time: self.newest_commit_time(),
        }
    }

    /// The days that have changes, with their number.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.fold.days.iter().filter(|(_, changes)| **changes > 0).map(|(day, _)| *day)
    }

    /// Shows schema, table, operation and count of one day: each key once, each count positive.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when the counts do not add up to what the log says; what was shown until then is void.
    pub fn day_counts(
        &self,
        day: Day,
        show: &mut dyn FnMut(&str, &str, Operation, u64),
    ) -> Result<(), ReadError> {
        let path = self.root.join(format!("counts/day={day}/counts.parquet"));
        let file = CountsFile::open(&path)?;
        let mut corrections = self.tail.corrections(day, file.as_ref().map(CountsFile::entry))?;

        let mut sum = 0i128;
        let mut wrong = None;
        let mut pass = |schema: &str, table: &str, op: Operation, count: i64| match u64::try_from(count) {
            Ok(0) => {}
            Ok(count) => {
                sum += i128::from(count);
                show(schema, table, op, count);
            }
            Err(_) => wrong = Some(format!("it has {count} of {schema}.{table} {op}")),
        };
        if let Some(file) = file {
            file.for_each(&mut |schema, table, op, count| {
                let correction = corrections.take(schema, table, op);
                pass(schema, table, op, count.saturating_add(correction));
            })?;
        }
        corrections.for_each(&mut pass);

        let total = self.fold.days.get(&day).copied().unwrap_or(0);
        if wrong.is_none() && sum != total {
            wrong = Some(format!("it adds up to {sum} changes at entry {}, the log says {total}", self.tail.newest));
        }
        wrong.map_or(Ok(()), |what| Err(ReadError::damaged(&path, what)))
    }

    /// The files of events on the days that `wanted` lets through: those of commits up to this one, each once.
    ///
    /// # Errors
    /// [`ReadError::Io`] when a folder cannot be listed.
    pub fn event_files(&self, wanted: &dyn Fn(Day) -> bool) -> Result<Vec<DataFile>, ReadError> {
        let mut files = BTreeMap::new();
        for folder in names_in(&self.root.join("events"))? {
            let Some(day) = day_of_folder(&folder) else { continue };
            if !wanted(day) {
                continue;
            }
            for name in names_in(&self.root.join("events").join(&folder))? {
                // A higher number is a commit that was made meanwhile.
                if commit_of_file(&name).is_some_and(|commit| commit <= self.fold.commit) {
                    files.insert(format!("events/{folder}/{name}"), None);
                }
            }
        }
        for entry in &self.tail.entries {
            for AddedFile { path, .. } in &entry.added {
                if day_of_events(path).is_some_and(wanted) {
                    files.insert(path.clone(), Some(entry.generation.clone()));
                }
            }
        }
        for path in self.tail.entries.iter().flat_map(|entry| &entry.removed) {
            files.remove(path);
        }
        Ok(files.into_iter().map(|(path, staged_by)| DataFile { path, staged_by }).collect())
    }

    /// Opens a file of this snapshot, wherever it stands by now.
    ///
    /// # Errors
    /// [`ReadError::Vanished`] when it is nowhere.
    pub fn open(&self, file: &DataFile) -> Result<File, ReadError> {
        let place = self.root.join(&file.path);
        let staged = file.staged_by.as_deref().map(|generation| staged_path(&self.root, generation, &file.path));
        // The place again after staging: the file may have been moved between the two looks.
        for path in [Some(&place), staged.as_ref(), Some(&place)].into_iter().flatten() {
            match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened.map_err(ReadError::io(path)),
            }
        }
        Err(ReadError::Vanished { path: place })
    }

    /// The highest commit time in the newest day's files of the newest commit that has any.
    ///
    /// Information for people: a file that cannot be read only leaves it unknown.
    fn newest_commit_time(&self) -> Option<i64> {
        for number in (self.tail.newest.saturating_sub(LOOK_BACK)..=self.tail.newest).rev() {
            let entry = read_entry(&self.root, number).ok()??.entry;
            let newest = entry.added.iter().filter_map(|file| day_of_events(&file.path)).max();
            if newest.is_none() {
                continue;
            }
            let files = entry.added.iter().filter(|file| day_of_events(&file.path) == newest);
            return files
                .filter_map(|AddedFile { path, .. }| {
                    let file = DataFile { path: path.clone(), staged_by: Some(entry.generation.clone()) };
                    highest_commit_time(&self.open(&file).ok()?)
                })
                .max();
        }
        None
    }
}

/// Entry `number`, or `None` when the log ends before it.
fn next_entry(root: &Path, number: u64) -> Result<Option<StoredEntry>, ReadError> {
    if let Some(stored) = read_entry(root, number)? {
        return Ok(Some(stored));
    }
    if !(number + 1..=number + LOOK_AHEAD).any(|later| entry_path(root, later).exists()) {
        return Ok(None);
    }
    // Two entries may have come since the first look; an entry that is still not there is missing.
    let stored = read_entry(root, number)?;
    stored.map(Some).ok_or_else(|| ReadError::damaged(entry_path(root, number), "it is missing, a later one is there"))
}

/// The names in a folder; none when there is no folder, because nothing was put into it yet.
fn names_in(folder: &Path) -> Result<Vec<String>, ReadError> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(ReadError::io(folder))?,
    };
    let names = listing.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(ReadError::io(folder))
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
