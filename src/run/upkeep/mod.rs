//! What a run does for its book beside commits, on a thread of the leading process: it merges small files, prunes old days, and takes up what
//! other processes put.

mod log_sweep;
mod retention;
mod thread;

pub(super) use thread::{Upkeep, UpkeepThread};
