//! Sums of ranges of days that were asked for before, brought to the moment of the next question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::query::{Filter, RangeSums, Totals};

/// Ranges that are remembered; those that were not asked for the longest are forgotten first.
const RANGES: usize = 16;

/// The sums of some ranges, the one asked for last in front.
#[derive(Default)]
pub(super) struct KeptSums(Mutex<VecDeque<Arc<RangeSums>>>);

impl KeptSums {
    /// Whether the sums of a range are known of a moment not long ago.
    pub(super) fn knows(&self, filter: &Filter) -> bool {
        self.kept().iter().any(|sums| sums.is_over(filter))
    }

    /// The sums over the days of a filter, at a moment.
    pub(super) fn at(&self, totals: &Totals, filter: &Filter) -> Arc<RangeSums> {
        let place = |kept: &VecDeque<Arc<RangeSums>>| kept.iter().position(|sums| sums.is_over(filter));
        let known = {
            let mut kept = self.kept();
            place(&kept).and_then(|place| kept.remove(place))
        };
        // Meanwhile others may ask: they begin with nothing, and what they have is as good.
        let mut sums = known.unwrap_or_else(|| Arc::new(RangeSums::over(filter)));
        Arc::make_mut(&mut sums).bring_to(totals);
        let mut kept = self.kept();
        if let Some(place) = place(&kept) {
            kept.remove(place);
        }
        kept.push_front(Arc::clone(&sums));
        kept.truncate(RANGES);
        sums
    }

    /// Forgets all sums.
    pub(super) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<RangeSums>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
