//! walbook keeps the day book of a PostgreSQL write-ahead log: which table saw how many inserts, updates, deletes and
//! truncates on which day, next to every change, in Parquet.
//!
//! ```text
//!  ticks (leader) ─broadcast─┬────────────────────────────┬──────────────────────────────────────────┐
//!                            ▼                            ▼                                          │
//!  partitions ─▶ read ─ batches ─▶ parse ─┬─ events ──▶ seal files ─┐                                │
//!                 │                       ├─ rejects ─▶ seal files ─┴─ sealed files ─────────────┐   │
//!                 │                       ├─ tallies ──────────────────────────┐                 │   │
//!                 │                       ├─ events ─▶ views ─ groups ─────────┤                 │   │
//!                 │                       └─ deltas ─▶ counts by key ─ totals ─┤                 ▼   ▼
//!                 └─ positions ────────────────────────────────────────────────┴▶ gather ─┬─▶ commit ─▶ probe ─▶ credit back to read
//!                                                                                on leader└─▶ live answers, number of rejects
//! ```
//!
//! # The guarantee
//!
//! Each record of a topic is in the book once: as its changes, as a marker, or as a reject with its reason. One entry of
//! the commit log makes the positions, files and counts of a commit visible together. It is in the log whole or not at
//! all, whatever crashes; of several runs on one book the newest writes and all others are fenced. Nothing durable knows
//! how many workers there were. README.md says what the guarantee does not cover.
//!
//! # Where to begin
//!
//! [`dataflows::pipeline`] is the whole product on one screen. Then the rooms in the order in which data passes them, as
//! their `mod` lines are listed below: [`source`] → [`parse`] → [`table`] and [`views`] → [`book`], and for readers [`query`]. How a run is
//! put together: `run/start.rs`; where its records come from: `run/origin.rs`. Where output becomes
//! visible: `book/log/commit_log.rs`. What happens after a crash: `book/write/resume.rs`. Who may call whom: `tests/promises/architecture.rs`.
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | record | bytes from Kafka, with partition and offset |
//! | change, event | one parsed row change; its row in the events table |
//! | marker | a record without a change: BEGIN, COMMIT, message, tombstone, heartbeat |
//! | reject | a record that could not be read, with the reason |
//! | positions | partition → half-open interval of offsets |
//! | epoch | the dataflow's timestamp; never wall time |
//! | tick | the leader's message that closes an epoch and names the commit of the next one |
//! | open → closed → sealed → committed | may grow → frontier passed → files synced → named by an entry |
//! | commit | one entry of the commit log, the only thing that makes output visible |
//! | generation | one run's ownership of a book, and the name of its staging folder |
//! | lease | the sign of life of the run that owns a book, for one that stands by |
//! | credit | at most two commits in flight, else nothing is read |

// The modules are in the order in which data passes them; blank lines keep rustfmt from sorting them.

// What all rooms share.
pub mod change;

pub mod control;

pub mod store;

pub mod sql;

// From PostgreSQL.
pub mod postgres;

pub mod replication;

pub mod capture;

// From a topic to a book.
pub mod source;

pub mod parse;

pub mod table;

pub mod views;

pub mod book;

#[cfg(feature = "delta")]
pub mod delta;

pub mod leader;

#[path = "../dataflows/mod.rs"]
pub mod dataflows;

// From a book to an answer.
pub mod query;

pub mod server;

// The processes of a run.
pub mod cluster;

// How a run is put together, with a server beside it.
pub mod run;

// What starts a run again.
pub mod supervise;

// Examination of all of it.
pub mod doctor;

// The edge.
pub mod settings;

pub mod commands;

// Not part of a run.
pub mod demo;
