//! What is lost with a file that the log names and that is nowhere: rows of which offsets.

use std::fmt::{self, Display, Formatter};

use super::log::commit_log::read_entry;
use super::log::entry::Entry;
use super::{BookError, layout};
use crate::change::Interval;
use crate::store::Store;

/// How many partitions a message names.
const NAMED: usize = 8;

/// The rows of a file, as far as its entry says which they are: those of one commit, whose partitions are spread over its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostRows {
    rows: Option<u64>,
    /// By topic and partition: the offsets whose records the commit has.
    offsets: Vec<(String, i32, Interval)>,
}

impl LostRows {
    /// Those of a file that entry `number` adds, as far as that can be read: it may be swept, or damaged.
    pub(in crate::book) fn of_file(store: &dyn Store, number: u64, path: &str) -> LostRows {
        let entry = read_entry(store, number).ok().flatten();
        entry.map(|logged| LostRows::of(&logged.entry, path)).unwrap_or_default()
    }

    /// Those of a file that an entry adds. A compaction's says only how many they are.
    pub(in crate::book) fn of(entry: &Entry, path: &str) -> LostRows {
        let rows = entry.added.iter().find(|added| added.path == path).map(|added| added.rows);
        let is_rejects = path.starts_with(layout::Table::Rejects.folder());
        let mut offsets = Vec::new();
        for (topic, read) in &entry.topics {
            for (partition, read) in &read.positions {
                let rows = if is_rejects { read.tally.rejects } else { read.tally.bearing };
                if rows > 0 {
                    offsets.push((topic.clone(), *partition, read.interval));
                }
            }
        }
        LostRows { rows, offsets }
    }
}

impl Display for LostRows {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Some(rows) = self.rows else { return Ok(()) };
        write!(formatter, "; its {rows} rows are lost")?;
        for (number, (topic, partition, Interval { from, to })) in self.offsets.iter().take(NAMED).enumerate() {
            let before = if number == 0 { ", of" } else { ";" };
            write!(formatter, "{before} {topic:?} partition {partition}: offsets {from} to {to} (exclusive)")?;
        }
        match self.offsets.len().checked_sub(NAMED) {
            Some(more) if more > 0 => write!(formatter, "; and of {more} more partitions"),
            _ => Ok(()),
        }
    }
}

/// The error for a file that entry `number` names and that is nowhere.
pub(in crate::book) fn missing_file(store: &dyn Store, number: u64, path: &str) -> BookError {
    let lost = LostRows::of_file(store, number, path);
    BookError::Missing { path: path.to_owned(), entry: number, lost, source: None }
}
