//! Entries that replace files of one day by fewer ones with the same rows.
//!
//! In: an entry of kind `compaction`. Out: whether it may follow, and what all of them have done so far.
//!
//! Such an entry removes files of one table and day, and adds files named by its own number. It has the number of rows of both, and a sum
//! over the identities of all rows ([`RowSum`]); both must agree, so no row is lost or doubled. Positions, commit number and counts stay
//! as they are.

mod entry;
mod history;
pub(in crate::book) mod row_sum;
mod rules;

pub use entry::{CompactionEntry, FilePart, MergedFile, RemovedRows};
pub(in crate::book) use history::add_entry;
pub use history::{Compactions, NewestCompaction};
pub use row_sum::RowSum;
pub(in crate::book::log) use rules::check;
