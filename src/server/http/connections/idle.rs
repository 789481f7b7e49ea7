//! Which connections are open, and which of them are idle: one that is refused for want of room could be a health check, so
//! the one that has been idle for the longest is closed instead.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection may take to close after the request: it only has to be scheduled.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The open connections; clones share them.
#[derive(Clone)]
pub(super) struct Connections {
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By their numbers.
    open: Mutex<BTreeMap<u64, Arc<Activity>>>,
    /// Counts how often a connection was opened or became idle.
    clock: AtomicU64,
}

/// What a connection does.
#[derive(Default)]
pub(super) struct Activity {
    /// Requests whose answers are being made or read.
    requests: AtomicUsize,
    /// Whether a write waits for the client.
    is_blocked: AtomicBool,
    /// The clock when it became idle.
    idle_since: AtomicU64,
    evicted: Notify,
}

/// An open connection, until it is dropped.
pub(super) struct Connection {
    number: u64,
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

/// A request that is being answered, until it is dropped.
struct ActiveRequest {
    shared: Arc<Shared>,
    activity: Arc<Activity>,
}

impl Connections {
    /// At most `most` connections.
    pub(super) fn new(most: usize) -> Connections {
        Connections { permits: Arc::new(Semaphore::new(most)), shared: Arc::default() }
    }

    /// Admits a connection. If there is no room, an idle one is closed; `None` if none is idle.
    pub(super) async fn admit(&self) -> Option<Connection> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.shared.evict_idle()?;
                timeout(CLOSE_TIMEOUT, Arc::clone(&self.permits).acquire_owned()).await.ok()?.ok()?
            }
        };
        let activity = Arc::new(Activity::default());
        let number = self.shared.tick();
        activity.idle_since.store(number, Ordering::Relaxed);
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&activity));
        Some(Connection { number, shared: Arc::clone(&self.shared), activity, _permit: permit })
    }
}

impl Shared {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Closes the connection that has been idle for the longest; `None` if all have work.
    fn evict_idle(&self) -> Option<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = open.iter().filter(|(_, activity)| activity.is_idle());
        let (number, _) = idle.min_by_key(|(_, activity)| activity.idle_since.load(Ordering::Relaxed))?;
        let number = *number;
        open.remove(&number)?.evicted.notify_one();
        Some(())
    }
}

impl Activity {
    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.is_blocked.load(Ordering::Relaxed)
    }

    /// Notes whether a write waits for the client.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }
}

impl Connection {
    /// What it does.
    pub(super) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// Waits until it has to make room for another one.
    pub(super) async fn evicted(&self) {
        self.activity.evicted.notified().await;
    }

    /// Answers a request; the connection is not idle before the body is sent.
    pub(super) fn answering<F: Future<Output = axum::response::Response>>(
        &self,
        answer: F,
    ) -> impl Future<Output = axum::response::Response> + use<F> {
        self.activity.requests.fetch_add(1, Ordering::Relaxed);
        let request = ActiveRequest { shared: Arc::clone(&self.shared), activity: self.activity() };
        async move { answer.await.map(|body| Body::new(ActiveBody { body, _request: request })) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.activity.idle_since.store(self.shared.tick(), Ordering::Relaxed);
        self.activity.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ActiveBody {
    body: Body,
    _request: ActiveRequest,
}

impl HttpBody for ActiveBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn the_longest_idle_connection_makes_room_and_a_busy_one_never() {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let connections = Connections::new(3);
            let mut open = Vec::new();
            for _ in 0..3 {
                open.push(connections.admit().await.expect("there is room"));
            }
            // The first one is answering, the second one has answered since the third one came.
            let first = open[0].answering(async { axum::response::Response::new(Body::empty()) });
            drop(open[1].answering(async { axum::response::Response::new(Body::empty()) }).await);
            let waiting = connections.admit();
            let evicted = async {
                open[2].evicted().await;
                drop(open.remove(2));
                open
            };
            let (admitted, mut open) = tokio::join!(waiting, evicted);
            open.push(admitted.expect("an idle one made room"));
            drop(first);
            open.iter().for_each(|connection| connection.activity().set_blocked(true));
            assert!(connections.admit().await.is_none(), "none is idle");
        });
    }
}
