//! Questions to the book's files: how many at once, how long, and for how much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::aside::{Queue, aside};
use super::error::ApiError;
use crate::query::Effort;

/// How long it may take to find an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the book's files when it is this question's turn, as long as its client waits; an answer has at most so many
/// bytes of data, or one row.
pub(super) async fn ask<T: Send + 'static>(
    queue: &Queue,
    most_bytes: usize,
    question: impl FnOnce(&Effort<'_>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = queue.wait().await?;
    let client = Client::default();
    let is_gone = Arc::clone(&client.is_gone);
    let until = Instant::now() + PATIENCE;
    let answer = aside(move || {
        let _permit = permit;
        let goes_on = || !is_gone.load(Ordering::Relaxed) && Instant::now() < until;
        question(&Effort { most_bytes, goes_on: &goes_on })
    });
    answer.await?
}

/// A client that waits; with it the wish for an answer goes.
#[derive(Default)]
struct Client {
    is_gone: Arc<AtomicBool>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::runtime::Builder;

    use super::*;
    use crate::server::aside::Queues;

    #[test]
    fn a_question_ends_with_its_client() {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (begin, begun) = channel();
        let (end, ended) = channel();
        let question = move |effort: &Effort<'_>| {
            begin.send(()).expect("somebody listens");
            while (effort.goes_on)() {
                std::thread::yield_now();
            }
            end.send(effort.most_bytes).expect("somebody listens");
            Ok(())
        };
        runtime.block_on(async {
            let queues = Queues::default();
            let mut asking = Box::pin(ask(&queues.files, 7, question));
            while begun.try_recv().is_err() {
                let soon = tokio::time::timeout(Duration::from_millis(1), &mut asking);
                assert!(soon.await.is_err(), "it goes on as long as somebody waits");
            }
            drop(asking);
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(7));
    }
}
