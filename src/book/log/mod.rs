//! The commit log: its entries, the one atomic act that adds one, and the state that they fold into.
//!
//! Nothing rewrites an entry. A sweep removes the oldest ones when a base stands for them (`base/`): the log is the newest base and all entries
//! after it. `named_files.rs` (bisection), `verify/` (the whole chain) and `read/follow.rs` (the entry before) rely on it.

pub mod base;
pub(in crate::book) mod checkpoint;
pub mod commit_log;
pub mod compaction;
pub mod days;
pub(in crate::book) mod digested;
pub mod entry;
pub(in crate::book) mod folding;
pub(in crate::book) mod log_evidence;
pub(in crate::book) mod named_files;
pub mod pruning;
mod rules;
pub(in crate::book) mod state;
pub(in crate::book) mod tail;
