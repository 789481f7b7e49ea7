//! The page and the HTTP API over a book.
//!
//! In: a book's directory, or the closed epochs and commits of the run of this process. Out: counts, changes and status as JSON,
//! CSV, Parquet, Arrow, server-sent events and metrics; docs/api.md is the contract.
//!
//! ```text
//!  commit log, or commits ─▶ durable ─┐               ┌─▶ /api/counts, tables, days, status, metrics   from memory
//!                                     ├─▶ AppState ───┼─▶ /api/views, live                             from memory
//!  closed epochs of a run ─▶ live ────┘               └─▶ /api/events, rejects                         from the book's files
//! ```
//!
//! Promised: an answer is about one commit or one closed epoch, and names it; a durable answer is what `query` prints, byte for
//! byte. The live state is never behind the durable one. All names and values are data, never markup. Requests, rows,
//! connections, waiting time and the memory of unread answers are bounded. A client that does not read holds a socket and one
//! state; no thread of a run ever waits for a client.
//!
//! All its threads have names that begin with `serve`, so that its cost is visible beside that of the run.
//!
//! *Why* counts are kept in memory: a page asks for a year of all tables again and again. Entries of the log hold deltas, so the
//! counts are read once, and each state shares the unchanged days with the one before. Views may be many and large: one is read when
//! a client asks for it, and then kept like counts.

mod api;
mod error;
mod http;
mod page;
mod serve;
mod state;

pub use error::ServeError;
pub use http::connections::starting::StartPhase;
pub use http::guard::{Access, Token};
#[cfg(feature = "fuzzing")]
pub use http::parameters::fuzz_parameters;
pub use serve::{ServedRun, Server, ServerSettings, listen_on};
pub use state::{AskEnds, AskSlot, SlotReport};
