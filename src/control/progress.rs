//! Counters of a process's work, for the progress line and the metrics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{DurationHistogram, RejectCounts};
use crate::change::PartitionTally;

/// Counters of one process; cheap to clone. Workers write them, the progress line and the server read them.
#[derive(Clone, Default)]
pub struct Progress {
    counters: Arc<ProgressCounters>,
}

#[derive(Default)]
struct ProgressCounters {
    records: AtomicU64,
    commit: AtomicU64,
    changes: AtomicU64,
    commits: Mutex<Commits>,
    rejects: Mutex<RejectCounts>,
    /// Records not yet read, by worker of this process; below zero if unknown.
    lags: Mutex<Vec<Arc<AtomicI64>>>,
}

/// The time that commits needed.
#[derive(Default)]
struct Commits {
    durations: DurationHistogram,
    newest: Option<(u64, Duration)>,
}

impl Progress {
    /// Counters at zero.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// Adds records read.
    pub fn add_records(&self, records: u64) {
        self.counters.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Records read since the start.
    pub fn records(&self) -> u64 {
        self.counters.records.load(Ordering::Relaxed)
    }

    /// Records a commit, the changes it added, and the time needed to put and redo it.
    pub fn record_commit(&self, commit: u64, changes: u64, duration: Duration) {
        let mut commits = self.commits();
        commits.durations.add(duration);
        commits.newest = Some((commit, duration));
        drop(commits);
        self.counters.commit.store(commit, Ordering::Relaxed);
        self.counters.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// The time that commits needed.
    pub fn commit_durations(&self) -> DurationHistogram {
        self.commits().durations.clone()
    }

    /// The time that a commit needed; known for the newest only.
    pub fn commit_duration(&self, commit: u64) -> Option<Duration> {
        self.commits().newest.filter(|(newest, _)| *newest == commit).map(|(_, duration)| duration)
    }

    /// The newest commit; 0 before the first.
    pub fn commit(&self) -> u64 {
        self.counters.commit.load(Ordering::Relaxed)
    }

    /// Changes committed since the start.
    pub fn changes(&self) -> u64 {
        self.counters.changes.load(Ordering::Relaxed)
    }

    /// Adds what the records of a closed epoch were, of all processes: only the leading one has them.
    pub fn add_tallies(&self, tallies: &[PartitionTally]) {
        let mut rejects = self.lock_rejects();
        tallies.iter().for_each(|tally| rejects.add(tally));
    }

    /// How many records of the run could not be read; zero in all processes but the leading one.
    pub fn rejects(&self) -> RejectCounts {
        self.lock_rejects().clone()
    }

    /// A counter in which one worker stores the number of records that are available and not yet read; below zero if unknown.
    pub fn add_worker_lag(&self) -> Arc<AtomicI64> {
        let lag = Arc::new(AtomicI64::new(0));
        self.counters.lags.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&lag));
        lag
    }

    /// Records that are available and not yet read, over the workers of this process; `None` if unknown.
    pub fn lag(&self) -> Option<i64> {
        let lags = self.counters.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().map(|lag| Some(lag.load(Ordering::Relaxed)).filter(|lag| *lag >= 0)).sum()
    }

    fn lock_rejects(&self) -> MutexGuard<'_, RejectCounts> {
        self.counters.rejects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commits(&self) -> MutexGuard<'_, Commits> {
        self.counters.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
