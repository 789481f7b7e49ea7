//! Compaction: the many small files of a day become few large ones, with the same rows, while runs and readers go on.
//!
//! In: a day whose files are small. Out: an entry of kind `compaction` that removes them and adds merged ones; then the day's folder
//! with these in it.
//!
//! ```text
//! Compactor::merge_day ── sources verified, rows sorted, files sealed in staging ──▶ MergedDay
//! MergedDay ── Committer::compact, or CompactionBeside::put in a process beside the run ──▶ entry ──▶ place.rs: the folder exchanged
//! ```
//!
//! Promised: the rows are the same, by their number and by a sum over their identities that the entry's rules compare. A source that
//! is not, byte for byte, as committed ends the compaction, and nothing is changed. A listing of the folder at any moment has each row
//! once, where the file system can exchange folders. Memory holds 64 MB of rows, one source of below 128 MB, and for each 64 MB of the day's
//! rows a batch of 256 kB.
//!
//! Rows of merged files are in the order of schema, table, topic, partition, offset and ordinal, so that each database table has row groups
//! of its own. *Why no Bloom filters*: where rows are sorted, the least and the greatest name of a row group exclude the same.

mod beside;
mod closed_days;
mod commit;
mod compactor;
mod merge;
mod merged_day;
pub(in crate::book) mod place;
mod replaced_files;
mod sort;
mod sources;

pub use beside::CompactionBeside;
pub use closed_days::closed_days;
pub use compactor::Compactor;
pub use merged_day::MergedDay;
pub use replaced_files::remove_replaced_files;
pub use sources::{DayPhase, TARGET_BYTES, days_with_several_files};
