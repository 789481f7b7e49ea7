//! The end of the log, and what counts files lack or have too much against it.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map};
use std::path::{Path, PathBuf};

use super::ReadError;
use super::entry::{Delta, Entry};
use super::read_log::{entry_path, read_entry};
use super::table_counts::TableCounts;
use crate::change::Day;

/// The entries whose files may not be in place, up to the newest one of a snapshot.
pub(crate) struct Tail {
    root: PathBuf,
    /// The newest entry of the snapshot.
    pub(crate) newest: u64,
    /// Everything up to this entry is in place.
    pub(crate) redone_to: u64,
    /// The entries after `redone_to`, up to `newest`.
    pub(crate) entries: Vec<Entry>,
    /// Entries after `newest` that counts files turned out to stand at.
    later: RefCell<BTreeMap<u64, Entry>>,
}

impl Tail {
    /// Reads the entries after `redone_to`, up to `newest`.
    pub(crate) fn read(root: &Path, redone_to: u64, newest: u64) -> Result<Tail, ReadError> {
        let entries = (redone_to + 1..=newest).map(|number| present_entry(root, number));
        let entries = entries.collect::<Result<Vec<Entry>, ReadError>>()?;
        Ok(Tail { root: root.to_owned(), newest, redone_to, entries, later: RefCell::default() })
    }

    /// What a counts file of `day` needs to be that of the newest entry, given the entry it stands at (`None`: there is
    /// no file).
    pub(crate) fn corrections(&self, day: Day, stands_at: Option<u64>) -> Result<TableCounts, ReadError> {
        let stands_at = stands_at.unwrap_or(self.redone_to);
        let mut corrections = TableCounts::default();
        let mut add = |entry: &Entry, sign: i64| {
            for Delta(_, schema, table, op, count) in entry.deltas.iter().filter(|delta| delta.0 == day) {
                corrections.add(schema, table, *op, count.saturating_mul(sign));
            }
        };
        for entry in self.entries.iter().filter(|entry| entry.entry > stands_at) {
            add(entry, 1);
        }
        let mut later = self.later.borrow_mut();
        for number in self.newest + 1..=stands_at {
            match later.entry(number) {
                btree_map::Entry::Occupied(known) => add(known.get(), -1),
                btree_map::Entry::Vacant(unknown) => add(unknown.insert(present_entry(&self.root, number)?), -1),
            }
        }
        Ok(corrections)
    }
}

/// An entry that must be there, because others speak of it.
fn present_entry(root: &Path, number: u64) -> Result<Entry, ReadError> {
    let stored = read_entry(root, number)?;
    stored.map(|stored| stored.entry).ok_or_else(|| ReadError::damaged(entry_path(root, number), "it is missing"))
}
