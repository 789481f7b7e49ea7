//! A replication slot as a source, with no Kafka in between.
//!
//! In: a slot, and the LSN up to which the book holds everything. Out: batches of changes; a change's offset is its
//! transaction's end LSN, its ordinal the place inside. Back: what is durable in the book is confirmed to the server.
//!
//! A thread holds the slot and puts transactions together; the worker takes them when it has credit. When the connection
//! breaks the thread starts anew: the server repeats what was not confirmed, and what was taken already is left out. An
//! epoch ends between transactions only.

mod plan;
mod records;
mod session;
#[expect(clippy::module_inception, reason = "the source is the room's noun")]
mod slot;

pub use plan::{KnownSlot, SlotPlan, plan_slot};
pub use slot::SlotSource;
