//! How far this process has come, for the progress line.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    commits: Mutex<Commits>,
    /// Records not yet read, by worker of this process; below zero where nobody knows.
    lags: Mutex<Vec<Arc<AtomicI64>>>,
}

/// How long commits took.
#[derive(Default)]
struct Commits {
    durations: Durations,
    newest: Option<(u64, Duration)>,
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
        let mut commits = self.commits();
        commits.durations.add(took);
        commits.newest = Some((commit, took));
        drop(commits);
        self.inner.commit.store(commit, Ordering::Relaxed);
        self.inner.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// How long commits took.
    pub fn commit_durations(&self) -> Durations {
        self.commits().durations.clone()
    }

    /// How long a commit took to be put and redone; only the newest is remembered.
    pub fn commit_took(&self, commit: u64) -> Option<Duration> {
        self.commits().newest.filter(|(newest, _)| *newest == commit).map(|(_, took)| took)
    }

    /// The newest commit; 0 before the first.
    pub fn commit(&self) -> u64 {
        self.inner.commit.load(Ordering::Relaxed)
    }

    /// Changes committed since the start.
    pub fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Relaxed)
    }

    /// A place where one worker keeps the number of records that are there and not yet read; below zero if it knows none.
    pub fn new_lag(&self) -> Arc<AtomicI64> {
        let lag = Arc::new(AtomicI64::new(0));
        self.inner.lags.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&lag));
        lag
    }

    /// Records that are there and not yet read, over the workers of this process; `None` where nobody knows.
    pub fn lag(&self) -> Option<i64> {
        let lags = self.inner.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().map(|lag| Some(lag.load(Ordering::Relaxed)).filter(|lag| *lag >= 0)).sum()
    }

    fn commits(&self) -> MutexGuard<'_, Commits> {
        self.inner.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
