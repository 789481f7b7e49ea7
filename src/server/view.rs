//! What an answer is of: it is taken once, and everything that the answer tells is read from it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::board::{Board, Durable, Live};
use super::moment::Moment;
use super::run::RunView;
use crate::change::Day;
use crate::parse::DayRule;

/// Microseconds since 1970-01-01 UTC by this machine's clock.
pub(super) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// What the server knows, at one instant.
pub(super) struct View {
    /// The instant.
    pub(super) now: i64,
    /// The book.
    pub(super) durable: Arc<Durable>,
    /// The run beside it, if there is one.
    pub(super) live: Option<Arc<Live>>,
}

impl View {
    /// What the server knows now.
    pub(super) fn of(board: &Board) -> View {
        // In this order: what is live never lies behind what is durable, and it does not here if it was looked at later.
        let durable = board.durable();
        let live = board.live();
        View { now: now_micros(), durable, live }
    }

    /// The same, as it is told now.
    pub(super) fn told_now(&self) -> View {
        View { now: now_micros(), durable: Arc::clone(&self.durable), live: self.live.clone() }
    }

    /// The run that is served; none where another one has taken the book over.
    pub(super) fn run<'a>(&self, board: &'a Board) -> Option<&'a RunView> {
        board.run.as_ref().filter(|_| self.live.is_some())
    }

    /// What is counted: live where there is a run.
    pub(super) fn moment(&self) -> &Arc<Moment> {
        self.live.as_ref().map_or(&self.durable.moment, |live| &live.moment)
    }

    /// The day of an instant in the book's zone.
    pub(super) fn day(&self, instant: i64) -> Option<Day> {
        DayRule::from_names(&self.durable.moment.time_zone, "kafka")?.day(None, Some(instant), None).ok()
    }

    /// The day that it is in the book's zone.
    pub(super) fn today(&self) -> Option<Day> {
        self.day(self.now)
    }
}

#[cfg(test)]
impl View {
    /// A book that holds these counts, and nothing else of interest.
    pub(super) fn holding(totals: &crate::query::Totals) -> View {
        use std::collections::BTreeMap;

        use crate::book::{CompleteTo, Level};

        let complete_to =
            CompleteTo { commit: 0, positions: BTreeMap::new(), commit_time: None, level: Level::Durable };
        let durable = Durable {
            moment: Arc::new(Moment { totals: totals.clone(), complete_to, time_zone: "UTC".to_owned() }),
            id: String::new(),
            day_from: "auto".to_owned(),
            generation: String::new(),
            entry: 0,
            committed_at: None,
            changes: None,
            made_at: None,
            sources: BTreeMap::new(),
            lost: BTreeMap::new(),
            rejects: Arc::default(),
        };
        View { now: 0, durable: Arc::new(durable), live: None }
    }
}
