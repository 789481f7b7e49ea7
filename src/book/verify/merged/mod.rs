//! Files whose rows cannot be compared with the entry that first wrote them: merged files, and those of swept entries.
//!
//! The entries that have lost files to a merge or were swept themselves are compared together with all such files: counts by key and day, and by
//! partition the offsets.

mod merged_files;
mod merged_rows;
mod swept_files;

pub(super) use merged_files::verify_merged;
pub(super) use merged_rows::{MergedRows, PrunedRows};
pub(super) use swept_files::{SweptFiles, verify_swept};
