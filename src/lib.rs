//! walbook keeps the day book of a PostgreSQL write-ahead log: which table saw how many inserts, updates, deletes and
//! truncates on which day, next to every change, in Parquet.
//!
//! ```text
//!  ticks (leader) ─broadcast─┬─────────────────────────────┬─────────────────────────────────────────┐
//!                            ▼                             ▼                                         │
//!  partitions ─▶ read ─ batches ─▶ parse ─┬─ events ──▶ seal files ─┐                                │
//!                 │                       ├─ rejects ─▶ seal files ─┤ sealed files                   │
//!                 │                       ├─ tallies ───────────────┼──────────────────────┐         │
//!                 │                       └─ deltas ─▶ exchange by key ─▶ counts ─ totals ─┤         │
//!                 └─ positions ────────────────────────────────────────────────────────────┴▶ commit ◀┘─▶ probe ─▶ credit back to read
//! ```
//!
//! # The guarantee
//!
//! Each record of a topic is in the book once: as its changes, as a marker, or as a reject with its reason. One entry of
//! the commit log makes the positions, files and counts of a commit visible together. It stands in the log whole or not at
//! all, whatever crashes; of several runs on one book the newest writes and all others are fenced. Nothing durable knows
//! how many workers there were. README.md says what the guarantee does not cover.
//!
//! # Where to begin
//!
//! [`dataflows::pipeline`] is the whole product on one screen. Then the rooms in the order in which data passes them, as
//! their `mod` lines stand below: [`source`] → [`parse`] → [`table`] → [`book`], and for readers [`query`]. Where output becomes
//! visible: `book/log.rs`. What happens after a crash: `book/resume.rs`. Who may call whom: `tests/promises/architecture.rs`.
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
//! | tick | the leader's message that closes an epoch, and says to which commit the next one belongs |
//! | open → closed → sealed → committed | may grow → frontier passed → files synced → named by an entry |
//! | commit | one entry of the commit log, the only thing that makes output visible |
//! | generation | one run's ownership of a book, and the name of its staging folder |
//! | credit | at most two commits in flight, else nothing is read |

// The modules stand in the order in which data passes them; blank lines keep rustfmt from sorting them.

// What everybody shares.
pub mod change;

pub mod process;

pub mod store;

// From PostgreSQL.
pub mod postgres;

pub mod slot;

pub mod capture;

// From a topic to a book.
pub mod source;

pub mod parse;

pub mod table;

pub mod book;

#[path = "../dataflows/mod.rs"]
pub mod dataflows;

pub mod cluster;

// From a book to an answer.
pub mod query;

// Looking at all of it.
pub mod doctor;

// The edge.
pub mod settings;

pub mod commands;

// Not part of a run.
pub mod demo;

pub mod testing;
