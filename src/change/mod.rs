//! The vocabulary that every room shares; it depends on no other room.
//!
//! In: nothing. Out: the words of the product as types — a [`Record`] comes from a [`Partition`] at an offset, holds
//! changes of an [`Operation`] to a [`TableName`] on a [`Day`], and is accounted for by an [`Interval`] of offsets and a [`Tally`].

mod aggregate;
mod batches;
mod closed_epoch;
mod count_key;
mod day;
mod decoded;
mod epoch;
mod failure;
pub mod instant;
mod lsn;
mod operation;
mod position;
mod recent_transactions;
mod record;

pub use aggregate::{
    Accumulator, Accumulators, ExactSum, GroupKey, GroupLimit, GroupValue, ShortBytes, TooManyGroups, ViewBadValues,
    ViewChanges, WideSum,
};
pub use batches::{Batch, PolledBatch, Rows, SealedFile};
pub use closed_epoch::{ClosedEpoch, EpochSummary};
pub use count_key::{CountKey, PackedCountKey, TableId, TableName};
pub use day::{Day, DayError};
pub use decoded::Decoded;
pub use epoch::{CommitNumber, Epoch, LeaderCommand, PartitionStart, Start, Tick, TickRequest};
pub use failure::{Classified, Failure, FailureKind, WithContext, with_causes};
pub use lsn::{Lsn, LsnError};
pub use operation::Operation;
pub use position::{End, Interval, LeaderEpoch, Partition, PartitionRead, PartitionTally, Place, RejectSample, Tally};
pub use recent_transactions::{CommittedTransaction, RecentTransactions};
pub use record::{Headers, Record, Records};
