//! Sweeping the log while a run goes on, between two looks at the days to merge.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::book::sweep::{Sweep, Sweeper};
use crate::book::{BookError, Committer};
use crate::change::with_causes;
use crate::control::with_lowest_priority;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(3600);

/// What sweeps the log of a run's book.
pub(super) struct LogSweep {
    sweeper: Sweeper,
    /// How long entries are kept.
    keep: Duration,
    /// The end of the pause after a failure.
    paused_to: Option<Instant>,
    /// Whether a sync has failed: what it was to make durable may be lost, so nothing is removed any more.
    has_lost_sync: bool,
}

impl LogSweep {
    /// Keeps entries so long.
    pub(super) fn new(committer: &Committer, keep: Duration) -> LogSweep {
        LogSweep { sweeper: committer.sweeper(), keep, paused_to: None, has_lost_sync: false }
    }

    /// Sweeps once; returns whether there may be more to sweep.
    ///
    /// # Errors
    /// [`BookError::Fenced`]: the book is another run's. Other failures are logged, and the next attempt is an hour later.
    pub(super) fn sweep(
        &mut self,
        committer: &Mutex<Committer>,
        is_cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, BookError> {
        if self.has_lost_sync || self.paused_to.is_some_and(|end| Instant::now() < end) {
            return Ok(false);
        }
        let (sweeper, keep) = (&self.sweeper, self.keep);
        let io = |source| BookError::Io { tried: "start a thread for", path: "a sweep of the log".to_owned(), source };
        let swept = with_lowest_priority("sweep", || sweeper.sweep(keep, &|| is_cancelled())).map_err(io);
        match swept.flatten() {
            Ok(Sweep::Nothing) => Ok(false),
            Ok(Sweep::AwaitsCheckpoints) => {
                committer.lock().unwrap_or_else(PoisonError::into_inner).expect_sweep();
                Ok(false)
            }
            Ok(Sweep::Swept { entries, to }) => {
                info!(entries, to, "swept old entries of the log into a base");
                Ok(true)
            }
            Err(fenced @ BookError::Fenced { .. }) => Err(fenced),
            Err(error) => {
                self.paused_to = Some(Instant::now() + PAUSE);
                self.has_lost_sync |= self.sweeper.may_have_lost(&error);
                let when = if self.has_lost_sync { "at the next start".to_owned() } else { format!("in {PAUSE:?}") };
                warn!(error = with_causes(&error), "could not sweep old entries of the log; trying again {when}");
                Ok(false)
            }
        }
    }
}
