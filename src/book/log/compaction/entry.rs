//! The part of a log entry that only compactions have.

use serde::{Deserialize, Serialize};

use super::row_sum::RowSum;

/// What a compaction says of the files that it removes and adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactionEntry {
    /// The generation in whose staging folder the merged files are until they are put in their places. Of a process beside the run it
    /// is not the one that owns the book, but a newer one: no start removes its folder before it has redone this entry.
    pub staged_by: String,
    /// All removed files together.
    pub removed: RemovedRows,
    /// The added files, in their order.
    pub added: Vec<MergedFile>,
}

/// The files that a compaction removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedRows {
    /// Their size in bytes.
    pub bytes: u64,
    /// Their number of rows.
    pub rows: u64,
    /// The sum over their rows.
    pub row_sum: RowSum,
}

/// A file that a compaction adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFile {
    /// The sum over its rows.
    pub row_sum: RowSum,
    /// Its bytes in parts, one for each row group and a last one with the footer: a question verifies what it reads, not the whole file.
    pub parts: Vec<FilePart>,
}

/// A part of a file, which begins where the one before ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// The first byte that is not in it.
    pub end: u64,
    /// XXH3-64 of its bytes, 16 hexadecimal digits.
    pub xxh3: String,
}
