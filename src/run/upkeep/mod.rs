//! What a run does for its book beside commits, on a thread of the leading process: it merges small files, prunes old days, and takes up what
//! other processes put.

#[cfg(feature = "delta")]
mod delta_thread;
mod log_sweep;
mod retention;
mod thread;

#[cfg(feature = "delta")]
pub(super) use delta_thread::DeltaThread;
pub(super) use thread::{Upkeep, UpkeepThread};

/// The threads of a run beside its commits, which end in this order when it is dropped.
pub(super) struct UpkeepThreads {
    /// Merges, prunes and sweeps.
    #[expect(dead_code, reason = "it works until it is dropped")]
    pub(super) upkeep: UpkeepThread,
    /// Writes Delta tables, a last time at the end.
    #[cfg(feature = "delta")]
    #[expect(dead_code, reason = "it works until it is dropped")]
    pub(super) delta: Option<DeltaThread>,
}
