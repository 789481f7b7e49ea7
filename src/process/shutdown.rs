//! How a process is asked to end, and what it failed of.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A handle that every thread of a process shares: somebody asks for the end, everybody sees it.
///
/// *Requested* is the polite end: commit what is read. *Failed* is the hard one: stop stepping, tell the first error.
#[derive(Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    requested: Arc<AtomicBool>,
    /// Records may be read from now on.
    begun: AtomicBool,
    /// All that was read is committed, or nothing more of it will be.
    ended: AtomicBool,
    failed: AtomicBool,
    failure: Mutex<Option<Box<dyn Error + Send + Sync>>>,
}

impl Shutdown {
    /// A handle of a process that goes on.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// The flag that a signal handler sets for the polite end.
    pub fn request_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.inner.requested)
    }

    /// Whether the polite end was asked for.
    pub fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::Relaxed)
    }

    /// Says that records may be read from now on: before, there is nothing to wait for when the end is asked for.
    pub fn begin_work(&self) {
        self.inner.begun.store(true, Ordering::Relaxed);
    }

    /// Whether records may have been read.
    pub fn has_begun(&self) -> bool {
        self.inner.begun.load(Ordering::Relaxed)
    }

    /// Says that all is committed that will be: what is left is to take leave of others, and to tell how it ended.
    pub fn end_work(&self) {
        self.inner.ended.store(true, Ordering::Relaxed);
    }

    /// Whether there may be records that are read and not committed.
    pub fn is_at_work(&self) -> bool {
        self.has_begun() && !self.inner.ended.load(Ordering::Relaxed)
    }

    /// Ends the process's work at once; the first error is the one that is told.
    pub fn fail(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let mut failure = self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error.into());
        self.inner.failed.store(true, Ordering::Release);
    }

    /// Whether [`Shutdown::fail`] was called.
    pub fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire)
    }

    /// The first error, once.
    pub fn take_failure(&self) -> Option<Box<dyn Error + Send + Sync>> {
        self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_has_ended_had_begun() {
        let shutdown = Shutdown::new();
        let stands = || (shutdown.has_begun(), shutdown.is_at_work());
        assert_eq!(stands(), (false, false));
        shutdown.begin_work();
        assert_eq!(stands(), (true, true));
        shutdown.end_work();
        assert_eq!(stands(), (true, false));
    }
}
