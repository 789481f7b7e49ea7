//! Session after session, with growing pauses, until the end.

use std::fmt::Display;
use std::time::Duration;

use tracing::warn;

use crate::change::Lsn;
use crate::control::Backoff;

/// The pause before the second session …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … and the longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A reader of a slot that survives the end of a session.
pub trait SlotReader {
    /// Why a session fails.
    type Error: Display;

    /// Runs one session to its end.
    ///
    /// # Errors
    /// Whatever ended it early.
    fn run_session(&mut self) -> Result<(), Self::Error>;

    /// The LSN up to which everything was handed on.
    fn position(&self) -> Lsn;

    /// Whether another session may succeed after `error`.
    fn is_retryable(&self, error: &Self::Error) -> bool;

    /// Whether the reader was asked to stop.
    fn is_stopped(&self) -> bool;
}

/// Runs sessions until one ends well, the reader is stopped, or another session would fail, too.
///
/// # Errors
/// The error that is not retryable.
pub fn run_sessions<R: SlotReader>(reader: &mut R) -> Result<(), R::Error> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let before = reader.position();
        let error = match reader.run_session() {
            Ok(()) => return Ok(()),
            Err(error) if !reader.is_retryable(&error) => return Err(error),
            Err(error) => error,
        };
        if reader.is_stopped() {
            return Ok(());
        }
        // Not after a long session: it may have spent its time on a transaction that ends every session.
        if reader.position() > before {
            backoff.reset();
        }
        warn!(%error, "the session ended; the next one starts in {} ms", backoff.next_pause().as_millis());
        backoff.pause(|| reader.is_stopped());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions that end as the list says; the reader is stopped when `stop_after` of them have run.
    struct Script {
        ends: Vec<Result<(), &'static str>>,
        run: usize,
        stop_after: usize,
    }

    impl SlotReader for Script {
        type Error = &'static str;

        fn run_session(&mut self) -> Result<(), &'static str> {
            self.run += 1;
            self.ends[self.run - 1]
        }

        fn position(&self) -> Lsn {
            Lsn::from_i64(0).expect("an LSN")
        }

        fn is_retryable(&self, error: &&'static str) -> bool {
            *error == "retryable"
        }

        fn is_stopped(&self) -> bool {
            self.run >= self.stop_after
        }
    }

    #[test]
    fn sessions_are_repeated_until_a_good_end_a_stop_or_an_error_that_stays() {
        for (ends, stop_after, ended, run) in [
            (vec![Err("retryable"), Ok(())], 9, Ok(()), 2),
            (vec![Err("retryable"), Err("final")], 9, Err("final"), 2),
            (vec![Err("final")], 1, Err("final"), 1),
            (vec![Err("retryable"), Err("retryable")], 1, Ok(()), 1),
        ] {
            let mut script = Script { ends, run: 0, stop_after };
            assert_eq!((run_sessions(&mut script), script.run), (ended, run));
        }
    }
}
