//! Sums of ranges of days that were asked for before, brought to the moment of the next question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::query::{Filter, RangeSums, Totals};

/// Ranges that are remembered; those that were not asked for the longest are forgotten first.
const RANGES: usize = 16;

/// The sums of some ranges, the one asked for last in front.
#[derive(Default)]
pub(super) struct KeptSums(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    sums: VecDeque<Arc<RangeSums>>,
    is_over: bool,
}

impl Kept {
    fn take(&mut self, filter: &Filter) -> Option<Arc<RangeSums>> {
        let place = self.sums.iter().position(|sums| sums.is_over(filter))?;
        self.sums.remove(place)
    }
}

impl KeptSums {
    /// Whether the sums of a range are known of a moment not long ago.
    pub(super) fn knows(&self, filter: &Filter) -> bool {
        self.kept().sums.iter().any(|sums| sums.is_over(filter))
    }

    /// The sums over the days of a filter, at a moment.
    pub(super) fn at(&self, totals: &Totals, filter: &Filter) -> Arc<RangeSums> {
        let known = self.kept().take(filter);
        // Meanwhile others may ask: they begin with nothing, and what they have is as good.
        let mut sums = known.unwrap_or_else(|| Arc::new(RangeSums::over(filter)));
        Arc::make_mut(&mut sums).bring_to(totals);
        let mut kept = self.kept();
        if !kept.is_over {
            kept.take(filter);
            kept.sums.push_front(Arc::clone(&sums));
            kept.sums.truncate(RANGES);
        }
        sums
    }

    /// Forgets all sums, and those that come late: nobody asks any more.
    pub(super) fn end(&self) {
        *self.kept() = Kept { sums: VecDeque::new(), is_over: true };
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
