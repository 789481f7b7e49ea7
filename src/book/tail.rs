//! The end of the log, and what counts files lack or have too much against it.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map};

use super::entry::Delta;
use super::table_counts::TableCounts;
use super::{BookError, Entry, layout, log};
use crate::change::Day;
use crate::store::Disk;

/// The entries whose files may not be in place, up to the newest one of a snapshot.
pub(super) struct Tail {
    disk: Disk,
    /// The newest entry of the snapshot.
    pub(super) newest: u64,
    /// Everything up to this entry is in place.
    pub(super) redone_to: u64,
    /// The entries after `redone_to`, up to `newest`.
    pub(super) entries: Vec<Entry>,
    /// Entries after `newest` that counts files turned out to stand at.
    later: RefCell<BTreeMap<u64, Entry>>,
}

impl Tail {
    /// Reads the entries after `redone_to`, up to `newest`.
    pub(super) fn read(disk: &Disk, redone_to: u64, newest: u64) -> Result<Tail, BookError> {
        let entries = (redone_to + 1..=newest).map(|number| present_entry(disk, number));
        let entries = entries.collect::<Result<Vec<Entry>, BookError>>()?;
        Ok(Tail { disk: disk.clone(), newest, redone_to, entries, later: RefCell::default() })
    }

    /// What a counts file of `day` needs to be that of the newest entry, given the entry it stands at (`None`: there is
    /// no file).
    pub(super) fn corrections(&self, day: Day, stands_at: Option<u64>) -> Result<TableCounts, BookError> {
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
                btree_map::Entry::Vacant(unknown) => add(unknown.insert(present_entry(&self.disk, number)?), -1),
            }
        }
        Ok(corrections)
    }
}

/// An entry that must be there, because others speak of it.
fn present_entry(disk: &Disk, number: u64) -> Result<Entry, BookError> {
    let logged = log::read_entry(disk, number)?;
    logged.map(|logged| logged.entry).ok_or_else(|| BookError::damaged(&layout::entry_path(number), "it is missing"))
}
