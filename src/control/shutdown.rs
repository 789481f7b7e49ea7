//! How a process is asked to end, and the error that ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::change::Failure;

/// A handle that all threads of a process share.
///
/// *Requested* means: commit what was read, then end. *Failed* means: stop stepping and report the first error.
#[derive(Clone, Default)]
pub struct Shutdown {
    state: Arc<ShutdownState>,
}

#[derive(Default)]
struct ShutdownState {
    requested: Arc<AtomicBool>,
    started: AtomicBool,
    finished: AtomicBool,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl Shutdown {
    /// A handle of a process that keeps running.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// The flag that a signal handler sets to request the end.
    pub fn request_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.state.requested)
    }

    /// Whether the end was requested.
    pub fn is_requested(&self) -> bool {
        self.state.requested.load(Ordering::Relaxed)
    }

    /// Marks the start of reading: before it, a requested end has nothing to wait for.
    pub fn mark_started(&self) {
        self.state.started.store(true, Ordering::Relaxed);
    }

    /// Whether records may have been read.
    pub fn has_started(&self) -> bool {
        self.state.started.load(Ordering::Relaxed)
    }

    /// Marks that nothing more will be committed: a requested end has nothing to wait for any more.
    pub fn mark_finished(&self) {
        self.state.finished.store(true, Ordering::Relaxed);
    }

    /// Whether there may be records that were read and are still to be committed.
    pub fn has_work(&self) -> bool {
        self.has_started() && !self.state.finished.load(Ordering::Relaxed)
    }

    /// Ends the process's work at once; of several errors the first is reported.
    pub fn fail(&self, error: impl Into<Failure>) {
        let mut failure = self.state.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error.into());
        self.state.failed.store(true, Ordering::Release);
    }

    /// Whether [`Shutdown::fail`] was called.
    pub fn has_failed(&self) -> bool {
        self.state.failed.load(Ordering::Acquire)
    }

    /// The first error; a second call returns `None`.
    pub fn take_failure(&self) -> Option<Failure> {
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_work_between_the_start_and_the_finish() {
        let shutdown = Shutdown::new();
        let states = || (shutdown.has_started(), shutdown.has_work());
        assert_eq!(states(), (false, false));
        shutdown.mark_started();
        assert_eq!(states(), (true, true));
        shutdown.mark_finished();
        assert_eq!(states(), (true, false));
    }
}
