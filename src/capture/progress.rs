//! Counters of a capture, for the progress line.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::change::Lsn;

/// Counters of a capture; cheap to clone. The capture writes them, the progress line reads them.
#[derive(Clone, Default)]
pub struct CaptureProgress {
    counters: Arc<CaptureCounters>,
}

#[derive(Default)]
struct CaptureCounters {
    records: AtomicU64,
    bytes: AtomicU64,
    position: AtomicI64,
    commit_time: AtomicI64,
}

impl CaptureProgress {
    /// Counters at zero.
    pub fn new() -> CaptureProgress {
        CaptureProgress::default()
    }

    /// Adds what a Kafka transaction made visible: records, their bytes, and the position that it holds.
    pub(super) fn record_commit(&self, records: u64, bytes: u64, position: Lsn, commit_time: Option<i64>) {
        self.counters.records.fetch_add(records, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counters.position.store(position.as_i64(), Ordering::Relaxed);
        self.counters.commit_time.store(commit_time.unwrap_or(0), Ordering::Relaxed);
    }

    /// Records since the start.
    pub fn records(&self) -> u64 {
        self.counters.records.load(Ordering::Relaxed)
    }

    /// Bytes of their values.
    pub fn bytes(&self) -> u64 {
        self.counters.bytes.load(Ordering::Relaxed)
    }

    /// The LSN up to which every commit is in the topic.
    pub fn position(&self) -> Lsn {
        Lsn::from_i64(self.counters.position.load(Ordering::Relaxed)).expect("only LSNs are stored")
    }

    /// When the newest of the captured transactions was committed, in microseconds since 1970-01-01 UTC; `None` if none was
    /// waiting behind it.
    pub fn commit_time(&self) -> Option<i64> {
        Some(self.counters.commit_time.load(Ordering::Relaxed)).filter(|time| *time != 0)
    }
}
