//! The sweep: old entries of the log leave it, and a base stands for them.
//!
//! In: a log with old entries. Out: a log with fewer files, from which the same follows as before:
//! positions, counts, the files of each day with size and checksum, views, and what was read altogether. What is lost is which of the swept
//! entries said it.
//!
//! ```text
//! slice.rs: entries after the base folded ─▶ manifests of their days ─▶ base put if absent, synced ─▶ entries, older bases and manifests removed
//! ```
//!
//! Promised: at every moment the newest base and all entries after it are the whole log. A base is durable before the first entry is removed, and
//! each step may be repeated: entries up to the newest base's are ignored by readers and removed by the next sweep. Only entries are swept
//! that are old, that were redone, and that lie below the newest two checkpoints, which stop versions that know no sweep. What is published comes
//! out of the run's own staging folder, so a run that was fenced cannot; and what it may still remove is covered by a base that was there before.
//!
//! The work is done beside commits: the committer is only asked to write its next checkpoints in the form that a sweep needs.

mod begin;
mod slice;
mod sweeper;

pub use sweeper::{Sweep, Sweeper};
