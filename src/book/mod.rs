//! The output directory with its log: committing sealed files, resuming after a stop, reading, verifying.
//!
//! In: the contents of a commit — positions, files sealed in staging, count deltas. Out: a log entry, files in their places,
//! counts files; at start the state that the log folds to, and all counts; for readers a [`Snapshot`]; a [`Report`] on all of it.
//!
//! Promised: an entry is in the log whole or not at all, and it alone makes output visible. What an entry names becomes
//! visible exactly once, after any number of crashes. Of several runs on one book the newest wins; any other ends with
//! [`BookError::Fenced`] and changes nothing that readers see. A log that is not as it was written is refused. Readers see
//! exactly one commit, and only commits that survive a crash.
//!
//! ```text
//! Book::open ── log folded ──▶ Book::fence ── fence put, older entries redone, older staging swept ──▶ Committer
//! Committer::commit ── entry put if absent (the commit) ──▶ files renamed out of staging ──▶ counts files renamed over
//! ```
//!
//! Old entries leave the log by a sweep, when a base stands for them.
//!
//! Declarations of views, compactions and entries that prune are what other processes may put: the run that owns the book follows them before its next entry.
//!
//! On disk: [`layout`] has every path, [`log::entry`] a log entry, `checkpoint.rs` the folded state, [`log::base`] what stands for swept entries, `counts_file.rs` a day's counts.
//!
//! *Why* the order at start is files, staging, counts: committed files may still be in an older run's staging folder, so it can
//! be removed only when they are placed; and a run that was suspended between writing a counts file and renaming it then
//! finds its folder gone, so it cannot replace a newer counts file.
//!
//! *Why* our own log and not delta-rs or iceberg-rust: both are on an older arrow (DESIGN section 8), and neither commits read positions,
//! files and count deltas in one atomic act on a plain file system.

pub mod compact;
mod concurrently;
mod error;
mod lease;
pub mod log;
mod lost_rows;
mod missing_file;
pub mod prune;
pub(crate) mod read;
pub mod sweep;
mod verify;
mod write;

use crate::store::layout;

pub use error::BookError;
pub use lease::{Lease, LeaseWatch, Vacancy};
pub use log::checkpoint::encode as encode_checkpoint;
#[cfg(feature = "fuzzing")]
pub use log::checkpoint::fuzz_log_line;
pub use log::compaction::{Compactions, NewestCompaction};
pub use log::days::day_files::{DayFiles, FileTotals, NameSum, SizeSum};
pub use log::digested::FORMAT;
pub use log::entry::Entry;
pub use log::folding::state_at;
pub use log::pruning::{PruneEntry, Pruned};
pub use log::state::{DayState, Lost, PartitionState, State, TopicState, ViewState};
pub use lost_rows::LostRows;
pub use read::complete_to::{AnswerLevel, CompleteTo};
pub use read::counts_rows::CountsStamp;
pub(crate) use read::display::printable;
pub use read::display::rfc3339;
pub use read::follow::{Follower, LogUpdate};
pub use read::snapshot::{DataFile, Snapshot};
pub use verify::{Check, Report, VerifyProgress, verify};
pub use write::commit_epochs::{CommittedEntry, Committing, commit_epochs};
pub use write::committer::{BeforeRemoval, CommitContents, CommitOutcome, Committer, CountDelta};
pub use write::counts_file::CountsFile;
pub use write::day_counts::DayCounts;
pub use write::resume::Book;
pub use write::views::declare::{ViewChange, change_view};
pub use write::views::views_at_start::KeptView;
