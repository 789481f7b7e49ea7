//! How long the end may be waited for once it was asked for.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Shutdown;

/// How long work that is under way may take after the end was asked for.
const GRACE: Duration = Duration::from_millis(700);
/// How often a sleeper looks up.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Watches a process's request to end for one thread.
pub(super) struct Patience {
    shutdown: Shutdown,
    asked: Cell<Option<Instant>>,
}

impl Patience {
    pub(super) fn new(shutdown: Shutdown) -> Patience {
        Patience { shutdown, asked: Cell::new(None) }
    }

    /// Whether the end was asked for: begin nothing new.
    pub(super) fn is_asked(&self) -> bool {
        let asked = self.shutdown.is_requested();
        if asked && self.asked.get().is_none() {
            self.asked.set(Some(Instant::now()));
        }
        asked
    }

    /// Whether it was asked for so long ago that what is under way must be given up.
    pub(super) fn is_over(&self) -> bool {
        self.is_asked() && self.asked.get().is_some_and(|asked| asked.elapsed() > GRACE)
    }

    /// Sleeps, unless the end is asked for.
    pub(super) fn sleep(&self, duration: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < duration && !self.is_asked() {
            thread::sleep(LOOK_UP.min(duration.saturating_sub(begin.elapsed())));
        }
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}
