//! How far a capture is, for the progress line.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::change::Lsn;

/// Counters of a capture; cheap to clone, written by it, read by whoever prints.
#[derive(Clone, Default)]
pub struct Traffic {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    records: AtomicU64,
    bytes: AtomicU64,
    position: AtomicI64,
    commit_time: AtomicI64,
}

impl Traffic {
    /// Counters at zero.
    pub fn new() -> Traffic {
        Traffic::default()
    }

    /// Notes what a Kafka transaction made visible: records, their bytes, and the position that it holds.
    pub(super) fn committed(&self, records: u64, bytes: u64, position: Lsn, commit_time: Option<i64>) {
        self.inner.records.fetch_add(records, Ordering::Relaxed);
        self.inner.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.inner.position.store(position.as_i64(), Ordering::Relaxed);
        self.inner.commit_time.store(commit_time.unwrap_or(0), Ordering::Relaxed);
    }

    /// Records since the start.
    pub fn records(&self) -> u64 {
        self.inner.records.load(Ordering::Relaxed)
    }

    /// Bytes of their values.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }

    /// The LSN up to which every commit is in the topic.
    pub fn position(&self) -> Lsn {
        Lsn::from_i64(self.inner.position.load(Ordering::Relaxed)).expect("only LSNs are noted")
    }

    /// When the newest of the captured transactions was committed, in microseconds since 1970-01-01 UTC; `None` when
    /// nothing was waiting behind it.
    pub fn commit_time(&self) -> Option<i64> {
        Some(self.inner.commit_time.load(Ordering::Relaxed)).filter(|time| *time != 0)
    }
}
