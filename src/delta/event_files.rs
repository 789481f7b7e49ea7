//! The files of events that are part of the book at an entry, by what the entries of the log say.

use std::collections::BTreeMap;

use super::error::DeltaError;
use crate::book::log::base::read_newest;
use crate::book::log::commit_log::{required, swept_to};
use crate::book::log::entry::AddedFile;
use crate::book::{BookError, Entry, Pruned, State};
use crate::store::Store;
use crate::store::layout::{RowsPlace, Table};

/// How often the base is read again because entries were swept meanwhile.
const ATTEMPTS: usize = 5;

/// The size of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileSize {
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// The files of events by path in the book.
#[derive(Clone, Debug, Default)]
pub(super) struct EventFiles {
    /// The number of entries that they follow from.
    entries: u64,
    pub(super) files: BTreeMap<String, FileSize>,
}

impl EventFiles {
    /// Those at an entry up to which they are known.
    pub(super) fn at(entry: u64, files: BTreeMap<String, FileSize>) -> EventFiles {
        EventFiles { entries: entry + 1, files }
    }

    /// Follows the log up to a state. What was swept meanwhile is in the manifests of the base.
    pub(super) fn follow(&mut self, store: &dyn Store, state: &State) -> Result<(), DeltaError> {
        if self.entries == state.entries {
            return Ok(());
        }
        let followed = match swept_to(store)? < Some(self.entries) && self.entries > 0 {
            true => self.follow_entries(store, state),
            false => Err(BookError::Swept { entry: self.entries }),
        };
        match followed {
            Err(BookError::Swept { .. }) => {}
            followed => return Ok(followed?),
        }
        for _ in 1..ATTEMPTS {
            match self.begin_again(store, state) {
                Err(BookError::Swept { .. }) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.begin_again(store, state)?)
    }

    fn follow_entries(&mut self, store: &dyn Store, state: &State) -> Result<(), BookError> {
        for number in self.entries..state.entries {
            self.add(required(store, number)?.entry);
        }
        // What was read under numbers that were swept meanwhile may have been another process's.
        match swept_to(store)? {
            Some(swept) if swept >= self.entries => Err(BookError::Swept { entry: swept }),
            _ => {
                self.entries = state.entries;
                Ok(())
            }
        }
    }

    fn begin_again(&mut self, store: &dyn Store, state: &State) -> Result<(), BookError> {
        let base = read_newest(store)?;
        let mut again = EventFiles::default();
        if let Some(base) = &base {
            if base.state.entries > state.entries {
                return Err(BookError::Swept { entry: base.entry() });
            }
            for (day, _) in base.manifests.of(Table::Events) {
                let manifest = base.manifest(store, Table::Events, day)?.unwrap_or_default();
                manifest.files.into_iter().for_each(|named| again.insert(named.file));
            }
            again.entries = base.state.entries;
            base.state.pruned.into_iter().for_each(|pruned| again.remove_pruned(pruned));
        }
        again.follow_entries(store, state)?;
        state.pruned.into_iter().for_each(|pruned| again.remove_pruned(pruned));
        *self = again;
        Ok(())
    }

    fn add(&mut self, entry: Entry) {
        for path in &entry.removed {
            self.files.remove(path);
        }
        if let Some(pruned) = Pruned::by(&entry) {
            self.remove_pruned(pruned);
        }
        entry.added.into_iter().for_each(|file| self.insert(file));
    }

    fn insert(&mut self, file: AddedFile) {
        if RowsPlace::parse(&file.path).is_some_and(|place| place.table() == Table::Events) {
            self.files.insert(file.path, FileSize { bytes: file.bytes, rows: file.rows });
        }
    }

    fn remove_pruned(&mut self, pruned: Pruned) {
        self.files.retain(|path, _| RowsPlace::parse(path).is_some_and(|place| !pruned.covers(&place)));
    }
}
