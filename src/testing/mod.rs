//! What tests and benches stand on: records with a known truth, a source that hands them out, and a store that crashes,
//! forgets and sleeps at any operation.
//!
//! In: a seed and a shape of data, or the operation to strike at. Out: a [`Workload`]'s records and what
//! [`count_naively`] finds in them, a [`MemorySource`], and a [`MemoryStore`] that behaves as a disk at its worst.
//! Nothing of the product's own path from bytes to counts is used to tell the truth, so that it can be compared with it.

pub mod book_builder;
mod memory_disk;
mod memory_run;
mod memory_source;
mod memory_store;
mod oracle;
mod workload;

pub use memory_run::{BegunRun, MemoryRun};
pub use memory_source::{MemorySource, MemoryTopic};
pub use memory_store::{Fault, MemoryStore, Pause};
pub use oracle::count_naively;
pub use workload::{Shape, Workload, WorkloadRecord, pgbench};
