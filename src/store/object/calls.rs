//! Requests from code without tasks: they run on one thread of the process, and the caller waits.

use std::future::{Future, pending};
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// The handle of the thread that runs all requests of this process; it is started when it is needed.
fn runtime() -> io::Result<&'static Handle> {
    static HANDLE: OnceLock<Result<Handle, String>> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| start().map_err(|error| error.to_string()));
    handle
        .as_ref()
        .map_err(|error| io::Error::other(format!("could not start the thread of the object store: {error}")))
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("object-store".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}

/// Starts a request, and returns at once.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn begin<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> io::Result<JoinHandle<T>> {
    Ok(runtime()?.spawn(request))
}

/// Sends a request, and waits for its outcome. Never inside of a task of that thread.
///
/// # Errors
/// When the thread cannot be started, or the request panicked.
pub(super) fn wait<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = sync_channel(1);
    begin(async move { drop(sender.send(request.await)) })?;
    receiver.recv().map_err(|_| io::Error::other("a request to the object store panicked"))
}

/// Waits for a request that was begun.
///
/// # Errors
/// When it panicked.
pub(super) fn finish<T: Send + 'static>(begun: JoinHandle<T>) -> io::Result<T> {
    wait(begun)?.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn threads_wait_for_their_own_requests() {
        thread::scope(|scope| {
            for number in 0..8u64 {
                scope.spawn(move || {
                    let sleep = Duration::from_millis(8 - number);
                    let answer = wait(async move {
                        tokio::time::sleep(sleep).await;
                        number
                    });
                    assert_eq!(answer.expect("an answer"), number);
                });
            }
        });
        let begun = begin(async { 7 }).expect("a thread");
        assert_eq!(finish(begun).expect("an answer"), 7);
    }

    #[test]
    fn a_request_inside_of_another_runtime_waits_too() {
        let other = Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(other.block_on(async { wait(async { 7 }).expect("an answer") }), 7);
    }
}
