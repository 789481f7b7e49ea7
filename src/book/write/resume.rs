//! Opening a book: fold the log, put a fence, redo the commits that an older run left, remove its staging folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use tracing::info;

use crate::change::Day;
use crate::store::Store;

use super::committer::Committer;
use super::create::{check_free, make};
use super::entry_parts::write_time;
use super::redo::Redo;
use super::staging::Staging;
use crate::book::lease::Lease;
use crate::book::log::checkpoint::UnfoldedEntries;
use crate::book::log::commit_log;
use crate::book::log::commit_log::{LoggedEntry, Put};
use crate::book::log::days::reject_days;
use crate::book::log::entry::{BookSettings, Entry, EntryKind, TopicEntry, Versions};
use crate::book::log::log_evidence::LogEvidence;
use crate::book::log::{digested, folding};
use crate::book::read::listing::Listing;
use crate::book::{BookError, State, layout};
use crate::store::layout::Table;

/// A book that is opened and not yet owned.
pub struct Book {
    store: Arc<dyn Store>,
    settings: BookSettings,
    versions: Versions,
    state: State,
    /// What the log has after the newest checkpoint.
    unfolded: UnfoldedEntries,
    /// Whether its folders are still to be made.
    is_new: bool,
}

impl Book {
    /// Reads the book's log, or finds that a book can be made where there is none. Every file of rows that the log names must be
    /// there. Changes nothing.
    ///
    /// # Errors
    /// [`BookError::Missing`] with the first file that is not there.
    /// [`BookError::NotABook`], [`BookError::OtherSettings`], [`BookError::UnknownFormat`];
    /// [`BookError::Damaged`] or [`BookError::Unsound`] for a log that is not as it was written; [`BookError::Io`].
    pub fn open(store: Arc<dyn Store>, settings: BookSettings, versions: Versions) -> Result<Book, BookError> {
        folding::repeated(&*store, || Book::of(Arc::clone(&store), settings.clone(), versions.clone(), fold(&*store)?))
    }

    /// Opens a book that exists, with its own settings, by all entries of its log, whatever its checkpoints hold.
    ///
    /// # Errors
    /// As [`Book::open`]; the error of `no_book` where there is none.
    pub fn open_without_checkpoints(
        store: Arc<dyn Store>,
        versions: Versions,
        no_book: &dyn Fn() -> BookError,
    ) -> Result<Book, BookError> {
        folding::repeated(&*store, || {
            let folded = fold_once(&*store, |_| false)?.ok_or_else(no_book)?;
            let settings = folded.0.settings.clone();
            Book::of(Arc::clone(&store), settings, versions.clone(), Some(folded))
        })
    }

    fn of(
        store: Arc<dyn Store>,
        settings: BookSettings,
        versions: Versions,
        folded: Option<(State, UnfoldedEntries)>,
    ) -> Result<Book, BookError> {
        let (state, unfolded) = match folded {
            Some(folded) => folded,
            None => match check_free(&*store) {
                Ok(()) => (State::new(store.new_id().to_string(), settings.clone()), UnfoldedEntries::default()),
                // Another run may have made the book meanwhile.
                Err(error @ BookError::NotABook { .. }) => fold(&*store)?.ok_or(error)?,
                Err(error) => return Err(error),
            },
        };
        let is_new = state.entries == 0;
        let book = Book { store, settings, versions, state, unfolded, is_new };
        book.compare_settings()?;
        book.expect_files()?;
        Ok(book)
    }

    /// The book's identity; of a new book it holds only if this run puts the first entry.
    pub fn id(&self) -> &str {
        &self.state.book
    }

    /// The log up to the newest entry.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the book over, and makes it if it is new: afterwards older runs can no longer write, and every committed file is in
    /// its place.
    ///
    /// `topics` returns the topics that are new to the book and where each partition starts, as empty intervals; it is called
    /// before anything is made, and again when another run put an entry in between.
    ///
    /// # Errors
    /// Whatever `topics` fails with; all of [`BookError`] but the settings' errors.
    pub fn fence<E: From<BookError>>(
        self,
        topics: impl FnMut(&State) -> Result<BTreeMap<String, TopicEntry>, E>,
    ) -> Result<Committer, E> {
        self.fence_with_lease(topics, drop)
    }

    /// As [`Book::fence`]; `owned` receives the lease as soon as the book is taken over, before older commits are redone: that may take
    /// long.
    ///
    /// # Errors
    /// As [`Book::fence`].
    pub fn fence_with_lease<E: From<BookError>>(
        mut self,
        mut topics: impl FnMut(&State) -> Result<BTreeMap<String, TopicEntry>, E>,
        owned: impl FnOnce(Lease),
    ) -> Result<Committer, E> {
        let staging = loop {
            let topics = topics(&self.state)?;
            if self.is_new && !self.make()? {
                continue;
            }
            let staging = Staging::make(Arc::clone(&self.store), self.state.entries)?;
            match self.put_fence(&staging, topics)? {
                Put::Done => break staging,
                Put::Lost(reason) => {
                    staging.abandon()?;
                    if !self.read_on()? {
                        return Err(BookError::Fenced { reason }.into());
                    }
                }
            }
        };
        let staging = Arc::new(staging);
        owned(Lease::new(Arc::clone(&staging)));
        if self.state.rejects.is_none() {
            // An earlier version wrote the checkpoint: count once, and the next checkpoint has them.
            info!(entries = self.state.entries, "counting the rejects of all entries once");
            self.state.rejects = Some(reject_days::read(&*self.store, self.state.entries)?);
        }
        let explained = Arc::clone(&staging);
        let redo = self.redo(&staging).map_err(|error| explained.explain_missing(error))?;
        let committer = Committer::new(staging, redo, self.state, self.versions, self.unfolded);
        Ok(committer.map_err(|error| explained.explain_missing(error))?)
    }

    /// Makes the folders of a new book; `false` if another run has made the book meanwhile, whose entries are folded in then.
    fn make(&mut self) -> Result<bool, BookError> {
        self.is_new = false;
        match make(&*self.store) {
            Ok(()) => Ok(true),
            Err(error @ BookError::NotABook { .. }) => {
                if self.read_on()? {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses to continue a book that has lost files.
    fn expect_files(&self) -> Result<(), BookError> {
        let newest = self.state.newest_entry().unwrap_or(0);
        let tail = entries(&*self.store, self.state.redone_to + 1..newest + 1)?;
        let listing = Listing { store: &*self.store, state: &self.state, tail: &tail };
        for table in [Table::Events, Table::Rejects] {
            let (_, missing) = listing.files(table, &|_| true)?;
            missing?;
        }
        Ok(())
    }

    fn put_fence(&mut self, staging: &Staging, topics: BTreeMap<String, TopicEntry>) -> Result<Put, BookError> {
        let entry = Entry {
            format: digested::FORMAT,
            book: self.state.book.clone(),
            entry: self.state.entries,
            commit: self.state.commit,
            previous: self.state.digest.clone(),
            kind: EntryKind::Fence,
            generation: staging.generation().to_owned(),
            redone_to: self.state.redone_to,
            written_at: write_time(&*self.store),
            commit_time: None,
            settings: self.settings.clone(),
            versions: self.versions.clone(),
            topics,
            added: Vec::new(),
            removed: Vec::new(),
            deltas: Vec::new(),
            views: BTreeMap::new(),
            compaction: None,
            prune: None,
        };
        self.state.check(&entry)?;
        commit_log::sync(&*self.store)?;
        let (bytes, digest) = digested::write(&entry);
        // Before it stands this run does not own the book.
        let put = commit_log::put_beside(staging, entry.entry, &bytes)?;
        if put == Put::Done {
            self.state.follow(&entry, &digest)?;
            self.unfolded.add(bytes.len() as u64);
        }
        Ok(put)
    }

    /// Folds in the entries that other runs have put; returns whether there were any.
    fn read_on(&mut self) -> Result<bool, BookError> {
        let before = self.state.entries;
        while let Some(logged) = commit_log::read_entry(&*self.store, self.state.entries)? {
            self.state.follow(&logged.entry, &logged.digest)?;
            self.unfolded.add(logged.bytes);
        }
        self.compare_settings()?;
        Ok(self.state.entries > before)
    }

    fn compare_settings(&self) -> Result<(), BookError> {
        let compare = |setting, made_with: &str, asked: &str| {
            let other = || (made_with.to_owned(), asked.to_owned());
            if made_with == asked {
                return Ok(());
            }
            let (made_with, asked) = other();
            Err(BookError::OtherSettings { setting, made_with, asked })
        };
        compare("time zone", &self.state.settings.time_zone, &self.settings.time_zone)?;
        compare("day rule", &self.state.settings.day_from, &self.settings.day_from)
    }

    /// Completes the commits of older runs. The order matters: files, then staging, then merged days and counts.
    fn redo(&mut self, staging: &Arc<Staging>) -> Result<Redo, BookError> {
        let fence = self.state.entries - 1;
        let entries = entries(&*self.store, self.state.redone_to + 1..fence)?;
        if !entries.is_empty() {
            info!(from = self.state.redone_to + 1, to = fence - 1, "redoing entries of older runs");
        }
        let mut redo = Redo::new(Arc::clone(staging));
        redo.place_files(&entries)?;
        redo.place_view_files(&entries, &self.state)?;
        redo.rescue_merged(&entries)?;
        redo.sync_moved_files(&entries)?;
        // After placing: staging held committed files. Before merged days and counts: a suspended run may be about to exchange a folder
        // for an older one, or to rename an older counts file over the one that is written here.
        staging.sweep_older()?;
        redo.place_merged(&entries, &mut || {})?;
        redo.move_pruned_files(&entries)?;
        let days: BTreeSet<Day> = entries.iter().flat_map(|entry| &entry.deltas).map(|delta| delta.key.day).collect();
        redo.update_counts_files(&self.state, &entries, &days, &mut |_| Ok(()))?;
        self.state.redone_to = fence;
        Ok(redo)
    }
}

/// Some entries of the log.
fn entries(store: &dyn Store, numbers: Range<u64>) -> Result<Vec<Entry>, BookError> {
    numbers.map(|number| Ok(commit_log::required(store, number)?.entry)).collect()
}

/// The whole log as a state, and what it has after the newest checkpoint; `None` where there is no log.
pub(in crate::book) fn fold(store: &dyn Store) -> Result<Option<(State, UnfoldedEntries)>, BookError> {
    // A checkpoint of an earlier version does not say which files there are: read the whole log, once.
    folding::repeated(store, || fold_once(store, |state| state.files.is_some()))
}

/// Folds the log from the newest checkpoint that `is_usable`, or from its beginning.
fn fold_once(
    store: &dyn Store,
    is_usable: impl Fn(&State) -> bool,
) -> Result<Option<(State, UnfoldedEntries)>, BookError> {
    commit_log::forget_another_book(store)?;
    let evidence = LogEvidence::read(store)?;
    let listed = commit_log::numbers(store)?;
    let mut state = match listed.last() {
        None if commit_log::swept_to(store)?.is_none() => {
            evidence.compare(None)?;
            return Ok(None);
        }
        _ => folding::begin(store, is_usable)?,
    };
    // Read on past the listing: entries may be added while it is made and after.
    let mut next = state.as_ref().map_or(0, |state| state.entries);
    let mut unfolded = UnfoldedEntries::default();
    while let Some(LoggedEntry { entry, digest, bytes }) = commit_log::read_entry(store, next)? {
        let state = state.get_or_insert_with(|| State::new(entry.book.clone(), entry.settings.clone()));
        state.follow(&entry, &digest)?;
        unfolded.add(bytes);
        next += 1;
    }
    folding::end(store, state.as_mut())?;
    if let Some(newest) = listed.last().filter(|newest| next <= **newest) {
        let missing = commit_log::missing_range(&listed, next);
        let reason = format!("{missing}, but the log has entries up to {newest}");
        return Err(BookError::Damaged { path: layout::entry_path(next), reason });
    }
    evidence.compare(state.as_ref())?;
    Ok(state.map(|state| (state, unfolded)))
}
