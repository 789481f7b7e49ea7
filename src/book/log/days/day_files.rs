//! How many files of a table the log names on a day, and a sum over their names: a listing of the day's folder that differs
//! has lost a file, or has one that no entry names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::book::layout::{RowsPlace, Table};
use crate::book::log::entry::Entry;
use crate::change::Day;

/// The names of some files, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameSum {
    /// How many they are.
    pub files: u64,
    /// XXH3-64 of each path in the book, added up modulo 2^64.
    pub xxh3: u64,
}

/// The sizes of some files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SizeSum(Option<u64>);

impl Default for SizeSum {
    fn default() -> SizeSum {
        SizeSum(Some(0))
    }
}

impl SizeSum {
    /// Unknown, as in checkpoints of versions that did not write it.
    fn unknown() -> SizeSum {
        SizeSum(None)
    }

    /// All bytes; `None` where they are not known.
    pub fn bytes(self) -> Option<u64> {
        self.0
    }

    pub(in crate::book::log) fn is_unknown(&self) -> bool {
        self.0.is_none()
    }

    fn add(&mut self, bytes: u64) {
        self.0 = self.0.map(|known| known.saturating_add(bytes));
    }

    fn remove(&mut self, bytes: u64) {
        self.0 = self.0.map(|known| known.saturating_sub(bytes));
    }
}

impl NameSum {
    /// Adds a file by its path in the book.
    pub(in crate::book) fn add(&mut self, path: &str) {
        self.files += 1;
        self.xxh3 = self.xxh3.wrapping_add(XxHash3_64::oneshot(path.as_bytes()));
    }

    /// Removes a file by its path in the book.
    fn remove(&mut self, path: &str) {
        self.files = self.files.saturating_sub(1);
        self.xxh3 = self.xxh3.wrapping_sub(XxHash3_64::oneshot(path.as_bytes()));
    }

    /// Whether files with these paths can be among them, as far as that can be known: all of them, if they are as many.
    pub(in crate::book) fn may_hold(&self, paths: &[String]) -> bool {
        let mut others = NameSum::default();
        paths.iter().for_each(|path| others.add(path));
        others.files < self.files || others == *self
    }
}

/// The files of rows of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFiles {
    /// Those of events.
    pub events: NameSum,
    /// Those of rejects.
    pub rejects: NameSum,
    /// The sizes of those of events.
    #[serde(default = "SizeSum::unknown", skip_serializing_if = "SizeSum::is_unknown")]
    pub event_sizes: SizeSum,
    /// The sizes of those of rejects.
    #[serde(default = "SizeSum::unknown", skip_serializing_if = "SizeSum::is_unknown")]
    pub reject_sizes: SizeSum,
}

impl DayFiles {
    /// The sum of one table's names. Counts have one file a day, which every entry may replace.
    pub fn of(&self, table: Table) -> NameSum {
        match table {
            Table::Events => self.events,
            Table::Rejects => self.rejects,
            Table::Counts => NameSum::default(),
        }
    }

    /// Forgets sizes that `held`, of the same day, does not have: a version that did not write them has written it.
    pub(in crate::book) fn forget_unwritten(&mut self, held: &DayFiles) {
        for (own, held) in [(&mut self.event_sizes, held.event_sizes), (&mut self.reject_sizes, held.reject_sizes)] {
            if held.is_unknown() {
                *own = held;
            }
        }
    }

    /// The sizes of one table's files.
    pub fn size_of(&self, table: Table) -> SizeSum {
        match table {
            Table::Events => self.event_sizes,
            Table::Rejects => self.reject_sizes,
            Table::Counts => SizeSum::default(),
        }
    }
}

/// All files of rows of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileTotals {
    /// How many they are.
    pub files: u64,
    /// Their sizes.
    pub sizes: SizeSum,
    /// How many files the day and table with the most of them have.
    pub most_of_a_day: u64,
}

impl FileTotals {
    /// Those of some days.
    pub fn of<'a>(days: impl IntoIterator<Item = &'a DayFiles>) -> FileTotals {
        let mut totals = FileTotals::default();
        for day in days {
            for (names, sizes) in [(day.events, day.event_sizes), (day.rejects, day.reject_sizes)] {
                totals.files += names.files;
                totals.most_of_a_day = totals.most_of_a_day.max(names.files);
                totals.sizes.0 = totals.sizes.0.zip(sizes.0).map(|(one, other)| one.saturating_add(other));
            }
        }
        totals
    }
}

/// Adds the files of an entry to those of the entries before, and removes those that it removes.
pub(in crate::book) fn add_entry(days: &mut BTreeMap<Day, DayFiles>, entry: &Entry) {
    let mut removed_bytes = entry.compaction.as_ref().map_or(0, |compaction| compaction.removed.bytes);
    for path in &entry.removed {
        let Some((names, sizes)) = sums_of(days, path) else { continue };
        names.remove(path);
        sizes.remove(std::mem::take(&mut removed_bytes));
    }
    for file in &entry.added {
        let Some((names, sizes)) = sums_of(days, &file.path) else { continue };
        names.add(&file.path);
        sizes.add(file.bytes);
    }
}

/// The sums that a file belongs to.
fn sums_of<'a>(days: &'a mut BTreeMap<Day, DayFiles>, path: &str) -> Option<(&'a mut NameSum, &'a mut SizeSum)> {
    let place = RowsPlace::parse(path)?;
    let known = days.entry(place.day()).or_default();
    match place.table() {
        Table::Events => Some((&mut known.events, &mut known.event_sizes)),
        Table::Rejects => Some((&mut known.rejects, &mut known.reject_sizes)),
        Table::Counts => None,
    }
}
