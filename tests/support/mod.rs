//! What tests and benches stand on: records with a known truth, a source that hands them out, and a store that crashes,
//! forgets and sleeps at any operation.
//!
//! In: a seed and a shape of data, or the operation to strike at. Out: a [`Workload`]'s records and what
//! [`count_naively`] finds in them, a [`MemorySource`], and a [`MemoryStore`] that behaves as a disk at its worst.
//! The truth is counted without any of the product's own path from bytes to counts, so that the two can be compared.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "several targets include this, and each uses a part")]

pub mod book_builder;
#[cfg(feature = "object-store")]
mod memory_bucket;
mod memory_disk;
mod memory_run;
mod memory_source;
mod memory_store;
mod memory_topic;
mod oracle;
pub mod script;
mod test_disk;
mod workload;

#[cfg(feature = "object-store")]
pub use memory_bucket::MemoryBucket;
pub use memory_run::{BegunRun, MemoryRun};
pub use memory_source::MemorySource;
pub use memory_store::{Fault, MemoryStore, Pause, Strikes};
pub use memory_topic::MemoryTopic;
pub use oracle::{EventTruth, count_naively, read_naively, reason_naively};
pub use test_disk::TestDisk;
pub use workload::{Shape, Workload, WorkloadRecord, pgbench};
