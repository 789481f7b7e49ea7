//! Rows on their way to a file, and the file.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::change::{CommitNumber, Day};

/// Rows of one table from one batch of records, in the order they were read.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The commit they belong to.
    pub commit: CommitNumber,
    /// The columns.
    pub columns: RecordBatch,
    /// Stretches of equal day: the day and the row after its last; the last end is the number of rows.
    pub days: Vec<(Day, usize)>,
}

/// A file that is whole, synced and still in staging; no entry names it yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SealedFile {
    /// The commit it belongs to.
    pub commit: CommitNumber,
    /// Where it will stand in the book, relative to its root: `events/day=2026-11-22/c0000000412-w003-0.parquet`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// XXH3-64 of all bytes.
    pub checksum: u64,
}
