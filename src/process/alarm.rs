//! Waking an operator later, once.

use std::time::{Duration, Instant};

use timely::scheduling::Activator;

/// An operator's alarm clock.
///
/// Each `activate_after` that is not awaited would go on for ever, as an operator that is woken by it asks for the next:
/// with every wake-up from elsewhere there would be one more. So at most one alarm is set at a time.
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
