//! The page and the HTTP API over a book.
//!
//! In: a book's directory, and, beside a run, the epochs that it closes. Out: counts, changes and the state of things, as
//! JSON, CSV, Parquet, Arrow, events of a stream, and metrics; docs/api.md is the contract.
//!
//! ```text
//!  commit log ──▶ follow ─┐                    ┌─▶ /api/counts, tables, days, status, metrics   from memory
//!                         ├─▶ board ─ frames ──┼─▶ /api/live                                    from memory
//!  closed epochs ▶ live ──┘                    └─▶ /api/events, rejects                         from the book's files
//! ```
//!
//! Promised: an answer is of one moment, a commit or a closed epoch, and says which; a durable answer is what `query` prints,
//! byte for byte. What is live is never behind what is durable. Whatever a name or a value holds is data. Requests, rows,
//! connections, waiting and the memory of what clients have not taken are bounded, and a client that does not read holds a
//! socket and a moment, never a worker: no thread of a run is ever waited for.
//!
//! Its threads are called `serve…`, so that what it costs can be told from what the run costs.
//!
//! *Why* counts are kept in memory: a page asks for a year of all tables again and again. The log's entries hold deltas, so
//! one reading at the start is enough, and a moment shares with the one before all days that did not change.

mod aside;
mod assets;
mod board;
mod body;
mod counts;
mod days;
mod epochs;
mod error;
mod events;
mod files;
mod follow;
mod frames;
mod going_on;
mod guard;
mod gzip;
mod health;
mod listen;
mod live;
mod memory;
mod metrics;
mod moment;
mod openapi;
mod parameters;
mod partitions;
mod patience;
mod pending_rejects;
mod rate;
mod recent;
mod rejects;
mod routes;
mod run;
mod serve;
mod situation;
mod slot;
mod status;
mod sums;
mod tables;
mod view;

pub use error::ServeError;
pub use guard::{Access, Token};
pub use run::AskEnds;
pub use serve::{ServedRun, Server, ServerSettings, listen_on};
pub use slot::{AskSlot, SlotView};
