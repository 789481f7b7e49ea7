//! A check of another system before each commit, which must not hold commits up.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::change::Failure;

/// Runs a check on a thread of its own. A commit waits a limited time for a fresh result. It does not wait while an earlier
/// check is pending, or after one that could not be made: then the other system is away, and the last result counts.
pub(super) struct BackgroundCheck {
    timeout: Duration,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<CheckState>,
    changed: Condvar,
}

#[derive(Default)]
struct CheckState {
    requested: u64,
    answered: u64,
    /// Whether the last check could not be made.
    is_away: bool,
    failure: Option<Failure>,
    is_ended: bool,
}

impl CheckState {
    fn is_pending(&self) -> bool {
        self.answered < self.requested && self.failure.is_none()
    }
}

impl BackgroundCheck {
    /// Starts the thread; it ends when the check is dropped or after the first failure. The check returns false if it could not be made.
    pub(super) fn start(
        timeout: Duration,
        mut check: impl FnMut() -> Result<bool, Failure> + Send + 'static,
    ) -> BackgroundCheck {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let work = move || {
            let Shared { state, changed } = &*of_thread;
            let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let waiting = changed.wait_while(lock(), |state| !state.is_pending() && !state.is_ended);
                let CheckState { requested, is_ended, .. } = *waiting.unwrap_or_else(PoisonError::into_inner);
                if is_ended {
                    return;
                }
                let result = check();
                let mut state = lock();
                state.answered = requested;
                state.is_away = matches!(result, Ok(false));
                state.failure = result.err();
                let has_failed = state.failure.is_some();
                drop(state);
                changed.notify_all();
                if has_failed {
                    return;
                }
            }
        };
        thread::Builder::new().name("precommit".to_owned()).spawn(work).expect("a thread can be started");
        BackgroundCheck { timeout, shared }
    }

    /// Whether the check holds, as far as is known within the timeout.
    ///
    /// # Errors
    /// The check's failure, once.
    pub(super) fn result(&self) -> Result<(), Failure> {
        let Shared { state, changed } = &*self.shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failure.is_none() && !state.is_pending() {
            state.requested += 1;
            changed.notify_all();
            let timeout = if state.is_away { Duration::ZERO } else { self.timeout };
            let waited = changed.wait_timeout_while(state, timeout, |state| state.is_pending());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.failure.take().map_or(Ok(()), Err)
    }

    /// The result of the last check, which is waited for within the timeout if it is pending.
    ///
    /// # Errors
    /// The check's failure, once.
    pub(super) fn last_result(&self) -> Result<(), Failure> {
        let Shared { state, changed } = &*self.shared;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = if state.is_away { Duration::ZERO } else { self.timeout };
        let waited = changed.wait_timeout_while(state, timeout, |state| state.is_pending());
        waited.unwrap_or_else(PoisonError::into_inner).0.failure.take().map_or(Ok(()), Err)
    }
}

impl Drop for BackgroundCheck {
    fn drop(&mut self) {
        let Shared { state, changed } = &*self.shared;
        state.lock().unwrap_or_else(PoisonError::into_inner).is_ended = true;
        changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_check_without_an_answer_holds_no_commit_up() {
        let (answer, answers) = channel();
        let check = BackgroundCheck::start(Duration::from_millis(20), move || answers.recv().unwrap_or(Ok(true)));
        let begin = Instant::now();
        for _ in 0..1_000 {
            check.result().expect("nothing is known to be wrong");
        }
        // Only the first one waits.
        assert!(begin.elapsed() < LONG / 4, "{:?}", begin.elapsed());
        answer.send(Err(Failure::new("the topic is another one"))).expect("the check is waiting");
        let begin = Instant::now();
        while check.result().is_ok() {
            assert!(begin.elapsed() < LONG, "a failure that is known ends the run");
        }
    }

    #[test]
    fn a_check_that_answers_is_waited_for() {
        let mut remaining = 3;
        let check = BackgroundCheck::start(LONG, move || {
            remaining -= 1;
            if remaining == 0 { Err(Failure::new("the topic is another one")) } else { Ok(true) }
        });
        let results: Vec<bool> = (0..3).map(|_| check.result().is_ok()).collect();
        assert_eq!(results, [true, true, false]);
    }

    #[test]
    fn after_a_check_that_could_not_be_made_the_next_one_is_not_waited_for() {
        let (answer, answers) = channel();
        let check = BackgroundCheck::start(LONG, move || answers.recv().unwrap_or(Ok(true)));
        answer.send(Ok(false)).expect("the check is there");
        check.result().expect("nothing is known to be wrong");
        let begin = Instant::now();
        check.result().expect("nothing is known to be wrong");
        assert!(begin.elapsed() < LONG / 4, "{:?}", begin.elapsed());
    }

    #[test]
    fn a_check_that_is_dropped_ends() {
        let (is_running, ended) = channel::<()>();
        let check = BackgroundCheck::start(LONG, move || {
            let _is_running = &is_running;
            Ok(true)
        });
        check.result().expect("nothing is wrong");
        drop(check);
        assert!(ended.recv_timeout(LONG).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_failure_that_comes_after_the_last_commit_ends_the_run() {
        let (answer, answers) = channel();
        let check = BackgroundCheck::start(Duration::from_millis(20), move || answers.recv().unwrap_or(Ok(true)));
        check.result().expect("nothing is known yet");
        answer.send(Err(Failure::new("the topic is another one"))).expect("the check is waiting");
        let begin = Instant::now();
        while check.last_result().is_ok() {
            assert!(begin.elapsed() < LONG, "the failure is returned at the end");
        }
    }
}
