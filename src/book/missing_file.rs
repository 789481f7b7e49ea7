//! The error for a file that the log names and that is nowhere.

use std::io;

use super::layout::Table;
use super::log::commit_log::read_entry;
use super::log::entry::{Entry, PartitionEntry, SourceKind};
use super::{BookError, LostRows};
use crate::change::{Interval, Lsn};
use crate::store::Store;

/// A file that an entry adds and that is nowhere, and why, where the store says so.
pub(in crate::book) fn missing_file_of(entry: &Entry, path: &str, source: Option<io::Error>) -> BookError {
    BookError::Missing { path: path.to_owned(), entry: entry.entry, lost: lost_rows(entry, path), source }
}

/// A file that entry `number` adds and that is nowhere.
pub(in crate::book) fn missing_file(store: &dyn Store, number: u64, path: &str) -> BookError {
    let lost = lost_rows_of(store, number, path);
    BookError::Missing { path: path.to_owned(), entry: number, lost, source: None }
}

/// The rows of a file that entry `number` adds, as far as that can be read: it may be swept, or damaged.
pub(in crate::book) fn lost_rows_of(store: &dyn Store, number: u64, path: &str) -> LostRows {
    let entry = read_entry(store, number).ok().flatten();
    entry.map(|logged| lost_rows(&logged.entry, path)).unwrap_or_default()
}

fn lost_rows(entry: &Entry, path: &str) -> LostRows {
    let rows = entry.added.iter().find(|added| added.path == path).map(|added| added.rows);
    let is_rejects = path.starts_with(Table::Rejects.folder());
    let mut ranges = Vec::new();
    for (topic, read) in &entry.topics {
        for (partition, PartitionEntry { interval, tally, .. }) in &read.positions {
            let rows = if is_rejects { tally.rejects } else { tally.bearing };
            if rows > 0 {
                ranges.push(range(topic, read.source, *partition, *interval));
            }
        }
    }
    LostRows { rows, ranges }
}

/// An interval in the terms of its source.
fn range(topic: &str, source: SourceKind, partition: i32, Interval { from, to }: Interval) -> String {
    let lsn = |number| Lsn::from_i64(number).unwrap_or(Lsn::ZERO);
    match source {
        SourceKind::Kafka => format!("{topic:?} partition {partition}: offsets {from} to {to} (exclusive)"),
        SourceKind::Slot => format!("slot {topic:?}: LSNs {} to {} (exclusive)", lsn(from), lsn(to)),
        SourceKind::File => format!("file {topic:?}: bytes {from} to {to} (exclusive)"),
    }
}
