//! walbook keeps the day book of a PostgreSQL write-ahead log.
#[path = "../dataflows/mod.rs"]
pub mod dataflows;

pub mod book;
pub mod change;
pub mod demo;
pub mod parse;
pub mod store;
pub mod testing;
