//! What comes out of a slot, and what the pump shares with the consumer of it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Handoff, SilenceLimit, Transaction};
use crate::change::{CommittedTransaction, Lsn, RecentTransactions};
use crate::control::SourceProgress;

/// What comes out of a slot.
#[derive(Debug)]
pub enum Delivery {
    /// A transaction above the known LSN.
    Transaction(Transaction),
    /// Everything committed up to this LSN was delivered.
    Idle(Lsn),
    /// The requested end is reached, and everything committed up to it was delivered; this LSN may be confirmed.
    End(Lsn),
}

/// Shared by the pump and the consumer of its deliveries, beyond the end of a session.
pub struct PumpContext {
    pub(super) deliveries: Handoff<Delivery>,
    delivered: AtomicI64,
    /// The last transactions up to there, and the newest, which is not among them yet.
    recent: Mutex<(RecentTransactions, Option<CommittedTransaction>)>,
    confirmed: AtomicI64,
    stopped: AtomicBool,
    /// Whether a session has begun that logs what cannot be compared.
    has_begun: AtomicBool,
    silence_limit: SilenceLimit,
    /// The WAL after the last delivery: what is known to be empty, and what is being received.
    pub(super) source_progress: SourceProgress,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl PumpContext {
    /// A context for deliveries after `from` that holds about `capacity` bytes of them; `recent` are the last transactions up to
    /// `from`, and `wake` is called after each delivery.
    pub fn new(
        from: Lsn,
        recent: RecentTransactions,
        capacity: usize,
        source_progress: SourceProgress,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> PumpContext {
        PumpContext {
            deliveries: Handoff::new(capacity),
            delivered: AtomicI64::new(from.as_i64()),
            recent: Mutex::new((recent, None)),
            confirmed: AtomicI64::new(from.as_i64()),
            stopped: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            silence_limit: SilenceLimit::default(),
            source_progress,
            wake,
        }
    }

    /// The same with a limit that other contexts of the same reader share.
    #[must_use]
    pub fn with_silence_limit(self, silence_limit: SilenceLimit) -> PumpContext {
        PumpContext { silence_limit, ..self }
    }

    /// The limit that sessions share.
    pub fn silence_limit(&self) -> &SilenceLimit {
        &self.silence_limit
    }

    /// Whether this is the first session; `false` from the second call on.
    pub(super) fn begin_first_session(&self) -> bool {
        !self.has_begun.swap(true, Ordering::Relaxed)
    }

    /// The queue of deliveries.
    pub fn deliveries(&self) -> &Handoff<Delivery> {
        &self.deliveries
    }

    /// The LSN up to which everything was delivered.
    pub fn delivered(&self) -> Lsn {
        lsn(&self.delivered)
    }

    /// Records that everything up to `lsn` was delivered, and wakes the consumer.
    pub(super) fn set_delivered(&self, lsn: Lsn) {
        self.delivered.store(lsn.as_i64(), Ordering::Release);
        (self.wake)();
    }

    /// The last transactions up to there.
    pub(super) fn recent(&self) -> RecentTransactions {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = recent.1.take() {
            recent.0.push(newest);
        }
        recent.0.clone()
    }

    /// Records the transaction that was delivered last.
    pub(super) fn set_newest(&self, transaction: CommittedTransaction) {
        // Only the newest of a session: adding each to the others costs more than delivering it.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(transaction);
    }

    /// The LSN that may be confirmed to the server.
    pub(super) fn confirmed(&self) -> Lsn {
        lsn(&self.confirmed)
    }

    /// Lets the pump confirm `lsn`: everything committed up to it is durable.
    pub fn confirm(&self, lsn: Lsn) {
        self.confirmed.store(lsn.as_i64(), Ordering::Release);
    }

    /// Whether the pump must end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends the pump.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
}

fn lsn(number: &AtomicI64) -> Lsn {
    Lsn::from_i64(number.load(Ordering::Acquire)).expect("only LSNs are stored")
}
