//! Files of rejects that are still to be summed: those that cannot be read keep nobody from the counts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tracing::warn;

use super::ServeError;
use crate::book::{BookError, DataFile, Entry, Snapshot};
use crate::query::RejectSums;

/// How long files are read until the log is looked at again.
const TURN: Duration = Duration::from_millis(100);
/// How long a file that could not be read is left alone.
const REST: Duration = Duration::from_secs(10);

/// The sums over the files of rejects that were read, and the paths of the others.
#[derive(Default)]
pub(super) struct PendingRejects {
    sums: RejectSums,
    paths: BTreeSet<String>,
    /// Not before this, after a failure.
    again: Option<Instant>,
    said: String,
}

impl PendingRejects {
    /// All rejects of a snapshot, none of them read.
    ///
    /// # Errors
    /// [`ServeError`] when the book's folders cannot be listed.
    pub(super) fn all(snapshot: &Snapshot) -> Result<PendingRejects, ServeError> {
        let paths = snapshot.reject_files()?.into_iter().map(|file| file.path).collect();
        Ok(PendingRejects { paths, ..PendingRejects::default() })
    }

    /// Adds what new entries have added.
    pub(super) fn add(&mut self, entries: &[Entry]) {
        let paths = entries.iter().flat_map(|entry| &entry.added).map(|file| &file.path);
        self.paths.extend(paths.filter(|path| path.starts_with("rejects/")).cloned());
    }

    /// The sums over what was read.
    pub(super) fn sums(&self) -> &RejectSums {
        &self.sums
    }

    /// Reads files for a while, as they stand in a snapshot; whether the sums have grown.
    pub(super) fn read(&mut self, snapshot: impl FnOnce() -> Result<Snapshot, ServeError>) -> bool {
        if self.paths.is_empty() || self.again.is_some_and(|again| Instant::now() < again) {
            return false;
        }
        let before = self.paths.len();
        self.again = None;
        if let Err(error) = snapshot().and_then(|snapshot| self.read_from(&snapshot)) {
            self.again = Some(Instant::now() + REST);
            // Once, however often it comes again.
            let text = error.to_string();
            if text != self.said {
                warn!(error = text, "could not sum up all rejects; their numbers are too low until it can be read");
                self.said = text;
            }
        }
        self.paths.len() < before
    }

    fn read_from(&mut self, snapshot: &Snapshot) -> Result<(), ServeError> {
        let begin = Instant::now();
        let mut failed = Ok(());
        let files = snapshot.reject_files()?;
        let listed: BTreeSet<&String> = files.iter().map(|file| &file.path).collect();
        if let Some(path) = self.paths.iter().find(|path| !listed.contains(path)) {
            failed = Err(BookError::Vanished { path: path.clone() }.into());
        }
        for file in files {
            if begin.elapsed() > TURN {
                break;
            }
            if self.paths.contains(&file.path) {
                match self.with(snapshot, &file) {
                    Ok(sums) => {
                        self.sums = sums;
                        self.paths.remove(&file.path);
                    }
                    // Those behind it may be whole.
                    Err(error) => failed = Err(error),
                }
            }
        }
        failed
    }

    /// The sums with one file more; a failure in the middle of it changes nothing.
    fn with(&self, snapshot: &Snapshot, file: &DataFile) -> Result<RejectSums, ServeError> {
        let mut sums = self.sums.clone();
        sums.add(snapshot, file)?;
        Ok(sums)
    }
}
