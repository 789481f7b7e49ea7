//! A thread that works beside a run until it is asked to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::thread::Thread;
use std::time::{Duration, Instant};

use tracing::warn;

/// The thread, which is asked to end when this is dropped, and then waited for a while: a disk that does not answer must not keep the process.
pub(in crate::run) struct BackgroundThread {
    stop: StopSignal,
    thread: Thread,
    /// Disconnected when it has ended.
    ended: Receiver<()>,
    timeout: StopTimeout,
}

/// How long the end of a thread is waited for, and what to say if it does not come.
pub(super) struct StopTimeout {
    pub(super) limit: Duration,
    pub(super) warning: &'static str,
}

/// Whether a thread is asked to end.
#[derive(Clone, Default)]
pub(super) struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    pub(super) fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets the thread that works by it sleep, until an instant or the signal.
    pub(super) fn sleep_until(&self, end: Instant) {
        while !self.is_given() && Instant::now() < end {
            thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
    }
}

impl BackgroundThread {
    /// Starts a thread.
    ///
    /// # Errors
    /// When there can be no further one.
    pub(super) fn start(
        name: &str,
        timeout: StopTimeout,
        work: impl FnOnce(StopSignal) + Send + 'static,
    ) -> io::Result<BackgroundThread> {
        let stop = StopSignal::default();
        let of_thread = stop.clone();
        let (is_running, ended) = channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _is_running: Sender<()> = is_running;
            work(of_thread);
        })?;
        Ok(BackgroundThread { stop, thread: thread.thread().clone(), ended, timeout })
    }
}

impl Drop for BackgroundThread {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        self.thread.unpark();
        if self.ended.recv_timeout(self.timeout.limit) == Err(RecvTimeoutError::Timeout) {
            warn!("{}", self.timeout.warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_ends_when_it_is_asked_to() {
        let (sender, receiver) = channel();
        let timeout = StopTimeout { limit: Duration::from_secs(60), warning: "it did not end" };
        let background = BackgroundThread::start("test", timeout, move |stop| {
            stop.sleep_until(Instant::now() + Duration::from_secs(3600));
            sender.send(stop.is_given()).expect("the test waits");
        });
        drop(background.expect("a thread"));
        assert_eq!(receiver.try_recv(), Ok(true));
    }

    #[test]
    fn one_that_does_not_end_is_left_alone() {
        let (release, held) = channel::<()>();
        let timeout = StopTimeout { limit: Duration::from_millis(10), warning: "it did not end" };
        let background = BackgroundThread::start("test", timeout, move |_| {
            let _ = held.recv();
        });
        drop(background.expect("a thread"));
        drop(release);
    }
}
