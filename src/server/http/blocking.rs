//! Work that takes long runs on blocking threads: the one thread that serves connections has others to answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::server::error::ApiError;

/// How long a request waits for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests that read the book's files at the same time.
const FILE_PERMITS: usize = 2;
/// Long answers about counts that are written at the same time.
const LONG_PERMITS: usize = 1;
/// Threads that are left for short work, which needs no permit.
const SHORT_THREADS: usize = 3;
/// All blocking threads.
pub(in crate::server) const BLOCKING_THREADS: usize = FILE_PERMITS + LONG_PERMITS + SHORT_THREADS;

/// Permits to occupy a blocking thread for long; they leave some threads for short work.
pub(in crate::server) struct BlockingPermits {
    /// For requests that read the book's files.
    pub(in crate::server) files: Permits,
    /// For long answers about counts.
    pub(in crate::server) long: Permits,
}

impl Default for BlockingPermits {
    fn default() -> BlockingPermits {
        BlockingPermits { files: Permits::new(FILE_PERMITS), long: Permits::new(LONG_PERMITS) }
    }
}

/// The permits for one kind of work.
pub(in crate::server) struct Permits(Arc<Semaphore>);

impl Permits {
    fn new(count: usize) -> Permits {
        Permits(Arc::new(Semaphore::new(count)))
    }

    /// Waits for a permit, in the order of the requests; `busy` after ten seconds.
    pub(in crate::server) async fn acquire(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = || ApiError::busy("other long requests are being answered; try again later");
        match timeout(PERMIT_TIMEOUT, Arc::clone(&self.0).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| busy()),
            Err(_) => Err(busy()),
        }
    }
}

/// Runs `work` on a blocking thread.
pub(in crate::server) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    spawn_blocking(work).await.map_err(|_| ApiError::failed())
}
