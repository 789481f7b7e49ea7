//! What tests and benches stand on: a store that crashes, forgets and sleeps at any operation.
//!
//! In: the operation to strike at. Out: a [`MemoryStore`] that behaves as a disk at its worst, and the disk that is found after
//! the power came back.

pub mod book_builder;
mod memory_disk;
mod memory_store;

pub use memory_store::{Fault, MemoryStore, Pause};
