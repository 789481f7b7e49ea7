//! Requests that read the book's files: how many at once, for how long, and for how much data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::blocking::{Permits, run_blocking};
use crate::query::QueryBudget;
use crate::server::error::ApiError;

/// How long one query may read files.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a query over the book's files once it has a permit; it is cancelled when the client disconnects.
///
/// The answer has at most `most_bytes` of data, or one row.
pub(in crate::server) async fn query_files<T: Send + 'static>(
    permits: &Permits,
    most_bytes: usize,
    query: impl FnOnce(&QueryBudget<'_>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = permits.acquire().await?;
    let guard = CancelOnDrop::default();
    let is_disconnected = Arc::clone(&guard.is_disconnected);
    let deadline = Instant::now() + QUERY_TIMEOUT;
    let answer = run_blocking(move || {
        let _permit = permit;
        let is_cancelled = || is_disconnected.load(Ordering::Relaxed) || Instant::now() >= deadline;
        query(&QueryBudget { most_bytes, is_cancelled: &is_cancelled })
    });
    answer.await?
}

/// Cancels a query when the future that waits for its answer is dropped.
#[derive(Default)]
struct CancelOnDrop {
    is_disconnected: Arc<AtomicBool>,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.is_disconnected.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::runtime::Builder;

    use super::*;
    use crate::server::http::blocking::BlockingPermits;

    #[test]
    fn a_query_ends_when_its_client_disconnects() {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (begin, begun) = channel();
        let (end, ended) = channel();
        let query = move |budget: &QueryBudget<'_>| {
            begin.send(()).expect("the test receives");
            while !(budget.is_cancelled)() {
                std::thread::yield_now();
            }
            end.send(budget.most_bytes).expect("the test receives");
            Ok(())
        };
        runtime.block_on(async {
            let permits = BlockingPermits::default();
            let mut request = Box::pin(query_files(&permits.files, 7, query));
            while begun.try_recv().is_err() {
                let soon = tokio::time::timeout(Duration::from_millis(1), &mut request);
                assert!(soon.await.is_err(), "it runs as long as the client waits");
            }
            drop(request);
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(7));
    }
}
