//! How far this process has come, for the progress line.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Durations;

/// Counters of one process; cheap to clone, written by workers, read by whoever prints.
#[derive(Clone, Default)]
pub struct Progress {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    records: AtomicU64,
    commit: AtomicU64,
    changes: AtomicU64,
    commit_durations: Mutex<Durations>,
    /// Records not yet read, by worker of this process.
    lags: Mutex<Vec<Arc<AtomicI64>>>,
}

impl Progress {
    /// Counters at zero.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// Adds records read.
    pub fn add_records(&self, records: u64) {
        self.inner.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Records read since the start.
    pub fn records(&self) -> u64 {
        self.inner.records.load(Ordering::Relaxed)
    }

    /// Notes a commit, the changes it added, and how long it took to put and redo it.
    pub fn committed(&self, commit: u64, changes: u64, took: Duration) {
        self.inner.commit_durations.lock().unwrap_or_else(PoisonError::into_inner).add(took);
        self.inner.commit.store(commit, Ordering::Relaxed);
        self.inner.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// How long commits took.
    pub fn commit_durations(&self) -> Durations {
        self.inner.commit_durations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest commit; 0 before the first.
    pub fn commit(&self) -> u64 {
        self.inner.commit.load(Ordering::Relaxed)
    }

    /// Changes committed since the start.
    pub fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Relaxed)
    }

    /// A place where one worker keeps the number of records that are there and not yet read.
    pub fn new_lag(&self) -> Arc<AtomicI64> {
        let lag = Arc::new(AtomicI64::new(0));
        self.inner.lags.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&lag));
        lag
    }

    /// Records that are there and not yet read, over the workers of this process.
    pub fn lag(&self) -> i64 {
        let lags = self.inner.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().map(|lag| lag.load(Ordering::Relaxed)).sum()
    }
}
