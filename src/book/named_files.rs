//! What the log says of the files of rows: without an entry that names it, no file is of the book.
//!
//! A file's name carries the number of its commit, and these numbers never fall along the log: the one entry that may name a
//! file is found by bisection. Entries that were read on the way are remembered. Assumes that no entry is ever swept.

use std::collections::{BTreeMap, HashMap};

use crate::change::CommitNumber;
use crate::store::Store;

use super::entry::{AddedFile, Entry};
use super::layout::{self, FilePlace};
use super::{BookError, log};

/// The files of rows that the log names up to an entry, as far as they were asked for.
pub(super) struct NamedFiles {
    newest: u64,
    newest_commit: CommitNumber,
    /// By entry that was read: the newest commit's number there.
    commits: BTreeMap<u64, CommitNumber>,
    /// By path: the files of the entries that were read.
    files: HashMap<String, AddedFile>,
}

impl NamedFiles {
    /// Those of a log up to its entry `newest`, where the newest commit has the number `newest_commit`.
    pub(super) fn new(newest: u64, newest_commit: CommitNumber) -> NamedFiles {
        NamedFiles { newest, newest_commit, commits: BTreeMap::new(), files: HashMap::new() }
    }

    /// Remembers an entry that was read anyway.
    pub(super) fn remember(&mut self, entry: &Entry) {
        self.commits.insert(entry.entry, entry.commit);
        self.files.extend(entry.added.iter().map(|file| (file.path.clone(), file.clone())));
    }

    /// What the log says of a file; `None` when no entry names it.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the log has a hole; [`BookError::Io`].
    pub(super) fn find(&mut self, store: &dyn Store, path: &str) -> Result<Option<AddedFile>, BookError> {
        if let Some(known) = self.files.get(path) {
            return Ok(Some(known.clone()));
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

    /// The newest commit's number at an entry, which is remembered.
    fn commit_at(&mut self, store: &dyn Store, number: u64) -> Result<CommitNumber, BookError> {
        if let Some(commit) = self.commits.get(&number) {
            return Ok(*commit);
        }
        let missing = || BookError::damaged(&layout::entry_path(number), "it is gone, but the log goes on");
        let entry = log::read_entry(store, number)?.ok_or_else(missing)?.entry;
        self.remember(&entry);
        Ok(entry.commit)
    }
}
