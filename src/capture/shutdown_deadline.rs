//! The time that a capture may still need after its end was requested.

use std::cell::OnceCell;
use std::time::Duration;

use crate::control::{Deadline, Shutdown};

/// How long work in progress may take after the end was requested.
const GRACE: Duration = Duration::from_millis(700);

/// Watches a process's shutdown for one thread.
pub(super) struct ShutdownDeadline {
    shutdown: Shutdown,
    deadline: OnceCell<Deadline>,
}

impl ShutdownDeadline {
    pub(super) fn new(shutdown: Shutdown) -> ShutdownDeadline {
        ShutdownDeadline { shutdown, deadline: OnceCell::new() }
    }

    /// Whether the end was requested: begin nothing new.
    pub(super) fn is_requested(&self) -> bool {
        let is_requested = self.shutdown.is_requested();
        if is_requested {
            self.deadline.get_or_init(|| Deadline::after(GRACE));
        }
        is_requested
    }

    /// Whether it was requested so long ago that work in progress must be given up.
    pub(super) fn has_passed(&self) -> bool {
        self.is_requested() && self.deadline.get().is_some_and(Deadline::has_passed)
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}
