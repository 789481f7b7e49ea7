//! The parts of the benchmark in which a mistake would be silent, tested by plain `cargo test`.

#![allow(dead_code, unused_imports, reason = "the benchmark itself uses the rest")]

#[path = "../load/mod.rs"]
mod load;
#[path = "../measure/mod.rs"]
mod measure;
#[path = "../rows/order.rs"]
mod order;
#[path = "../report/mod.rs"]
mod report;

mod counts;
mod delays;
mod figures;
mod markdown;
mod memory;
mod musts;
mod records;
mod rounds;
mod settling;

/// A result whose error is only reported.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
