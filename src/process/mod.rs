//! What a process knows of itself: how it ends, and how far it has come.
//!
//! In: a signal, a failure, counters. Out: the same, to whoever must stop, and to the progress line. Nothing here
//! crosses processes; what workers of several processes must know travels through the dataflow.

mod progress;
mod shutdown;

pub use progress::Progress;
pub use shutdown::Shutdown;
