//! Work that takes its time, on other threads: the one that answers has others to answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::error::ApiError;

/// How long a question waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions to the book's files that are answered at the same time.
const FILES: usize = 2;
/// Long answers that are made at the same time.
const LONG: usize = 1;
/// Answers and pieces that are made in a moment, at the same time.
const SHORT: usize = 3;
/// Threads for all of them.
pub(super) const THREADS: usize = FILES + LONG + SHORT;

/// Who may take a thread for long: whatever they do, some are left for what is done in a moment.
pub(super) struct Queues {
    /// Questions to the book's files.
    pub(super) files: Queue,
    /// Long answers.
    pub(super) long: Queue,
}

impl Default for Queues {
    fn default() -> Queues {
        Queues { files: Queue::of(FILES), long: Queue::of(LONG) }
    }
}

/// One kind of work.
pub(super) struct Queue(Arc<Semaphore>);

impl Queue {
    fn of(many: usize) -> Queue {
        Queue(Arc::new(Semaphore::new(many)))
    }

    /// Waits until those before are answered, but not for ever.
    pub(super) async fn wait(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = || ApiError::busy("other long questions are being answered; ask again");
        match timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| busy()),
            Err(_) => Err(busy()),
        }
    }
}

/// Does something that takes its time on another thread.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    spawn_blocking(work).await.map_err(|_| ApiError::failed())
}
