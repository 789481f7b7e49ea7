//! The state at an entry up to which the log was swept, and what else its entries said.
//!
//! A file `_walbook/base/<its entry, 20 digits>.json` in the two lines of a log entry: `{"format":4,"base":{…}}` and its digest.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::book::error::At;
use crate::book::log::entry::PartitionEntry;
use crate::book::log::{commit_log, digested};
use crate::book::{BookError, State, layout};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::Table;

/// Stands for all entries up to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// What they fold to; its newest entry is the base's.
    pub state: State,
    /// When the first of them was written, by the writer's clock, in microseconds since 1970-01-01 UTC.
    pub made_at: i64,
    /// When they were swept, in the same way.
    pub swept_at: i64,
    /// By topic and partition: what they have read, as one entry would say it.
    pub read: BTreeMap<String, BTreeMap<i32, PartitionEntry>>,
    /// The files that they have named.
    pub manifests: Manifests,
}

/// The manifests of a base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifests {
    events: BTreeMap<Day, ManifestName>,
    rejects: BTreeMap<Day, ManifestName>,
}

/// A manifest's place, and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestName {
    /// The entry of the base that was the first to name it.
    pub entry: u64,
    /// SHA-256 of its line.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Written<B> {
    format: u32,
    base: B,
}

impl Base {
    /// Its newest entry.
    pub fn entry(&self) -> u64 {
        self.state.newest_entry().unwrap_or(0)
    }

    /// The manifest of a table and day; `None` where no swept entry has named a file or a change of it.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when it is not as written; [`BookError::Swept`] when a newer base has replaced this one meanwhile;
    /// [`BookError::UnknownFormat`]; [`BookError::Io`].
    pub fn manifest(&self, store: &dyn Store, table: Table, day: Day) -> Result<Option<Manifest>, BookError> {
        self.manifests.read(store, self.entry(), table, day)
    }
}

impl Manifests {
    /// Those of a table, by day.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (Day, &ManifestName)> {
        self.by_day(table).into_iter().flatten().map(|(day, name)| (*day, name))
    }

    /// The name of that of a table and day.
    pub fn get(&self, table: Table, day: Day) -> Option<&ManifestName> {
        self.by_day(table)?.get(&day)
    }

    /// Replaces that of a table and day.
    pub(in crate::book) fn insert(&mut self, table: Table, day: Day, name: ManifestName) {
        match table {
            Table::Events => drop(self.events.insert(day, name)),
            Table::Rejects => drop(self.rejects.insert(day, name)),
            Table::Counts => {}
        }
    }

    /// Reads that of a table and day, in the base of the entry `base`.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when it is not as written; [`BookError::Swept`] when a newer base has replaced this one meanwhile;
    /// [`BookError::UnknownFormat`]; [`BookError::Io`].
    pub(in crate::book) fn read(
        &self,
        store: &dyn Store,
        base: u64,
        table: Table,
        day: Day,
    ) -> Result<Option<Manifest>, BookError> {
        let Some(name) = self.get(table, day) else { return Ok(None) };
        let path = layout::manifest_path(name.entry, table, day);
        let bytes = match store.read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(match commit_log::swept_to(store)? > Some(base) {
                    true => BookError::Swept { entry: base },
                    false => {
                        BookError::damaged(&path, format!("it is missing, but {:?} names it", layout::base_path(base)))
                    }
                });
            }
            read => read.at("read", &path)?,
        };
        let (manifest, digest): (Manifest, String) = digested::read(&path, &bytes)?;
        match digest == name.sha256 {
            true => Ok(Some(manifest)),
            false => Err(BookError::damaged(&path, format!("{:?} names another one", layout::base_path(base)))),
        }
    }

    fn by_day(&self, table: Table) -> Option<&BTreeMap<Day, ManifestName>> {
        match table {
            Table::Events => Some(&self.events),
            Table::Rejects => Some(&self.rejects),
            Table::Counts => None,
        }
    }
}

/// The bytes of a base.
pub(in crate::book) fn encode(base: &Base) -> Vec<u8> {
    digested::write(&Written { format: digested::FORMAT_OF_SWEEP, base }).0
}

/// Reads the newest base; `None` where nothing was swept.
///
/// # Errors
/// [`BookError::Damaged`] when it is not as written; [`BookError::UnknownFormat`]; [`BookError::Io`].
pub fn read_newest(store: &dyn Store) -> Result<Option<Base>, BookError> {
    let mut gone = None;
    loop {
        let Some(number) = commit_log::swept_to(store)? else { return Ok(None) };
        match read(store, number) {
            // A newer one has replaced it.
            Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && gone < Some(number) => {
                gone = Some(number);
            }
            read => return read.map(Some),
        }
    }
}

/// Reads the base of an entry.
fn read(store: &dyn Store, number: u64) -> Result<Base, BookError> {
    let path = layout::base_path(number);
    let bytes = store.read(&path).at("read", &path)?;
    let (Written { format: _, base }, _): (Written<Base>, String) = digested::read(&path, &bytes)?;
    match base.state.newest_entry() == Some(number) {
        true => Ok(base),
        false => Err(BookError::damaged(&path, "it holds another entry than its name")),
    }
}
