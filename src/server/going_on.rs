//! A transaction of a slot that takes long: nothing of it can be committed before its end, and who reads it is not stuck.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::Underway;

/// Whether a run is held up by transactions that go on coming.
#[derive(Default)]
pub(super) struct GoingOn(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// What was under way when last looked at.
    underway: [Underway; 3],
    /// When more of one had come since the look before; 0 if that never was.
    last: i64,
}

impl GoingOn {
    /// Looks at what is under way at an instant. What begins and ends between two looks holds nobody up.
    pub(super) fn look(&self, underway: [Underway; 3], now: i64) {
        let mut seen = self.seen();
        let goes_on = |(now, before): (&Underway, &Underway)| {
            now.number == before.number && before.so_far > 0 && now.so_far > before.so_far
        };
        if underway.iter().zip(&seen.underway).any(goes_on) {
            seen.last = now;
        }
        seen.underway = underway;
    }

    /// The last instant at which one of them went on; 0 if none ever did.
    pub(super) fn last(&self) -> i64 {
        self.seen().last
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Quiet;

    #[test]
    fn only_a_transaction_that_goes_on_is_a_sign_of_life() {
        let (going_on, quiet) = (GoingOn::default(), Quiet::default());
        let look = |now| {
            going_on.look(quiet.underway(), now);
            going_on.last()
        };
        // Small ones, one of them half there at each look.
        for now in 1..4 {
            quiet.arrives(100 * now as usize);
            assert_eq!(look(now), 0);
            quiet.arrived();
        }
        quiet.arrives(100);
        assert_eq!(look(10), 0);
        quiet.arrives(100);
        assert_eq!(look(20), 20);
        // It comes no more, and then it is there, and is taken.
        assert_eq!(look(30), 20);
        quiet.arrived();
        assert_eq!(look(40), 20);
        for (records, now) in [(16, 50), (32, 60), (48, 70)] {
            quiet.taken(Some(records));
            look(now);
        }
        assert_eq!(look(80), 70);
        quiet.taken(None);
        assert_eq!(look(90), 70);
    }
}
