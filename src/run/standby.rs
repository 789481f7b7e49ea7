//! A run that stands by waits until no other run has the book.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::interruptible::ended_meanwhile;
use crate::book::{BookError, LeaseWatch, State, Vacancy};
use crate::change::Failure;
use crate::control::Shutdown;
use crate::server::StartPhase;
use crate::store::Store;

/// The time between two warnings of a book that cannot be read.
const WARN_INTERVAL: Duration = Duration::from_secs(60);
/// The time between two looks at the log and the lease.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Waits for turns to take a book over.
pub(super) struct Standby {
    watch: LeaseWatch,
    /// The generation that was logged as the owner.
    logged: Option<String>,
}

/// A book that no other run seems to have. Whether that is so is decided by the fence, which must follow the entry that was newest.
pub(super) struct Turn<'a> {
    watch: &'a LeaseWatch,
    vacancy: Vacancy,
}

impl Standby {
    /// Stands by for the run that owns the book in `store`, which is silent after `timeout`.
    pub(super) fn new(store: &Arc<dyn Store>, timeout: Duration) -> Standby {
        info!("standing by: waiting until no other run has the book");
        Standby { watch: LeaseWatch::new(Arc::clone(store), timeout), logged: None }
    }

    /// Waits until no other run has the book.
    ///
    /// # Errors
    /// [`ended_meanwhile`].
    pub(super) fn await_turn(&mut self, shutdown: &Shutdown, phase: &StartPhase) -> Result<Turn<'_>, Failure> {
        let mut next_warning = None;
        self.logged = None;
        phase.set_standby("another run may have the book");
        loop {
            if shutdown.has_failed() {
                return Err(ended_meanwhile());
            }
            match self.watch.look(Instant::now()) {
                Ok(Some(vacancy)) => {
                    match vacancy.silent {
                        None => info!("the run that had the book has ended: taking the book over"),
                        Some(silent) => {
                            let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                            info!(silent_ms, "no sign of life of a run that has the book: taking the book over");
                        }
                    }
                    return Ok(Turn { watch: &self.watch, vacancy });
                }
                Ok(None) => next_warning = None,
                Err(error) => {
                    let now = Instant::now();
                    if next_warning.is_none_or(|next| now >= next) {
                        warn!(%error, "could not see whether another run has the book; looking again");
                        next_warning = Some(now + WARN_INTERVAL);
                    }
                    phase.set_standby(format!("could not see whether another run has the book: {error}"));
                    self.logged = None;
                }
            }
            self.show_owner(phase);
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Stands by again, after another run was faster.
    pub(super) fn begin_again(&mut self) {
        info!("another run has the book after all: standing by again");
        self.watch.begin_again();
    }

    /// Says once of each generation who it is.
    fn show_owner(&mut self, phase: &StartPhase) {
        if let (Some(generation), Some(holder)) = (self.watch.generation(), self.watch.holder())
            && self.logged.as_deref() != Some(generation)
        {
            info!(generation, holder, "another run has the book");
            phase.set_standby(format!("another run has the book: {holder}"));
            self.logged = Some(generation.to_owned());
        }
    }
}

impl Turn<'_> {
    /// Whether the book, whose log folds to `state`, is still as it was when the turn began.
    ///
    /// # Errors
    /// [`BookError`] when log or lease cannot be read.
    pub(super) fn holds(&self, state: &State) -> Result<bool, BookError> {
        Ok(state.newest_entry() == self.vacancy.newest && self.watch.is_unchanged()?)
    }

    /// Whether nothing has changed in the book since the turn began, as far as that can be seen.
    pub(super) fn is_unchanged(&self) -> bool {
        self.watch.is_unchanged().unwrap_or(true)
    }
}
