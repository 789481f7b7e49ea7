//! The deadline for a server that sends nothing, although its answer is requested every second: its process hangs, or the link
//! is cut without an end of the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::debug;

/// How long a server may be silent at first …
const FIRST_LIMIT: Duration = Duration::from_secs(12);
/// … and at most. It doubles with each session that ended so: before version 16 a server answers nothing while it decodes a
/// transaction with many changes that are not sent, and must get through it one day.
const LONGEST_LIMIT: Duration = Duration::from_secs(3600);

/// How long a server may be silent; shared by the sessions of one reader.
#[derive(Clone, Debug)]
pub struct SilenceLimit {
    millis: Arc<AtomicU64>,
}

impl Default for SilenceLimit {
    fn default() -> SilenceLimit {
        SilenceLimit { millis: Arc::new(AtomicU64::new(millis(FIRST_LIMIT))) }
    }
}

impl SilenceLimit {
    /// Whether a session was ended by silence, and nothing was delivered since. Then the server process that was left may still
    /// decode, and hold the slot until it has finished: before that it does not notice that its client is gone.
    pub fn has_ended_session(&self) -> bool {
        self.get() > FIRST_LIMIT
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    /// Returns to the first limit: the server has got through whatever kept it.
    fn reset(&self) {
        self.millis.store(millis(FIRST_LIMIT), Ordering::Relaxed);
    }

    fn double(&self) {
        self.millis.store(millis((self.get() * 2).min(LONGEST_LIMIT)), Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The silence of one session's server.
pub(super) struct Silence {
    limit: SilenceLimit,
    /// What was waited since bytes arrived last. Not the time that has passed: this process may have been suspended.
    waited: Duration,
    received: u64,
}

impl Silence {
    pub(super) fn new(limit: SilenceLimit) -> Silence {
        Silence { limit, waited: Duration::ZERO, received: 0 }
    }

    /// Notes that a whole message has arrived; a `delivery` if the reader has advanced by it.
    pub(super) fn end(&mut self, delivery: bool) {
        self.waited = Duration::ZERO;
        if delivery {
            self.limit.reset();
        }
    }

    /// Notes that no whole message has arrived for `timeout`, and `received` bytes altogether. Returns how long the server has
    /// been silent if that is too long.
    pub(super) fn add(&mut self, timeout: Duration, received: u64) -> Option<Duration> {
        if received > self.received {
            (self.received, self.waited) = (received, Duration::ZERO);
            return None;
        }
        self.waited += timeout;
        if self.waited < self.limit.get() {
            return None;
        }
        self.limit.double();
        debug!(next = ?self.limit.get(), "the server was silent for too long");
        Some(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::SlotError;

    const STEP: Duration = Duration::from_secs(1);

    /// How many steps without a byte end the session.
    fn steps(silence: &mut Silence, received: u64) -> u64 {
        (1..).find(|_| silence.add(STEP, received).is_some()).expect("it ends one day")
    }

    #[test]
    fn a_silent_server_ends_the_session_and_the_next_one_waits_longer_until_something_is_delivered() {
        let limit = SilenceLimit::default();
        let session = || Silence::new(limit.clone());
        assert!(!limit.has_ended_session());
        assert_eq!([steps(&mut session(), 0), steps(&mut session(), 0)], [12, 24]);
        assert!(limit.has_ended_session());
        let mut third = session();
        third.end(false);
        assert_eq!(steps(&mut third, 0), 48, "a keepalive alone shows no progress");
        let mut fourth = session();
        fourth.end(true);
        assert!(!limit.has_ended_session());
        assert_eq!(steps(&mut fourth, 0), 12);
        for _ in 0..20 {
            steps(&mut session(), 0);
        }
        assert_eq!(steps(&mut session(), 0), 3600);
    }

    #[test]
    fn a_slot_that_a_silent_server_process_still_holds_is_waited_for() {
        let limit = SilenceLimit::default();
        let held = SlotError::Held { slot: "s".to_owned(), pid: "7".to_owned(), seconds: 90 };
        assert!(!held.is_retryable_after(&limit), "another reader has it");
        steps(&mut Silence::new(limit.clone()), 0);
        assert!(held.is_retryable_after(&limit), "the process that was left may still decode");
        Silence::new(limit.clone()).end(true);
        assert!(!held.is_retryable_after(&limit));
    }

    #[test]
    fn bytes_of_a_message_that_is_not_complete_are_no_silence() {
        let mut silence = Silence::new(SilenceLimit::default());
        for received in 1..100 {
            assert_eq!(silence.add(STEP, received), None);
        }
        assert_eq!(steps(&mut silence, 99), 12);
    }
}
