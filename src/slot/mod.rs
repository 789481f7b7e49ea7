//! A replication slot as a stream of whole transactions.
//!
//! In: where the server is, which slot, and the LSN up to which everything is known already. Out: transactions in commit
//! order, each with its end LSN, its commit time and its lines; and, when there are none, LSNs before which there will be none.
//! Back: the LSN that may be confirmed.
//!
//! Promises: nothing is confirmed that was not said to be safe; a transaction at or below the known LSN is left out, whatever
//! the server repeats after a crash; a slot that lost or skipped what comes next is an error with the range, never a gap.
//! A transaction that is larger than memory should hold is kept in a file without a name, so a crash leaves nothing behind.
//! Keepalives are answered while whoever takes the transactions is busy.
//!
//! *Why streaming*: `pg_logical_slot_get_changes` moves the slot before anything is delivered, and peeking decodes
//! everything again at each call. The slot's own position is written only at checkpoints, so after a crash of the server it
//! returns to an earlier one: that is why the known LSN is compared with each transaction's end.

mod advice;
mod error;
mod handoff;
mod identity;
mod lines;
mod options;
mod print;
mod pump;
mod server;
mod settings;
mod start;
mod status;
mod stream;
mod survey;
mod transaction;

pub use advice::{Advice, Level};
pub use error::SlotError;
pub use handoff::Handoff;
pub use identity::{Branch, Identity, check_history, check_not_ahead};
pub use lines::{Line, Lines};
pub use options::PluginOptions;
pub use print::{print_json, print_table};
pub use pump::{Delivery, Duty, pump};
pub use server::{Server, flushed_to};
pub use settings::{SlotSettings, Spill};
pub use start::{Standing, Started, create, drop_slot, open, start};
pub use status::SlotStatus;
pub use survey::{DecodingSpill, LagTime, SlotSurvey};
pub use transaction::Transaction;
