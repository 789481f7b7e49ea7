//! The parser of walbook without the rest: the same files, included one by one.

#[path = "change.rs"]
pub mod change;
#[path = "parse.rs"]
pub mod parse;
