//! Scheduling an operator again after a delay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::scheduling::Activator;

use super::Host;

/// Activates one operator, now or later, with at most one useful activation pending.
///
/// *Why*: an operator that asked for a delayed activation on every run would add one for each activation that comes from elsewhere,
/// and each of those would ask for the next. So an activation is scheduled only if none is due before it.
pub struct ActivationTimer {
    activator: Activator,
    host: Arc<dyn Host>,
    due: Option<Instant>,
}

impl ActivationTimer {
    /// A timer without a pending activation.
    pub fn new(activator: Activator, host: Arc<dyn Host>) -> ActivationTimer {
        ActivationTimer { activator, host, due: None }
    }

    /// Activates the operator again after the other operators have run.
    pub fn activate_now(&self) {
        self.activator.activate();
    }

    /// Activates the operator within `delay`, unless an earlier activation is pending.
    pub fn activate_within(&mut self, delay: Duration) {
        let now = self.host.now();
        let is_pending = self.due.is_some_and(|due| now < due && due <= now + delay);
        if !is_pending {
            self.activator.activate_after(delay);
            self.due = Some(now + delay);
        }
    }
}
