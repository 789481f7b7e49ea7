//! A replication slot as a stream of whole transactions.
//!
//! In: the server, the slot, and the LSN up to which everything is known already. Out: transactions in commit order, each with
//! its end LSN, its commit time and its lines; and, between them, LSNs before which no further transaction ends. Back: the LSN
//! that may be confirmed.
//!
//! Promises: only an LSN that the consumer has released is confirmed; a transaction at or below the known LSN is left out, whatever
//! the server repeats after a crash; a slot that lost or skipped the next transaction is an error with the range, never a gap.
//! A large transaction is kept in a temporary file without a name, so a crash leaves nothing behind. The server gets its status
//! while the consumer is busy. What the server repeats is compared with what was read, and nothing is confirmed before; a server that
//! sends nothing, although its answer is requested every second, ends the session.
//!
//! A [`SlotSession`] is one connection; [`run_sessions`] repeats sessions with growing pauses. Capture and the slot source both
//! read in this way.
//!
//! *Why streaming*: `pg_logical_slot_get_changes` moves the slot before anything is delivered, and peeking decodes
//! everything again at each call. The slot's own position is written only at checkpoints, so after a crash of the server it
//! returns to an earlier one: therefore the known LSN is compared with each transaction's end.
//!
//! *Why our own*: pgwire-replication and pg_walstream were looked at; the first reads pgoutput only, the second ignores
//! client certificates, password files and target_session_attrs.

mod error;
mod handoff;
mod identity;
mod primary_server;
mod pump;
mod pump_context;
mod repeat_check;
mod retry;
mod session;
mod settings;
mod silence;
mod slot;
mod stream;
mod transactions;

pub use error::SlotError;
pub use handoff::Handoff;
pub use identity::{Identity, TimelineBranch, check_history, check_not_ahead};
pub use primary_server::{PrimaryServer, flushed_to};
pub use pump_context::{Delivery, PumpContext};
pub use repeat_check::RepeatCheck;
pub use retry::{SlotReader, run_sessions};
pub use session::{HeldSlotWait, PrimarySession, SlotSession, SlotState, open};
pub use settings::SlotSettings;
pub use silence::SilenceLimit;
pub use slot::lifecycle::{create, drop_slot};
pub use slot::options::{PluginOptions, check_options};
pub use slot::print::{print_json, print_table};
pub use slot::slot_health::{Severity, SlotHealth};
pub use slot::status::SlotStatus;
pub use slot::survey::{DecodingSpill, LagTime, SlotSurvey};
pub use transactions::assembler::{LineHead, OpenTransaction, Step, TransactionAssembler};
pub use transactions::changes::Changes;
pub use transactions::lines::{Lines, LinesBuilder, TransactionLine};
pub use transactions::transaction::Transaction;
