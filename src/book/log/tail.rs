//! The end of the log, and the corrections that bring counts files to its newest entry.

use std::cell::RefCell;
use std::collections::{BTreeMap, btree_map};

use super::commit_log;
use super::entry::Delta;
use crate::book::read::table_counts::TableCounts;
use crate::book::{BookError, Entry};
use crate::change::Day;
use crate::store::{BookStore, Store};

/// The entries whose files may not be in place, up to the newest one of a snapshot.
pub(in crate::book) struct Tail {
    store: BookStore,
    /// The newest entry of the snapshot.
    pub(in crate::book) newest: u64,
    /// Everything up to this entry is in place.
    pub(in crate::book) redone_to: u64,
    /// The entries after `redone_to`, up to `newest`.
    pub(in crate::book) entries: Vec<Entry>,
    /// Entries after `newest` in the stamps of counts files.
    later: RefCell<BTreeMap<u64, Entry>>,
}

impl Tail {
    /// Reads the entries after `redone_to`, up to `newest`.
    pub(in crate::book) fn read(store: &BookStore, redone_to: u64, newest: u64) -> Result<Tail, BookError> {
        let entries = (redone_to + 1..=newest).map(|number| present_entry(store, number));
        let entries = entries.collect::<Result<Vec<Entry>, BookError>>()?;
        Ok(Tail { store: store.clone(), newest, redone_to, entries, later: RefCell::default() })
    }

    /// What to add to a counts file of `day` to bring it to the newest entry, given the entry in its stamp (`None`: there is no
    /// file).
    pub(in crate::book) fn corrections(&self, day: Day, stands_at: Option<u64>) -> Result<TableCounts, BookError> {
        let stands_at = stands_at.unwrap_or(self.redone_to);
        let mut corrections = TableCounts::default();
        let mut add = |entry: &Entry, sign: i64| {
            for Delta { key, count } in entry.deltas.iter().filter(|delta| delta.key.day == day) {
                corrections.add(&key.table.schema, &key.table.table, key.op, count.saturating_mul(sign));
            }
        };
        for entry in self.entries.iter().filter(|entry| entry.entry > stands_at) {
            add(entry, 1);
        }
        let mut later = self.later.borrow_mut();
        for number in self.newest + 1..=stands_at {
            match later.entry(number) {
                btree_map::Entry::Occupied(known) => add(known.get(), -1),
                btree_map::Entry::Vacant(unknown) => add(unknown.insert(present_entry(&self.store, number)?), -1),
            }
        }
        Ok(corrections)
    }
}

/// An entry that must exist, because others refer to it.
fn present_entry(store: &dyn Store, number: u64) -> Result<Entry, BookError> {
    Ok(commit_log::required(store, number)?.entry)
}
