//! One worker's hand in a place where records come from.

use std::error::Error;
use std::sync::Arc;

use super::Cursors;
use super::kafka::KafkaError;
use super::lines::LinesError;
use crate::change::{PartitionStart, Taken};
use crate::slot::SlotError;

/// Wakes the worker; callable from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Makes the source of the worker with an index.
pub type MakeSource = dyn Fn(usize) -> Result<Box<dyn Source>, SourceError> + Send + Sync;

/// Reads the partitions that it is given; one per worker.
///
/// The source keeps [`Cursors`]: they, not the place it reads from, say which offsets were read.
pub trait Source {
    /// Names whom to wake when records arrive. A wake-up may be lost: the worker also looks by itself.
    fn wake_with(&mut self, waker: Waker);

    /// Begins to read these partitions too, each at its `from`.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be read.
    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), SourceError>;

    /// Takes the records that are there, at most about `limit`; never blocks.
    ///
    /// A source with transactions ends what it gives between two of them where it can: only there epochs end.
    ///
    /// # Errors
    /// [`SourceError`] when records are lost or the place cannot be read; the run ends.
    fn take(&mut self, limit: usize) -> Result<Option<Taken>, SourceError>;

    /// Whether an epoch, and so a commit, may end after what was taken last: not inside a transaction that must stay in
    /// one commit. A source that says no has all of the transaction at hand: the worker takes on, whatever else is asked
    /// of it, until the answer is yes.
    fn is_between(&self) -> bool {
        true
    }

    /// Hears that all records below these offsets are durable, by place in the cursors; partitions that were assigned
    /// later are not in it. Told in order, at the latest when the run ends.
    fn committed(&mut self, _next_offsets: &[i64]) {}

    /// How far each partition was read.
    fn cursors(&mut self) -> &mut Cursors;

    /// How much is there that was not read yet, as far as is known without asking: records of Kafka, bytes of a file.
    fn lag(&mut self) -> Option<i64>;
}

/// The leader's eye on the place where records come from.
pub trait Discovery: Send {
    /// Partitions that appeared since the last call. May block.
    ///
    /// # Errors
    /// [`SourceError`]; an answer that did not come is worth another try, a place that became another one is not.
    fn discover(&mut self) -> Result<Vec<PartitionStart>, SourceError>;
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Kafka's own reason.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The slot's own reason.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A file's own reason.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// Another source's reason.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl SourceError {
    /// Whether records are gone for good: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        match self {
            SourceError::Kafka(error) => error.is_data_loss(),
            SourceError::Slot(error) => error.is_data_loss(),
            SourceError::Lines(error) => error.is_data_loss(),
            SourceError::Other(_) => false,
        }
    }

    /// Whether the command was given wrong settings: exit code 2.
    pub fn is_usage(&self) -> bool {
        match self {
            SourceError::Kafka(error) => error.is_usage(),
            SourceError::Slot(error) => error.is_usage(),
            SourceError::Lines(error) => error.is_usage(),
            SourceError::Other(_) => false,
        }
    }
}
