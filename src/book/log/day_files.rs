//! How many files of a table the log names on a day, and a sum over their names: a listing of the day's folder that differs
//! has lost a file, or has one that no entry names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::entry::Entry;
use crate::book::layout::{FilePlace, Table};
use crate::change::Day;

/// The names of some files, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameSum {
    /// How many they are.
    pub files: u64,
    /// XXH3-64 of each path in the book, added up modulo 2^64.
    pub xxh3: u64,
}

impl NameSum {
    /// Adds a file by its path in the book.
    pub(in crate::book) fn add(&mut self, path: &str) {
        self.files += 1;
        self.xxh3 = self.xxh3.wrapping_add(XxHash3_64::oneshot(path.as_bytes()));
    }
}

/// The files of rows of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFiles {
    /// Those of events.
    pub events: NameSum,
    /// Those of rejects.
    pub rejects: NameSum,
}

impl DayFiles {
    /// The sum of one table's names. Counts have one file a day, which every entry may replace.
    pub(in crate::book) fn of(&self, table: Table) -> NameSum {
        match table {
            Table::Events => self.events,
            Table::Rejects => self.rejects,
            Table::Counts => NameSum::default(),
        }
    }
}

/// Adds the files of an entry to those of the entries before.
pub(in crate::book) fn add_entry(days: &mut BTreeMap<Day, DayFiles>, entry: &Entry) {
    for file in &entry.added {
        let Some(FilePlace { table, day, .. }) = FilePlace::parse(&file.path) else { continue };
        let known = days.entry(day).or_default();
        match table {
            Table::Events => known.events.add(&file.path),
            Table::Rejects => known.rejects.add(&file.path),
            Table::Counts => {}
        }
    }
}
