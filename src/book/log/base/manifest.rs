//! The files that swept entries have named on one day, and the changes that they have counted.
//!
//! A file `_walbook/files/<entry of the first base that names it>.<table>.day=<day>.json` in the two lines of a log entry:
//! `{"format":4,"files":[…],"counts":[…]}` and its digest, which the base has too.

use serde::{Deserialize, Serialize};

use crate::book::log::compaction::MergedFile;
use crate::book::log::digested;
use crate::book::log::entry::{AddedFile, Delta};

/// The files of a table and day at a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Those that are part of the book there, sorted by path.
    pub files: Vec<NamedFile>,
    /// Of events: how many changes all entries up to the base have added, by key; sorted, each positive.
    pub counts: Vec<Delta>,
}

/// A file, and the entry that has added it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFile {
    /// The entry's number.
    pub entry: u64,
    /// The file.
    #[serde(flatten)]
    pub file: AddedFile,
    /// Of a merged file: what its compaction says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<MergedFile>,
}

impl Default for Manifest {
    fn default() -> Manifest {
        Manifest { format: digested::FORMAT_OF_SWEEP, files: Vec::new(), counts: Vec::new() }
    }
}
