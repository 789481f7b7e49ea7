//! Where records come from.
//!
//! In: which partitions to read, from where, until where. Out: batches of records that still own the source's buffers,
//! at the open epoch, and, at the end of each epoch, how far each partition was read.
//!
//! Promises: a worker reads each offset of its partitions once and in order, whatever the source repeats; a gap that is
//! a loss is an error with its exact range, never a skip; nothing is read while two commits wait to be durable.
//!
//! A [`Source`] reads one worker's partitions: [`kafka`] those of topics, [`slot`] a replication slot, [`mod@file`] a file or a
//! stream. Which worker reads a partition is a pure function of the partition and the number of workers, so nothing durable
//! knows a worker.

mod cursors;
pub mod file;
mod flow;
pub mod kafka;
mod read;
pub mod slot;
#[expect(clippy::module_inception, reason = "the trait is the room's noun")]
mod source;

pub use cursors::{Accepted, Cursors};
pub use read::{Read, read_partitions, worker_of};
pub use source::{MakeSource, Source, Waker};
