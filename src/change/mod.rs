//! The vocabulary that every room shares; it depends on no other room.
//!
//! In: nothing. Out: the words of the product as types — a [`Record`] comes from a [`Partition`] at an offset, holds
//! changes of an [`Operation`] to a [`TableName`] on a [`Day`], and is accounted for by an [`Interval`] of offsets and a [`Tally`].

mod batch;
mod day;
mod decoded;
mod epoch;
pub mod instant;
mod lsn;
mod operation;
mod position;
mod record;
mod rows;

pub use batch::{Batch, Taken};
pub use day::{Day, DayError};
pub use decoded::Decoded;
pub use epoch::{CommitNumber, Epoch, Order, PartitionStart, Start, Tick, Wish};
pub use lsn::{Lsn, LsnError};
pub use operation::{CountKey, Operation, TableName};
pub use position::{End, Interval, Partition, PartitionTally, Place, Tally};
pub use record::{Headers, Record, Records};
pub use rows::{Rows, SealedFile};
