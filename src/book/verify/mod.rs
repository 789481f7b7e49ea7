//! Proves that a book agrees with its log, from the bytes up.
//!
//! In: a book's directory, while a run writes it or not. Out: a [`Report`], one [`Check`] for each promise, with what
//! was compared and what is wrong. Promised: every file of every commit up to the newest at the start is read once and
//! compared with its entry, or with the base that stands for swept entries; memory holds one entry's offsets a thread, the totals by key, and 8 bytes a file.

mod chain;
mod checkpoints;
mod counts;
mod files;
mod findings;
mod merged;
mod offsets;
mod paths;
mod recount;
mod report;
mod swept_log;
mod unreferenced_files;
#[expect(clippy::module_inception, reason = "the act is the room's noun")]
mod verify;
mod views;

pub use report::{Check, Report};
pub use verify::{VerifyProgress, verify};
