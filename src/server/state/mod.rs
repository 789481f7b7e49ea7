//! What the server knows: the book's newest commit, what a run has read beyond it, and the status of that run.
//!
//! In: closed epochs and commits of the run of this process, or the commit log of a book that another process writes; answers of
//! the source. Out: [`AppState`], from which each handler gets one [`StateSnapshot`]. Promised: the live state is never behind
//! the durable state, and no reader waits for a writer.
//!
//! *Why* [`frames::Frame`]s and not `tokio::sync::broadcast`: that keeps every message for the slowest client or drops some; here a slow
//! client gets one difference to the newest frame. *Why* no cache library: the caches hold one set of counts at a time.

mod app_state;
mod counts;
mod durable_state;
mod follow_book;
mod follow_run;
mod frames;
mod live_state;
mod pending_rejects;
mod rate;
mod run_state;
mod run_status;
mod snapshot;
mod source_ends;
mod views;

pub(in crate::server) use app_state::AppState;
pub(in crate::server) use counts::CountsSnapshot;
pub(in crate::server) use durable_state::DurableState;
pub(in crate::server) use follow_book::BookFollower;
pub(in crate::server) use follow_run::follow_run;
pub(in crate::server) use frames::{FrameChanges, FrameDelta};
pub(in crate::server) use live_state::LiveState;
pub(in crate::server) use pending_rejects::PendingRejects;
pub use run_state::AskEnds;
pub(in crate::server) use run_state::{RunState, ServedRunSettings};
pub use run_status::{AskSlot, SlotReport};
pub(in crate::server) use run_status::{ObservedSlot, RunPhase, RunStatus};
pub(in crate::server) use snapshot::StateSnapshot;
pub(in crate::server) use views::{KnownView, MOST_GROUPS, ViewTable, ViewUnavailable, load_view};
