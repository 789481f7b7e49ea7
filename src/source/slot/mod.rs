//! A replication slot as a source, without Kafka in between.
//!
//! In: a slot, and the LSN up to which the book holds everything. Out: batches of changes; a change's offset is its
//! transaction's end LSN, its ordinal the number inside. Back: what is durable in the book is confirmed to the server.
//!
//! A thread reads the slot and assembles transactions; the worker polls them when it has credit. When the connection breaks,
//! the thread starts another session: the server repeats what was not confirmed, and what was delivered already is left out. An
//! epoch ends between transactions only.

mod plan;
mod reader;
mod records;
#[expect(clippy::module_inception, reason = "the source is the room's noun")]
mod slot;

pub use plan::{SlotBaseline, SlotPlan, plan_slot};
pub use slot::SlotSource;
