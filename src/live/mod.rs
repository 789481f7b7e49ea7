//! What a run has read and not committed yet, told at each closed epoch.
//!
//! In: totals, tallies and positions on their way to the commit. Out: the same, and, to whoever serves a page in the leading
//! process, one [`ClosedEpoch`] for each step of the frontier. Promised: what is told of an epoch is all of it and nothing of
//! a later one, so that its counts are exactly those of its positions; nobody who listens can make the dataflow wait.
//!
//! *Why* the streams pass through: without a listener nothing is copied, and the dataflow is the same on all workers.

mod closed;
mod publish;

pub use closed::ClosedEpoch;
pub use publish::{Told, publish_live};
