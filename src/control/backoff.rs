//! The pauses between tries: each twice as long as the one before, up to a limit.

use std::time::Duration;

use super::Deadline;

/// How often a pause looks whether it is interrupted.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A doubling, capped, interruptible pause.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    has_jitter: bool,
    /// The part of the next pause that jitter leaves out.
    shortened: f64,
}

impl Backoff {
    /// Pauses that begin with `first` and never exceed `longest`.
    pub fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, next: first, has_jitter: false, shortened: 0.0 }
    }

    /// Shortens each pause by chance, at most by half: what failed together does not try again together.
    pub fn with_jitter(self) -> Backoff {
        let mut backoff = Backoff { has_jitter: true, ..self };
        backoff.draw();
        backoff
    }

    /// Pauses that are all alike.
    pub fn constant(pause: Duration) -> Backoff {
        Backoff::new(pause, pause)
    }

    /// The length of the next pause; for messages.
    pub fn next_pause(&self) -> Duration {
        if self.has_jitter { self.next.mul_f64(1.0 - self.shortened) } else { self.next }
    }

    /// Begins with the first pause again: the last try had some success.
    pub fn reset(&mut self) {
        self.next = self.first;
        self.draw();
    }

    /// Pauses, or returns early when `is_interrupted`; returns whether the whole pause has passed.
    pub fn pause(&mut self, is_interrupted: impl FnMut() -> bool) -> bool {
        let pause = self.next_pause();
        self.next = self.next.saturating_mul(2).min(self.longest);
        self.draw();
        !Deadline::after(pause).wait_until(CHECK_INTERVAL, is_interrupted)
    }

    fn draw(&mut self) {
        self.shortened = fastrand::f64() / 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let mut pauses = || {
            let pause = backoff.next_pause().as_secs();
            assert!(!backoff.pause(|| true), "an interrupted pause ends at once");
            pause
        };
        assert_eq!([pauses(), pauses(), pauses(), pauses(), pauses()], [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.next_pause().as_secs(), 1);
    }

    #[test]
    fn jitter_shortens_pauses_by_at_most_half() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4)).with_jitter();
        for whole in [1, 2, 4, 4] {
            let pause = backoff.next_pause();
            assert_eq!(pause, backoff.next_pause(), "the pause that was named is the one that is made");
            let whole = Duration::from_secs(whole);
            assert!(whole / 2 <= pause && pause <= whole, "{pause:?} of {whole:?}");
            assert!(!backoff.pause(|| true));
        }
    }

    #[test]
    fn a_pause_that_nothing_interrupts_passes_whole() {
        assert!(Backoff::constant(Duration::from_millis(1)).pause(|| false));
    }
}
