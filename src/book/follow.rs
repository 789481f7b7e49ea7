//! A book watched while somebody writes it: what each new entry adds.

use std::path::{Path, PathBuf};

use super::log::read_entry;
use super::{BookError, Entry, Snapshot, layout};
use crate::store::Disk;

/// Looks for new entries of a book, again and again; a look that finds none costs two questions to the file system.
pub struct Follower {
    root: PathBuf,
    disk: Disk,
    book: String,
    /// The number of entries that are known.
    entries: u64,
    /// SHA-256 of the newest of them.
    digest: String,
}

/// What a look has found.
pub enum Found {
    /// Nothing new.
    Nothing,
    /// Entries that follow those that were known, and the book at the newest of them.
    Entries(Vec<Entry>, Snapshot),
    /// A book in whose log the known entries are not, or no longer: another one, or one that was looked at long ago.
    Another(Snapshot),
}

impl Follower {
    /// Begins after the entries that a snapshot holds.
    pub fn after(root: &Path, snapshot: &Snapshot) -> Follower {
        let mut follower = Follower {
            root: root.to_owned(),
            disk: Disk::new(root),
            book: String::new(),
            entries: 0,
            digest: String::new(),
        };
        follower.accept(snapshot);
        follower
    }

    /// Looks once. The next look begins where this one did, until what was found is [accepted](Follower::accept).
    ///
    /// # Errors
    /// [`BookError`] when the log is damaged or cannot be read.
    pub fn look(&self) -> Result<Found, BookError> {
        let exists = |number| self.disk.root().join(layout::entry_path(number)).exists();
        let is_there = self.entries.checked_sub(1).is_none_or(exists);
        if is_there && !exists(self.entries) {
            return Ok(Found::Nothing);
        }
        let snapshot = Snapshot::take(&self.root)?;
        let entries = self.entries_up_to(&snapshot)?;
        Ok(match entries {
            Some(entries) if entries.is_empty() => Found::Nothing,
            Some(entries) => Found::Entries(entries, snapshot),
            None => Found::Another(snapshot),
        })
    }

    /// The entries between those that are known and a snapshot; `None` when they do not follow.
    fn entries_up_to(&self, snapshot: &Snapshot) -> Result<Option<Vec<Entry>>, BookError> {
        let state = snapshot.state();
        if state.book != self.book || state.entries < self.entries {
            return Ok(None);
        }
        let mut entries = Vec::new();
        let mut digest = self.digest.clone();
        for number in self.entries..state.entries {
            match read_entry(&self.disk, number)? {
                Some(logged) if logged.entry.previous == digest => {
                    digest = logged.digest;
                    entries.push(logged.entry);
                }
                _ => return Ok(None),
            }
        }
        Ok((digest == state.digest).then_some(entries))
    }

    /// Takes what a look has found as known.
    pub fn accept(&mut self, snapshot: &Snapshot) {
        let state = snapshot.state();
        self.book.clone_from(&state.book);
        self.entries = state.entries;
        self.digest.clone_from(&state.digest);
    }
}
