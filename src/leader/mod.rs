//! The leader: its clock, the commands that it sends to all workers, and what all workers send to it.
//!
//! In: how the run begins, requests of the workers, and what each of them counted and read. Out: commands for all workers, at
//! the epochs in which they apply; on worker 0, counts, changes of views, tallies and positions of all workers, for commits and live answers.
//!
//! The leader is process 0: its *clock* thread closes epochs and ends commits; everything else follows its ticks.

mod clock;
mod count_rejects;
mod gather;
mod live;
mod tick_schedule;
mod ticks;

pub use clock::{Discovery, LeaderHandle, start_clock};
pub use count_rejects::count_rejects;
pub use gather::{ViewUpdates, WorkerStreams, gather_on_leader};
pub use live::publish_live;
pub use tick_schedule::{ClockEvent, ClockInput, InitialContents, TickIntervals, TickSchedule};
pub use ticks::{LeaderStreams, leader_ticks, request_ticks, wake_on_commit};
