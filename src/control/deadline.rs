//! A wait that ends at a fixed time.

use std::thread;
use std::time::{Duration, Instant};

/// How long something may take, counted from its creation.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    begin: Instant,
    timeout: Duration,
}

impl Deadline {
    /// A deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { begin: Instant::now(), timeout }
    }

    /// The time since the creation.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The time until the deadline; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.timeout.saturating_sub(self.elapsed())
    }

    /// Whether the deadline has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The whole time that was given; for messages.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Calls `is_done` now and every `interval` until it returns true or the deadline has passed; returns whether it was done.
    pub fn wait_until(&self, interval: Duration, mut is_done: impl FnMut() -> bool) -> bool {
        loop {
            if is_done() {
                return true;
            }
            let remaining = self.remaining();
            if remaining.is_zero() {
                return false;
            }
            thread::sleep(interval.min(remaining));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_it_is_done_or_at_its_deadline() {
        let long = Deadline::after(Duration::MAX);
        assert!(!long.has_passed() && long.remaining() > Duration::from_secs(1 << 40));
        let mut calls = 0;
        assert!(long.wait_until(Duration::ZERO, || {
            calls += 1;
            calls == 3
        }));
        let past = Deadline::after(Duration::ZERO);
        assert!(past.has_passed());
        assert!(past.wait_until(Duration::MAX, || true), "the condition is asked once even if the deadline has passed");
        assert!(!past.wait_until(Duration::MAX, || false));
    }
}
