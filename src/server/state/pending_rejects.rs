//! Files of rejects that are not summed yet: one that cannot be read must not hold back the counts.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use super::app_state::{AppState, NOT_READ_YET};
use crate::book::log::entry::EntryKind;
use crate::book::{DataFile, Entry, Snapshot};
use crate::query::RejectSums;
use crate::server::ServeError;
use crate::server::error::ErrorLog;

/// How long files are read in one turn.
const TURN: Duration = Duration::from_millis(100);
/// How long after a failure files are read again.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// The sums over the files of rejects that were read, and the paths of the others.
#[derive(Default)]
pub(in crate::server) struct PendingRejects {
    sums: RejectSums,
    paths: BTreeSet<String>,
    /// The files of entries before this one are summed or among the paths.
    entries: u64,
    /// Whether the log names files that are not there.
    is_missing: bool,
    /// After a failure: when files are read again.
    retry_at: Option<Instant>,
    errors: ErrorLog,
    /// Why the sums are too low, as the state has it.
    unread: Option<String>,
}

impl PendingRejects {
    /// All files of rejects of a snapshot, none of them read.
    ///
    /// # Errors
    /// [`ServeError`] when the book's folders cannot be listed.
    pub(in crate::server) fn all(snapshot: &Snapshot) -> Result<PendingRejects, ServeError> {
        let (files, missing) = snapshot.reject_files_in_place()?;
        let paths = files.into_iter().map(|file| file.path).collect();
        let (is_missing, unread) = (missing.is_err(), Some(NOT_READ_YET.to_owned()));
        let entries = snapshot.state().entries;
        Ok(PendingRejects { paths, entries, is_missing, unread, ..PendingRejects::default() })
    }

    /// Adds the files of new entries. Merged files have rows that are summed or pending already.
    pub(in crate::server) fn add(&mut self, entries: &[Entry]) {
        let new = entries.iter().filter(|entry| entry.entry >= self.entries && entry.kind == EntryKind::Commit);
        let paths = new.flat_map(|entry| &entry.added).map(|file| &file.path);
        self.paths.extend(paths.filter(|path| path.starts_with("rejects/")).cloned());
    }

    /// Reads files for one turn, and gives the state the sums if they have changed, and why they are too low.
    pub(in crate::server) fn sum_into(&mut self, state: &AppState) {
        if self.retry_at.is_some_and(|retry_at| Instant::now() < retry_at) {
            return;
        }
        let before = self.paths.len();
        let read = match before == 0 && !self.is_missing {
            true => Ok(()),
            false => Snapshot::take(&state.book).map_err(ServeError::from).and_then(|snapshot| self.read(&snapshot)),
        };
        self.retry_at = read.is_err().then(|| Instant::now() + RETRY_INTERVAL);
        let unread = match &read {
            Err(error) => Some(error.to_string()),
            Ok(()) if self.paths.is_empty() => None,
            Ok(()) => Some(NOT_READ_YET.to_owned()),
        };
        self.errors.note(read, "could not sum up all rejects; their numbers are too low until all files can be read");
        if self.paths.len() < before || unread != self.unread {
            state.set_rejects(self.sums.clone(), unread.clone());
            self.unread = unread;
        }
    }

    fn read(&mut self, snapshot: &Snapshot) -> Result<(), ServeError> {
        let start = Instant::now();
        let (files, missing) = snapshot.reject_files_in_place()?;
        self.is_missing = missing.is_err();
        let mut result = missing.map_err(ServeError::from);
        if !self.is_missing {
            // A listing without a missing file has all that are pending. Others were merged with files that are summed: begin again.
            let listed: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
            if self.paths.iter().any(|path| !listed.contains(path.as_str())) {
                self.sums = RejectSums::default();
                self.paths = files.iter().map(|file| file.path.clone()).collect();
                self.entries = snapshot.state().entries;
            }
        }
        for file in files {
            if start.elapsed() > TURN {
                break;
            }
            if self.paths.contains(&file.path) {
                match self.sums_with(snapshot, &file) {
                    Ok(sums) => {
                        self.sums = sums;
                        self.paths.remove(&file.path);
                    }
                    // The files after it may be whole.
                    Err(error) => result = Err(error),
                }
            }
        }
        result
    }

    /// The sums with one more file; a failure in the middle of it changes nothing.
    fn sums_with(&self, snapshot: &Snapshot, file: &DataFile) -> Result<RejectSums, ServeError> {
        let mut sums = self.sums.clone();
        sums.add(snapshot, file)?;
        Ok(sums)
    }
}
