//! Sealed files become a book that readers can trust, and a book becomes the place where the next run goes on.
//!
//! In: the contents of a commit — positions, files sealed in staging, count deltas. Out: a log entry, files in their places,
//! counts files; at start the state that the log holds, and all counts.
//!
//! Promised: an entry is in the log whole or not at all, and it alone makes output visible. What an entry names becomes
//! visible exactly once, whatever crashes, however often. Of several runs on one book the newest wins; any other ends with
//! [`BookError::Fenced`] and changes nothing that readers see. A log that is not as it was written is refused.
//!
//! ```text
//! Book::open ── log folded ──▶ Book::fence ── fence put, older entries redone, older staging swept ──▶ Committer
//! Committer::commit ── entry put if absent (the commit) ──▶ files renamed out of staging ──▶ counts files renamed over
//! ```
//!
//! On disk: [`layout`] has every path, [`entry`] a log entry, `checkpoint.rs` the folded state, `counts_file.rs` a day's counts.
//!
//! *Why* the order at start is files, staging, counts: the committed files are in the older run's staging folder, so it can be
//! taken away only when they are placed; and a run that sleeps between writing a counts file and renaming it wakes up to
//! a folder that is gone, so what is written after cannot be put back to an older state.

mod checkpoint;
mod checksum;
pub(crate) mod columns;
mod commit;
mod committer;
mod complete_to;
mod counts_file;
mod counts_rows;
mod digested;
pub mod entry;
mod error;
mod follow;
pub mod log;
mod lost;
mod make;
mod metadata;
mod named_files;
mod printable;
mod recount;
mod redo;
mod resume;
mod snapshot;
mod staging;
mod state;
mod table_counts;
mod tail;
mod traces;
mod verify;

use crate::store::layout;

pub use checkpoint::encode as encode_checkpoint;
pub use commit::{Committing, Parts, commit_epochs};
pub use committer::{CommitContents, CommitOutcome, Committer, CountDelta};
pub use complete_to::{CompleteTo, Level, rfc3339};
pub use counts_file::{CountsFile, CountsStamp};
pub use digested::FORMAT;
pub use entry::Entry;
pub use error::BookError;
pub use follow::{Follower, Found};
pub use lost::Lost;
pub(crate) use printable::printable;
pub use resume::Book;
pub use snapshot::{DataFile, Snapshot};
pub use state::{DayState, PartitionState, State, TopicState};
pub use verify::{Check, Progress, Report, verify};
