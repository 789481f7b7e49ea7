//! walbook keeps the day book of a PostgreSQL write-ahead log.
#[path = "../dataflows/mod.rs"]
pub mod dataflows;

pub mod book;
pub mod change;
pub mod parse;
pub mod query;
pub mod store;
pub mod testing;
