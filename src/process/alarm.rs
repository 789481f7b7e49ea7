//! Waking an operator later, once.

use std::time::{Duration, Instant};

use timely::scheduling::Activator;

/// An operator's alarm clock.
///
/// *Why*: an operator that asks to be woken later each time it runs would ask once more with every wake-up from elsewhere, and
/// each of these chains goes on for ever. So a new alarm is set only where none is due before it.
pub struct Alarm {
    activator: Activator,
    due: Option<Instant>,
}

impl Alarm {
    /// An alarm that is not set.
    pub fn new(activator: Activator) -> Alarm {
        Alarm { activator, due: None }
    }

    /// Wakes the operator again as soon as the others had their turn.
    pub fn now(&self) {
        self.activator.activate();
    }

    /// Wakes the operator within `delay`, unless it is to be woken before that anyway.
    pub fn within(&mut self, delay: Duration) {
        let now = Instant::now();
        let is_set = self.due.is_some_and(|due| now < due && due <= now + delay);
        if !is_set {
            self.activator.activate_after(delay);
            self.due = Some(now + delay);
        }
    }
}
