//! What all compactions of a book have done.

use serde::{Deserialize, Serialize};

use crate::book::Entry;
use crate::book::layout::RowsPlace;
use crate::change::Day;

/// The compactions up to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compactions {
    /// How many there are.
    pub entries: u64,
    /// The newest one.
    pub newest: NewestCompaction,
}

/// What the newest compaction has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestCompaction {
    /// Its entry in the log.
    pub entry: u64,
    /// When it was written, by the writer's clock, in microseconds since 1970-01-01 UTC.
    pub written_at: i64,
    /// The table: events or rejects.
    pub table: String,
    /// The day.
    pub day: Day,
    /// How many files it replaced.
    pub files_before: u64,
    /// By how many.
    pub files_after: u64,
    /// The size of the replaced files.
    pub bytes_before: u64,
    /// The size of the new ones.
    pub bytes_after: u64,
    /// How many rows they have.
    pub rows: u64,
}

/// Adds an entry to those before.
pub(in crate::book) fn add_entry(compactions: &mut Option<Compactions>, entry: &Entry) {
    let Some(compaction) = &entry.compaction else { return };
    let Some(place) = entry.added.first().and_then(|file| RowsPlace::parse(&file.path)) else { return };
    let newest = NewestCompaction {
        entry: entry.entry,
        written_at: entry.written_at,
        table: place.table().folder().to_owned(),
        day: place.day(),
        files_before: entry.removed.len() as u64,
        files_after: entry.added.len() as u64,
        bytes_before: compaction.removed.bytes,
        bytes_after: entry.added.iter().map(|file| file.bytes).fold(0, u64::saturating_add),
        rows: compaction.removed.rows,
    };
    let entries = compactions.as_ref().map_or(0, |before| before.entries) + 1;
    *compactions = Some(Compactions { entries, newest });
}
