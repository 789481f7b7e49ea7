//! The files of rows that the log names: a file that no entry names is not part of the book.
//!
//! A merged file's name has the number of its entry, any other's the number of its commit, and these numbers never fall along the log: the one entry that may name a
//! file is found by bisection, which relies on all entries being kept. Entries that were read are cached.

use std::collections::{BTreeMap, HashMap};

use crate::change::CommitNumber;
use crate::store::Store;

use super::commit_log;
use super::entry::{AddedFile, Entry};
use crate::book::BookError;
use crate::book::layout;
use crate::book::layout::{FilePlace, MergedPlace};

/// A cache of the files of rows that the log names up to an entry.
pub(in crate::book) struct NamedFiles {
    newest: u64,
    newest_commit: CommitNumber,
    /// By entry that was read: the newest commit's number there.
    commits: BTreeMap<u64, CommitNumber>,
    /// By path: the files of the entries that were read, and the entry.
    files: HashMap<String, (u64, AddedFile)>,
}

impl NamedFiles {
    /// For a log up to its entry `newest`, where the newest commit has the number `newest_commit`.
    pub(in crate::book) fn new(newest: u64, newest_commit: CommitNumber) -> NamedFiles {
        NamedFiles { newest, newest_commit, commits: BTreeMap::new(), files: HashMap::new() }
    }

    /// Adds an entry that was read anyway.
    pub(in crate::book) fn remember(&mut self, entry: &Entry) {
        self.commits.insert(entry.entry, entry.commit);
        self.files.extend(entry.added.iter().map(|file| (file.path.clone(), (entry.entry, file.clone()))));
    }

    /// A file's size, rows and checksum; `None` when no entry names it.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the log has a gap; [`BookError::Io`].
    pub(in crate::book) fn find(&mut self, store: &dyn Store, path: &str) -> Result<Option<AddedFile>, BookError> {
        Ok(self.look_up(store, path)?.map(|(_, file)| file))
    }

    /// The entry that names a file, if there is one.
    ///
    /// # Errors
    /// As [`NamedFiles::find`].
    pub(in crate::book) fn entry_of(&mut self, store: &dyn Store, path: &str) -> Result<Option<u64>, BookError> {
        Ok(self.look_up(store, path)?.map(|(entry, _)| entry))
    }

    fn look_up(&mut self, store: &dyn Store, path: &str) -> Result<Option<(u64, AddedFile)>, BookError> {
        if let Some(known) = self.files.get(path) {
            return Ok(Some(known.clone()));
        }
        if let Some(MergedPlace { entry, .. }) = MergedPlace::parse(path) {
            // Its name has the number of its entry.
            if entry <= self.newest {
                self.commit_at(store, entry)?;
            }
            return Ok(self.files.get(path).cloned());
        }
        let place = FilePlace::parse(path).filter(|place| place.commit <= self.newest_commit);
        let Some(FilePlace { commit, .. }) = place else { return Ok(None) };
        // The first entry whose newest commit is not below the file's: a commit covers all numbers since the one before.
        let below = self.commits.iter().rev().find(|(_, known)| **known < commit);
        let mut low = below.map_or(0, |(entry, _)| entry + 1);
        let above = self.commits.range(low..).find(|(_, known)| **known >= commit);
        let mut high = above.map_or(self.newest, |(entry, _)| *entry);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.commit_at(store, middle)? < commit {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.commit_at(store, low)?;
        Ok(self.files.get(path).cloned())
    }

    /// The newest commit's number at an entry, which is cached.
    fn commit_at(&mut self, store: &dyn Store, number: u64) -> Result<CommitNumber, BookError> {
        if let Some(commit) = self.commits.get(&number) {
            return Ok(*commit);
        }
        let missing = || BookError::damaged(&layout::entry_path(number), "it is missing, but later entries exist");
        let entry = commit_log::read_entry(store, number)?.ok_or_else(missing)?.entry;
        self.remember(&entry);
        Ok(entry.commit)
    }
}
