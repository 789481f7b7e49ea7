//! Polling a book for new entries while a run writes it.

use crate::book::log::commit_log::read_entry;
use crate::book::{BookError, Entry, Snapshot, layout};
use crate::store::{BookStore, Store};

/// Polls a book for new entries; a poll that finds none costs two look-ups in the file system.
pub struct Follower {
    store: BookStore,
    book: String,
    /// The number of entries that are known.
    entries: u64,
    /// SHA-256 of the newest of them.
    digest: String,
}

/// The result of a poll.
pub enum LogUpdate {
    /// Nothing new.
    Nothing,
    /// Entries that follow the known ones, and the book at the newest of them.
    Entries(Vec<Entry>, Snapshot),
    /// A book whose log does not have the known entries: another book in the same place.
    Another(Snapshot),
}

impl Follower {
    /// Begins after the entries that a snapshot holds.
    pub fn after(book: impl Into<BookStore>, snapshot: &Snapshot) -> Follower {
        let mut follower = Follower { store: book.into(), book: String::new(), entries: 0, digest: String::new() };
        follower.accept(snapshot);
        follower
    }

    /// Polls once. The next poll begins at the same entry, until its result is [accepted](Follower::accept).
    ///
    /// # Errors
    /// [`BookError`] when the log is damaged or cannot be read.
    pub fn look(&self) -> Result<LogUpdate, BookError> {
        let exists = |number| self.store.exists(&layout::entry_path(number)).unwrap_or(false);
        let is_present = self.entries.checked_sub(1).is_none_or(exists);
        if is_present && !exists(self.entries) {
            return Ok(LogUpdate::Nothing);
        }
        let snapshot = Snapshot::take(&self.store)?;
        let entries = self.entries_up_to(&snapshot)?;
        Ok(match entries {
            Some(entries) if entries.is_empty() => LogUpdate::Nothing,
            Some(entries) => LogUpdate::Entries(entries, snapshot),
            None => LogUpdate::Another(snapshot),
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
            match read_entry(&self.store, number)? {
                Some(logged) if logged.entry.previous == digest => {
                    digest = logged.digest;
                    entries.push(logged.entry);
                }
                _ => return Ok(None),
            }
        }
        Ok((digest == state.digest).then_some(entries))
    }

    /// Makes the entries up to a snapshot known.
    pub fn accept(&mut self, snapshot: &Snapshot) {
        let state = snapshot.state();
        self.book.clone_from(&state.book);
        self.entries = state.entries;
        self.digest.clone_from(&state.digest);
    }
}
