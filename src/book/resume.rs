//! Opening a book: the log folded, a fence put, everything redone that an older run left, its staging taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::info;
use uuid::Uuid;

use crate::change::Day;
use crate::store::Store;

use super::committer::{Committer, write_time};
use super::entry::{BookSettings, Entry, EntryKind, TopicEntry, Versions};
use super::log::{self, LoggedEntry, Put};
use super::make::make;
use super::redo::Redo;
use super::staging::Staging;
use super::traces::Traces;
use super::{BookError, State, checkpoint, digested, layout};

/// A book that is read and not yet owned.
pub struct Book {
    store: Arc<dyn Store>,
    settings: BookSettings,
    versions: Versions,
    state: State,
    /// The entries that the newest checkpoint holds; 0 without one.
    checkpointed: u64,
}

impl Book {
    /// Reads the book's log, or makes a book where there is nothing yet.
    ///
    /// # Errors
    /// [`BookError::NotABook`], [`BookError::OtherSettings`], [`BookError::UnknownFormat`], [`BookError::Unsuitable`];
    /// [`BookError::Damaged`] or [`BookError::Unsound`] for a log that is not as it was written; [`BookError::Io`].
    pub fn open(store: Arc<dyn Store>, settings: BookSettings, versions: Versions) -> Result<Book, BookError> {
        let (state, checkpointed) = match fold(&*store)? {
            Some(folded) => folded,
            None => match make(&*store) {
                Ok(()) => (State::new(Uuid::new_v4().to_string(), settings.clone()), 0),
                // A rival may have made the book since the first look.
                Err(error @ BookError::NotABook { .. }) => fold(&*store)?.ok_or(error)?,
                Err(error) => return Err(error),
            },
        };
        let book = Book { store, settings, versions, state, checkpointed };
        book.compare_settings()?;
        Ok(book)
    }

    /// The book's identity; of a new book it holds only if this run puts the first entry.
    pub fn id(&self) -> &str {
        &self.state.book
    }

    /// What the log says.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the book over: when this returns, older runs can write no more, and every committed file is in its place.
    ///
    /// `topics` tells the topics that are new to the book and where each partition starts, as empty intervals; it is asked
    /// again when another run put an entry in between.
    ///
    /// # Errors
    /// Whatever `topics` fails with; all of [`BookError`] but the settings' errors.
    pub fn fence<E: From<BookError>>(
        mut self,
        mut topics: impl FnMut(&State) -> Result<BTreeMap<String, TopicEntry>, E>,
    ) -> Result<Committer, E> {
        let staging = loop {
            let topics = topics(&self.state)?;
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
        let redo = self.redo(&staging)?;
        Ok(Committer::new(staging, redo, self.state, self.versions, self.checkpointed)?)
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
            written_at: write_time(),
            settings: self.settings.clone(),
            versions: self.versions.clone(),
            topics,
            added: Vec::new(),
            removed: Vec::new(),
            deltas: Vec::new(),
        };
        self.state.check(&entry)?;
        let (bytes, digest) = digested::write(&entry);
        let put = log::put(staging, entry.entry, &bytes)?;
        if put == Put::Done {
            self.state.follow(&entry, &digest)?;
        }
        Ok(put)
    }

    /// Folds in the entries that other runs have put; whether there were any.
    fn read_on(&mut self) -> Result<bool, BookError> {
        let before = self.state.entries;
        while let Some(logged) = log::read_entry(&*self.store, self.state.entries)? {
            self.state.follow(&logged.entry, &logged.digest)?;
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

    /// Finishes what older runs committed. The order matters: files, then staging, then counts.
    fn redo(&mut self, staging: &Arc<Staging>) -> Result<Redo, BookError> {
        let fence = self.state.entries - 1;
        let mut entries = Vec::new();
        for number in self.state.redone_to + 1..fence {
            let missing = || BookError::Damaged { path: layout::entry_path(number), reason: "it is gone".into() };
            entries.push(log::read_entry(&*self.store, number)?.ok_or_else(missing)?.entry);
        }
        if !entries.is_empty() {
            info!(from = self.state.redone_to + 1, to = fence - 1, "redoing entries of older runs");
        }
        let mut redo = Redo::new(Arc::clone(staging));
        redo.place_files(&entries)?;
        // Only now: staging held files that were committed. And before counts: a sleeping run may be about to rename
        // an older counts file over the one that is written here.
        staging.sweep_older()?;
        let days: BTreeSet<Day> = entries.iter().flat_map(|entry| &entry.deltas).map(|delta| delta.0).collect();
        redo.bring_counts(&self.state, &entries, &days)?;
        self.state.redone_to = fence;
        Ok(redo)
    }
}

/// The whole log as a state, and how many of its entries the newest checkpoint holds; `None` where there is no log.
fn fold(store: &dyn Store) -> Result<Option<(State, u64)>, BookError> {
    let traces = Traces::read(store)?;
    let Some(listed) = log::numbers(store)?.pop() else {
        traces.compare(None)?;
        return Ok(None);
    };
    let mut state = checkpoint::read_newest(store)?;
    let checkpointed = state.as_ref().map_or(0, |state| state.entries);
    // Not what was listed: a list that is taken while entries come may lack some, and is behind when it is there.
    let mut next = checkpointed;
    while let Some(LoggedEntry { entry, digest }) = log::read_entry(store, next)? {
        let state = state.get_or_insert_with(|| State::new(entry.book.clone(), entry.settings.clone()));
        state.follow(&entry, &digest)?;
        next += 1;
    }
    if next <= listed {
        let reason = format!("it is gone, but the log goes on to entry {listed}");
        return Err(BookError::Damaged { path: layout::entry_path(next), reason });
    }
    traces.compare(state.as_ref())?;
    Ok(state.map(|state| (state, checkpointed)))
}
