//! The files of rows that the log names: a file that no entry names is not part of the book.
//!
//! A merged file's name has the number of its entry, any other's the number of its commit, and these numbers never fall along the log: the one entry that may name a
//! file is found by bisection of the entries that were not swept. Those of swept entries are in the manifests of the base. What was read is cached.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::change::{CommitNumber, Day};
use crate::store::Store;

use super::base::{Manifests, NamedFile, read_newest};
use super::commit_log;
use super::compaction::FilePart;
use super::entry::{AddedFile, Entry};
use crate::book::BookError;
use crate::book::layout::{FilePlace, MergedPlace, RowsPlace, Table};

/// How often the base is read again because a newer one has replaced it.
const ATTEMPTS: usize = 5;

/// A cache of the files of rows that the log names up to an entry.
pub(in crate::book) struct NamedFiles {
    newest: u64,
    newest_commit: CommitNumber,
    /// What was swept; `None` before it was looked for.
    swept: Option<SweptFiles>,
    /// By entry that was read: the newest commit's number there.
    commits: BTreeMap<u64, CommitNumber>,
    /// By path: the files of the entries that were read, and the entry.
    files: HashMap<String, (u64, AddedFile)>,
    /// By path: the parts of the merged ones among them.
    parts: HashMap<String, Vec<FilePart>>,
}

/// The files that swept entries have named; nothing where no entry was swept.
#[derive(Default)]
struct SweptFiles {
    /// The newest swept entry, and the newest commit there.
    to: Option<(u64, CommitNumber)>,
    manifests: Manifests,
    /// The manifests that were read.
    known: HashSet<(Table, Day)>,
}

impl NamedFiles {
    /// For a log up to its entry `newest`, where the newest commit has the number `newest_commit`.
    pub(in crate::book) fn new(newest: u64, newest_commit: CommitNumber) -> NamedFiles {
        NamedFiles {
            newest,
            newest_commit,
            swept: None,
            commits: BTreeMap::new(),
            files: HashMap::new(),
            parts: HashMap::new(),
        }
    }

    /// Adds an entry that was read anyway.
    pub(in crate::book) fn remember(&mut self, entry: &Entry) {
        self.commits.insert(entry.entry, entry.commit);
        self.files.extend(entry.added.iter().map(|file| (file.path.clone(), (entry.entry, file.clone()))));
        let merged = entry.compaction.iter().flat_map(|compaction| &compaction.added);
        let of_files = entry.added.iter().zip(merged);
        self.parts.extend(of_files.map(|(file, merged)| (file.path.clone(), merged.parts.clone())));
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

    /// The parts of a merged file; `None` when no entry names it.
    ///
    /// # Errors
    /// As [`NamedFiles::find`].
    pub(in crate::book) fn parts(&mut self, store: &dyn Store, path: &str) -> Result<Option<Vec<FilePart>>, BookError> {
        Ok(self.look_up(store, path)?.and_then(|_| self.parts.get(path).cloned()))
    }

    fn look_up(&mut self, store: &dyn Store, path: &str) -> Result<Option<(u64, AddedFile)>, BookError> {
        if let Some(known) = self.files.get(path) {
            return Ok(Some(known.clone()));
        }
        let Some(place) = RowsPlace::parse(path) else { return Ok(None) };
        for _ in 1..ATTEMPTS {
            match self.search(store, place) {
                Err(BookError::Swept { .. }) => {}
                // Nor does what a process beside the run has put for a moment under a number that was swept say that no entry names it.
                Ok(()) if !self.files.contains_key(path) && self.is_outdated(store)? => {}
                searched => return searched.map(|()| self.files.get(path).cloned()),
            }
            (self.swept, self.commits) = (None, BTreeMap::new());
        }
        self.search(store, place)?;
        Ok(self.files.get(path).cloned())
    }

    /// Whether entries were swept since the base was read.
    fn is_outdated(&self, store: &dyn Store) -> Result<bool, BookError> {
        let known = self.swept.as_ref().and_then(|swept| swept.to).map(|(entry, _)| entry);
        Ok(commit_log::swept_to(store)? > known)
    }

    /// Reads what names a file, if anything does.
    fn search(&mut self, store: &dyn Store, place: RowsPlace) -> Result<(), BookError> {
        let swept_to = self.swept(store)?.to;
        match place {
            RowsPlace::Merged(MergedPlace { table, day, entry, .. }) => match swept_to {
                Some((swept_to, _)) if entry <= swept_to => self.read_manifest(store, table, day),
                // Its name has the number of its entry.
                _ if entry <= self.newest => self.commit_at(store, entry).map(drop),
                _ => Ok(()),
            },
            RowsPlace::Committed(FilePlace { table, day, commit, .. }) => match swept_to {
                Some((_, swept_commit)) if commit <= swept_commit => self.read_manifest(store, table, day),
                _ if commit <= self.newest_commit => {
                    self.bisect(store, commit, swept_to.map_or(0, |(swept_to, _)| swept_to + 1))
                }
                _ => Ok(()),
            },
        }
    }

    /// Reads the one entry from `first` on that may name files of a commit.
    fn bisect(&mut self, store: &dyn Store, commit: CommitNumber, first: u64) -> Result<(), BookError> {
        // The first entry whose newest commit is not below the file's: a commit covers all numbers since the one before.
        let below = self.commits.iter().rev().find(|(_, known)| **known < commit);
        let mut low = below.map_or(first, |(entry, _)| first.max(entry + 1));
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
        self.commit_at(store, low).map(drop)
    }

    /// What was swept, by the newest base.
    fn swept(&mut self, store: &dyn Store) -> Result<&mut SweptFiles, BookError> {
        if self.swept.is_none() {
            let base = read_newest(store)?.map(|base| (base.entry(), base.state.commit, base.manifests));
            self.swept = Some(match base {
                // Files that were part of the book at this entry may have been merged since.
                Some((entry, ..)) if entry > self.newest => return Err(BookError::Swept { entry: self.newest }),
                Some((entry, commit, manifests)) => {
                    SweptFiles { to: Some((entry, commit)), manifests, known: HashSet::new() }
                }
                None => SweptFiles::default(),
            });
        }
        Ok(self.swept.as_mut().expect("it was just read"))
    }

    /// Reads the files that swept entries have named on a day.
    fn read_manifest(&mut self, store: &dyn Store, table: Table, day: Day) -> Result<(), BookError> {
        let swept = self.swept(store)?;
        let Some((swept_to, _)) = swept.to.filter(|_| !swept.known.contains(&(table, day))) else { return Ok(()) };
        let manifest = swept.manifests.read(store, swept_to, table, day)?.unwrap_or_default();
        swept.known.insert((table, day));
        for NamedFile { entry, file, merged } in manifest.files {
            self.parts.extend(merged.map(|merged| (file.path.clone(), merged.parts)));
            self.files.insert(file.path.clone(), (entry, file));
        }
        Ok(())
    }

    /// The newest commit's number at an entry, which is cached.
    fn commit_at(&mut self, store: &dyn Store, number: u64) -> Result<CommitNumber, BookError> {
        if let Some(commit) = self.commits.get(&number) {
            return Ok(*commit);
        }
        let entry = commit_log::required(store, number)?.entry;
        self.remember(&entry);
        Ok(entry.commit)
    }
}
