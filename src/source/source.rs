//! One worker's hand in a place where records come from.

use std::error::Error;
use std::sync::Arc;

use super::Cursors;
use super::kafka::KafkaError;
use crate::change::{PartitionStart, Records};

/// Wakes the worker; callable from any thread.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Makes the source of the worker with an index.
pub type MakeSource = dyn Fn(usize) -> Result<Box<dyn Source>, SourceError> + Send + Sync;

/// Records that were taken together.
pub struct Taken {
    /// The records; they go back to the source when this is dropped.
    pub records: Box<dyn Records>,
    /// How many there are; at least one.
    pub count: usize,
}

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
    /// # Errors
    /// [`SourceError`] when records are lost or the place cannot be read; the run ends.
    fn take(&mut self, limit: usize) -> Result<Option<Taken>, SourceError>;

    /// How far each partition was read.
    fn cursors(&mut self) -> &mut Cursors;

    /// How many records are there that were not read yet, as far as is known without asking.
    fn lag(&mut self) -> i64;
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
    /// Another source's reason.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl SourceError {
    /// Whether records are gone for good: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        match self {
            SourceError::Kafka(error) => error.is_data_loss(),
            SourceError::Other(_) => false,
        }
    }
}
