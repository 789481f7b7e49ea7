//! A thread of the leading process that brings the Delta tables to the newest entry: at the start, then at most once in an interval, and at the end.
//!
//! It has the committer only to copy its state, so that commits do not wait. If a file of that state was replaced before it had another name,
//! it tries once more while it has the committer: then nothing moves, and little is left to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::background::{BackgroundThread, StopSignal, StopTimeout};
use crate::book::{Committer, State};
use crate::change::{Failure, WithContext, with_causes};
use crate::control::Shutdown;
use crate::delta::{DeltaError, DeltaTables, Written};

/// How long an end waits for the last versions.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// The least pause after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(10);

/// Starts the thread, which writes once more when it is asked to end.
///
/// # Errors
/// When there can be no further thread.
pub(in crate::run) fn start(
    committer: Arc<Mutex<Committer>>,
    tables: DeltaTables,
    interval: Duration,
    shutdown: Shutdown,
) -> Result<BackgroundThread, Failure> {
    let tables = Arc::new(Mutex::new(tables));
    let of_committer = Arc::clone(&tables);
    let mut held = committer.lock().unwrap_or_else(PoisonError::into_inner);
    held.before_removal(Box::new(move |state| {
        let mut tables = of_committer.lock().unwrap_or_else(PoisonError::into_inner);
        // Until the next version readers of the newest one may miss files.
        if let Err(error) = tables.bring_to(state) {
            warn!(error = with_causes(&error), "could not write the Delta tables before files of events go");
        }
    }));
    drop(held);
    let timeout = StopTimeout {
        limit: STOP_TIMEOUT,
        warning: "the Delta tables are not at the newest entry: the next run brings them there",
    };
    let work = move |stop| Work { committer, tables, interval, shutdown, stop }.work();
    BackgroundThread::start("delta", timeout, work).context("could not start a thread")
}

struct Work {
    committer: Arc<Mutex<Committer>>,
    /// Who needs both locks the committer first.
    tables: Arc<Mutex<DeltaTables>>,
    interval: Duration,
    shutdown: Shutdown,
    stop: StopSignal,
}

impl Work {
    fn work(self) {
        loop {
            let is_last = self.stop.is_given();
            if self.shutdown.has_failed() {
                return;
            }
            let begun = Instant::now();
            let mut pause = self.interval;
            match self.write() {
                Ok(Written::Versions(versions)) => debug!(versions, took = ?begun.elapsed(), "wrote Delta tables"),
                Ok(Written::Moved) => debug!("the book has moved on while Delta tables were written"),
                Err(error) if self.shutdown.has_failed() => return debug!(%error, "the run has failed"),
                Err(error) if error.may_have_lost() => {
                    let error = with_causes(&error);
                    return warn!(error, "could not write the Delta tables; the next start of the run tries again");
                }
                Err(error) => {
                    pause = pause.max(FAILURE_PAUSE);
                    warn!(error = with_causes(&error), "could not write the Delta tables; trying again in {pause:?}");
                }
            }
            if is_last {
                return;
            }
            self.stop.sleep_until(begun + pause);
        }
    }

    fn write(&self) -> Result<Written, DeltaError> {
        let state = self.committer.lock().unwrap_or_else(PoisonError::into_inner).state().clone();
        let written = self.bring_to(&state)?;
        if written != Written::Moved {
            return Ok(written);
        }
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
        // A committer that failed has not redone its newest entry.
        if self.shutdown.has_failed() {
            return Ok(Written::Moved);
        }
        self.bring_to(committer.state())
    }

    fn bring_to(&self, state: &State) -> Result<Written, DeltaError> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).bring_to(state)
    }
}
