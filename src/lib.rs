//! walbook keeps the day book of a PostgreSQL write-ahead log.

// The modules stand in the order in which data passes them.
pub mod change;
pub mod process;
pub mod settings;

pub mod book;
pub mod parse;
pub mod source;
pub mod store;
pub mod table;

pub mod cluster;
#[path = "../dataflows/mod.rs"]
pub mod dataflows;

pub mod commands;
pub mod demo;
pub mod query;
pub mod testing;
