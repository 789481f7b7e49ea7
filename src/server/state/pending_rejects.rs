//! Files of rejects that are not summed yet: one that cannot be read must not hold back the counts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::app_state::AppState;
use crate::book::{BookError, DataFile, Entry, Snapshot};
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
    /// After a failure: when files are read again.
    retry_at: Option<Instant>,
    errors: ErrorLog,
}

impl PendingRejects {
    /// All files of rejects of a snapshot, none of them read.
    ///
    /// # Errors
    /// [`ServeError`] when the book's folders cannot be listed.
    pub(in crate::server) fn all(snapshot: &Snapshot) -> Result<PendingRejects, ServeError> {
        let paths = snapshot.reject_files()?.into_iter().map(|file| file.path).collect();
        Ok(PendingRejects { paths, ..PendingRejects::default() })
    }

    /// Adds the files of new entries.
    pub(in crate::server) fn add(&mut self, entries: &[Entry]) {
        let paths = entries.iter().flat_map(|entry| &entry.added).map(|file| &file.path);
        self.paths.extend(paths.filter(|path| path.starts_with("rejects/")).cloned());
    }

    /// Reads files for one turn, and gives the state the sums if they have grown.
    pub(in crate::server) fn sum_into(&mut self, state: &AppState) {
        if self.paths.is_empty() || self.retry_at.is_some_and(|retry_at| Instant::now() < retry_at) {
            return;
        }
        let before = self.paths.len();
        let read = Snapshot::take(&state.book).map_err(ServeError::from).and_then(|snapshot| self.read(&snapshot));
        self.retry_at = read.is_err().then(|| Instant::now() + RETRY_INTERVAL);
        self.errors.note(read, "could not sum up all rejects; their numbers are too low until all files can be read");
        if self.paths.len() < before {
            state.set_rejects(self.sums.clone());
        }
    }

    fn read(&mut self, snapshot: &Snapshot) -> Result<(), ServeError> {
        let start = Instant::now();
        let mut result = Ok(());
        let files = snapshot.reject_files()?;
        let listed: BTreeSet<&String> = files.iter().map(|file| &file.path).collect();
        if let Some(path) = self.paths.iter().find(|path| !listed.contains(path)) {
            result = Err(BookError::Vanished { path: path.clone() }.into());
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
