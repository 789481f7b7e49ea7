//! Compactions by a process beside the run that owns the book: the run puts the merged files in their places.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::compactor::Compactor;
use super::sources::DayPhase;
use crate::book::error::At;
use crate::book::layout::{day_folder, fence_of, file_name, parent};
use crate::book::log::commit_log;
use crate::book::log::commit_log::Put;
use crate::book::log::digested;
use crate::book::log::entry::{Entry, Versions};
use crate::book::write::entry_parts::entry_of_compaction;
use crate::book::write::resume::fold;
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::book::{BookError, State, layout};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::Table;

/// How often a day is merged again after a start of a run removed what was merged, or another compaction was faster.
const ATTEMPTS: usize = 5;

/// Merges days of a book that another process owns.
pub struct CompactionBeside {
    store: Arc<dyn Store>,
    versions: Versions,
    staging: Arc<Staging>,
    /// The entries whose merged files are in the staging folder.
    put: Vec<(Entry, (Table, Day))>,
}

impl CompactionBeside {
    /// Makes a staging folder beside that of the run; `no_book` is the error where there is no book.
    ///
    /// # Errors
    /// [`BookError::Damaged`] and others of a log that does not hold together; [`BookError::Io`].
    pub fn begin(
        store: &Arc<dyn Store>,
        versions: Versions,
        no_book: &dyn Fn() -> BookError,
    ) -> Result<CompactionBeside, BookError> {
        let (state, _) = fold(&**store)?.ok_or_else(no_book)?;
        let staging = Arc::new(Staging::make(Arc::clone(store), state.entries)?);
        Ok(CompactionBeside { store: Arc::clone(store), versions, staging, put: Vec::new() })
    }

    /// The log as it is now, and the entries whose files may still be in staging.
    ///
    /// # Errors
    /// As [`CompactionBeside::begin`].
    pub fn state(&self) -> Result<(State, Vec<Entry>), BookError> {
        let missing = || BookError::damaged(layout::LOG, "it was there when this process began, and is missing");
        let (state, _) = fold(&*self.store)?.ok_or_else(missing)?;
        let tail = entries(&*self.store, state.redone_to + 1..state.entries)?;
        Ok((state, tail))
    }

    /// Merges the small files of a day, and puts the entry that makes them part of the book; `None` where that is not worth it, and when it
    /// was cancelled.
    ///
    /// # Errors
    /// As [`Compactor::merge_day`].
    pub fn compact(
        &mut self,
        of: (Table, Day),
        phase: DayPhase,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Entry>, BookError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_compact(of, phase, is_cancelled) {
                // The start of a run has removed the folder: begin again in another one.
                Err(BookError::StagingGone { .. } | BookError::Fenced { .. }) if attempt < ATTEMPTS => {
                    self.restage()?
                }
                Ok(Attempt::Outdated) if attempt < ATTEMPTS => {}
                Ok(Attempt::Put(entry)) => {
                    self.put.push(((*entry).clone(), of));
                    return Ok(Some(*entry));
                }
                Ok(Attempt::Nothing | Attempt::Outdated) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the run that owns the book has put the merged files of an entry in their places, and taken the replaced ones away.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub fn is_placed(&self, entry: &Entry, (table, day): (Table, Day)) -> Result<bool, BookError> {
        let folder = day_folder(table, day);
        let names = gone_is_fine(self.store.list(&folder)).at("list", &folder)?;
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let is_there = |path: &str| names.contains(file_name(path));
        // A later compaction may have replaced them already.
        let may_be_replaced = || Ok::<_, BookError>(self.state()?.0.redone_to >= entry.entry);
        let is_removed = !entry.removed.iter().any(|path| is_there(path));
        Ok(is_removed && (entry.added.iter().all(|file| is_there(&file.path)) || may_be_replaced()?))
    }

    /// Removes the staging folder, unless merged files in it are still to be placed: then a later start does.
    ///
    /// # Errors
    /// [`BookError::Io`].
    pub fn finish(self) -> Result<(), BookError> {
        if self.are_placed()? { self.staging.remove_folder() } else { Ok(()) }
    }

    /// Whether no merged file in the staging folder is needed any more.
    fn are_placed(&self) -> Result<bool, BookError> {
        for (entry, of) in &self.put {
            if !self.is_placed(entry, *of)? {
                return Ok(false);
            }
            // The run may not have synced yet what it has put in place; after a power cut the files would be nowhere.
            let folder = day_folder(of.0, of.1);
            for folder in [folder.as_str(), parent(&folder)] {
                self.store.sync_folder(folder).at("sync", folder)?;
            }
        }
        Ok(true)
    }

    fn try_compact(
        &self,
        of: (Table, Day),
        phase: DayPhase,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Attempt, BookError> {
        let compactor = Compactor::new(Arc::clone(&self.staging));
        let (state, tail) = self.state()?;
        let Some(merged) = compactor.merge_day(&state, &tail, of, phase, is_cancelled)? else {
            return Ok(Attempt::Nothing);
        };
        loop {
            let (state, _) = self.state()?;
            if !merged.is_current(&*self.store, &state)? {
                compactor.discard(&merged)?;
                return Ok(Attempt::Outdated);
            }
            if fence_of(self.staging.generation()) <= fence_of(&state.generation) {
                // The start of this generation removes the folder, and redoes only entries up to its fence.
                return Err(BookError::StagingGone { folder: self.staging.path("") });
            }
            let generation = state.generation.clone();
            let entry = entry_of_compaction(&*self.store, &state, generation, self.versions.clone(), &merged);
            state.check(&entry)?;
            commit_log::sync(&*self.store)?;
            let (bytes, digest) = digested::write(&entry);
            match commit_log::put_beside(&self.staging, entry.entry, &bytes) {
                Ok(Put::Done) => return Ok(Attempt::Put(Box::new(entry))),
                // The start of a run may have removed the folder right after the entry was put.
                _ if commit_log::holds(&*self.store, entry.entry, &digest)? => {
                    commit_log::sync(&*self.store)?;
                    return Ok(Attempt::Put(Box::new(entry)));
                }
                // Another entry has this number: look again.
                Ok(Put::Lost(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on in another staging folder, newer than the generation that owns the book now.
    fn restage(&mut self) -> Result<(), BookError> {
        let (state, _) = self.state()?;
        if self.are_placed()? {
            self.staging.remove_folder()?;
        }
        self.put.clear();
        self.staging = Arc::new(Staging::make(Arc::clone(&self.store), state.entries)?);
        Ok(())
    }
}

/// The outcome of one attempt.
enum Attempt {
    /// There was nothing to merge, or it was cancelled.
    Nothing,
    /// Another compaction of the day was faster.
    Outdated,
    /// The entry is in the log.
    Put(Box<Entry>),
}

fn entries(store: &dyn Store, numbers: Range<u64>) -> Result<Vec<Entry>, BookError> {
    numbers.map(|number| Ok(commit_log::required(store, number)?.entry)).collect()
}
