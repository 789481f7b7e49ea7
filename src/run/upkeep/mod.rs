//! What a run does for its book beside commits, on threads of the leading process.
//!
//! ```text
//! thread.rs        takes up entries of other processes, prunes old days, merges days (days_to_merge.rs), sweeps the log (log_sweep.rs)
//! delta_thread.rs  brings the Delta tables to the newest entry
//! ```
//!
//! Both use the committer between two commits. Each is a [`BackgroundThread`]: asked to end when the run ends, and waited for only for a while.

mod background;
mod days_to_merge;
#[cfg(feature = "delta")]
mod delta_thread;
mod log_sweep;
mod retention;
mod thread;

pub(super) use background::BackgroundThread;
#[cfg(feature = "delta")]
pub(super) use delta_thread::start as start_delta;
pub(super) use thread::Upkeep;

/// The threads of a run beside its commits, which end in this order when it is dropped.
pub(super) struct UpkeepThreads {
    /// Merges, prunes and sweeps.
    #[expect(dead_code, reason = "it works until it is dropped")]
    pub(super) upkeep: BackgroundThread,
    /// Writes Delta tables, a last time at the end.
    #[cfg(feature = "delta")]
    #[expect(dead_code, reason = "it works until it is dropped")]
    pub(super) delta: Option<BackgroundThread>,
}
