//! Checks everything that a capture or a run depends on, and reports what would go wrong.
//!
//! In: a PostgreSQL server, a slot, a topic, a book, each if it was named. Out: findings, each with what was seen and a
//! command that fixes it.
//!
//! Promises: nothing is changed, except that a temporary slot tries the plugin where no slot uses it yet, and ends with its
//! session; what cannot be reached is a finding, and the rest is checked all the same. Facts are collected first, then judged
//! by functions without side effects.

mod book;
mod examine;
mod finding;
mod kafka_connect;
mod lag;
mod open_transactions;
mod role;
mod server;
mod slot;
mod tables;
mod timestamps;
mod topic;

pub use examine::{Targets, examine};
pub use finding::{Examination, Finding};
