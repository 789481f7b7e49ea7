//! What an answer is about: read once, and everything in the answer comes from it.

use std::sync::Arc;

use super::counts::CountsSnapshot;
use super::durable_state::DurableState;
use super::live_state::LiveState;
use super::views::ViewTable;
use crate::change::Day;
use crate::change::instant::now_micros;
use crate::parse::DayRule;

/// What the server knows at one instant.
pub(in crate::server) struct StateSnapshot {
    /// The instant, in microseconds since 1970-01-01 UTC.
    pub(in crate::server) now: i64,
    /// The book.
    pub(in crate::server) durable: Arc<DurableState>,
    /// What the run of this process has read; `None` without a run, and after another run took over the book.
    pub(in crate::server) live: Option<Arc<LiveState>>,
}

impl StateSnapshot {
    /// The same state with the present time.
    pub(in crate::server) fn at_now(&self) -> StateSnapshot {
        StateSnapshot { now: now_micros(), durable: Arc::clone(&self.durable), live: self.live.clone() }
    }

    /// The newest counts: live if there is a run.
    pub(in crate::server) fn counts(&self) -> &Arc<CountsSnapshot> {
        self.live.as_ref().map_or(&self.durable.counts, |live| &live.counts)
    }

    /// The groups of a view, if they are in memory: live if there is a run.
    pub(in crate::server) fn view_table(&self, name: &str) -> Option<&ViewTable> {
        self.live.as_ref().map_or(&self.durable.tables, |live| &live.views.tables).get(name)
    }

    /// The day of an instant in the book's time zone.
    pub(in crate::server) fn day(&self, instant: i64) -> Option<Day> {
        DayRule::from_names(&self.durable.counts.time_zone, "kafka")?.day(None, Some(instant), None).ok()
    }

    /// The present day in the book's time zone.
    pub(in crate::server) fn today(&self) -> Option<Day> {
        self.day(self.now)
    }
}

#[cfg(test)]
impl StateSnapshot {
    /// A book that holds these counts and nothing else of interest.
    pub(in crate::server) fn holding(totals: &crate::query::Totals) -> StateSnapshot {
        let durable = DurableState::holding(totals);
        StateSnapshot { now: 0, durable: Arc::new(durable), live: None }
    }
}
