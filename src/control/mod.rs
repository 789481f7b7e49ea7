//! How long-running work is started, stopped, paced and observed.
//!
//! In: a signal, a failure, counters. Out: the same, for the threads that must stop, and for the progress line. Nothing here
//! crosses processes; what workers of several processes must know travels through the dataflow.
//!
//! A [`Host`] is the machine that a process runs on: a simulation puts one in its place whose time and order of work follow a seed.
//!
//! [`Backoff`] is our own: the crates backon and backoff were looked at, and neither can interrupt a blocking pause.

mod activation_timer;
#[cfg_attr(target_env = "gnu", expect(unsafe_code, reason = "the allocator has no safe binding"))]
mod allocator;
mod background;
mod backoff;
mod catch_panic;
mod deadline;
mod duration_histogram;
mod host;
mod lowest_priority;
mod progress;
mod reject_counts;
mod shutdown;
mod source_progress;

pub use activation_timer::ActivationTimer;
pub use allocator::{bound_allocator, return_freed_memory};
pub use background::Background;
pub use backoff::Backoff;
pub use catch_panic::{catch_panic, is_catching_panics};
pub use deadline::Deadline;
pub use duration_histogram::DurationHistogram;
pub use host::{Host, Machine, Process, Task};
pub use lowest_priority::with_lowest_priority;
pub use progress::Progress;
pub use reject_counts::RejectCounts;
pub use shutdown::Shutdown;
pub use source_progress::{InFlight, SourceProgress};
