//! What the read operator needs of a place where records come from; it knows no such place itself.

use std::sync::Arc;

use super::Cursors;
use crate::change::{Failure, PartitionStart, PolledBatch};

/// Wakes the worker; callable from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Makes the source of the worker with an index.
pub type MakeSource = dyn Fn(usize) -> Result<Box<dyn Source>, Failure> + Send + Sync;

/// Reads the partitions that are assigned to it; one per worker.
///
/// The source keeps [`Cursors`]: they, not the place it reads from, decide which offsets were read.
pub trait Source {
    /// Sets what to call when records arrive. A call may be lost: the worker also polls at an interval.
    fn set_waker(&mut self, waker: Waker);

    /// Begins to read these partitions too, each at its `from`.
    ///
    /// # Errors
    /// When they cannot be read; the run ends.
    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure>;

    /// The records that are at hand, at most about `limit`; never blocks.
    ///
    /// The cursors move only past records that are returned, so a source that fails after it has moved them returns these
    /// records first and the error in the next call. A source with transactions ends a batch between two of them where it
    /// can: only there epochs end.
    ///
    /// # Errors
    /// When records are lost or the place cannot be read; the run ends.
    fn poll_batch(&mut self, limit: usize) -> Result<Option<PolledBatch>, Failure>;

    /// The failure that the next [`Source::poll_batch`] would return, once; asked for when no further batch is polled.
    fn take_failure(&mut self) -> Option<Failure> {
        None
    }

    /// Whether an epoch, and so a commit, may end after the last batch: not inside a transaction that must stay in one
    /// commit. A source that answers no has all of the transaction at hand: the worker keeps polling, whatever else is
    /// requested, until the answer is yes.
    fn at_transaction_boundary(&self) -> bool {
        true
    }

    /// Receives the offsets below which all records are durable, by place in the cursors; partitions that were assigned
    /// later are not in it. Called in order, at the latest when the run ends.
    fn confirm_durable(&mut self, _next_offsets: &[i64]) {}

    /// How far each partition was read.
    fn cursors(&mut self) -> &mut Cursors;

    /// How much is there that was not read yet, as far as is known without asking: records of Kafka, bytes of a file.
    fn lag(&mut self) -> Option<i64>;
}
