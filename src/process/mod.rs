//! What a process knows of itself: how it ends, how far it has come, and when its operators are to wake.
//!
//! In: a signal, a failure, counters. Out: the same, to whoever must stop, and to the progress line. Nothing here
//! crosses processes; what workers of several processes must know travels through the dataflow.

mod alarm;
mod durations;
mod guarded;
mod progress;
mod quiet;
mod shutdown;

pub use alarm::Alarm;
pub use durations::Durations;
pub use guarded::{guarded, is_guarded};
pub use progress::Progress;
pub use quiet::{Quiet, Underway};
pub use shutdown::Shutdown;
