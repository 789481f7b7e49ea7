//! `/api/days`: which days are complete.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::ApiErrors;
use crate::book::CompleteTo;
use crate::change::Day;
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{FROM, TO, accepted_parameters};
use crate::server::http::body;
use crate::server::http::parameters::Parameters;
use crate::server::state::{AppState, StateSnapshot};

/// Days of the longest answer.
const MOST_DAYS: i32 = 20_000;

accepted_parameters!(DaysParameters: FROM, TO);

/// The state of each day of a range.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct DaysAnswer {
    complete_to: CompleteTo,
    days: Vec<DayStatus>,
    /// The first day with a change.
    first_day: Option<Day>,
    /// The present day in the book's time zone.
    today: Day,
}

/// A day.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct DayStatus {
    day: Day,
    state: DayCompleteness,
}

/// How much of a day was read. `absent`: it precedes the first change, or has not begun; `open`: it is today, and everything so
/// far was read; `complete`: everything was read; `incomplete`: its counts may still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::server) enum DayCompleteness {
    Absent,
    Open,
    Complete,
    Incomplete,
}

/// Which days are complete
#[utoipa::path(get, path = "/api/days", params(DaysParameters), responses(
    (status = 200, description = "The days", body = DaysAnswer, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn days(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query.as_deref(), DaysParameters::ACCEPTED)?;
    let snapshot = state.snapshot();
    let counts = snapshot.counts();
    let first_day = counts.totals.first_day();
    let today = snapshot.today().ok_or_else(ApiError::failed)?;
    let to: Day = parameters.parsed("to")?.unwrap_or(today);
    let from: Day = parameters.parsed("from")?.unwrap_or_else(|| first_day.unwrap_or(today).min(to));
    if from > to {
        return Err(ApiError::bad_request(format!("no day lies between {from} and {to}: give the earlier day first")));
    }
    if to.days() - from.days() >= MOST_DAYS {
        return Err(ApiError::too_large(format!("at most {MOST_DAYS} days at a time")));
    }
    let progress = ReadProgress::new(&state, &snapshot, first_day, today);
    let days = (from.days()..=to.days()).filter_map(|number| Day::from_days(number.into()).ok());
    let days = days.map(|day| DayStatus { day, state: progress.state(day, counts.totals.has_day(day)) }).collect();
    Ok(body::json(&DaysAnswer { complete_to: counts.complete_to.clone(), days, first_day, today }))
}

/// What decides the state of a day.
struct ReadProgress {
    first_day: Option<Day>,
    today: Day,
    /// The day up to which everything was read: those before it are complete.
    read_to: Option<Day>,
    /// Whether everything of today so far was read.
    is_caught_up: bool,
}

impl ReadProgress {
    fn new(state: &AppState, snapshot: &StateSnapshot, first_day: Option<Day>, today: Day) -> ReadProgress {
        let run_status = state.run_status(snapshot);
        // Without a source that reports its end, the book is complete up to its last transaction.
        let last = last_day(snapshot).filter(|_| state.run_in(snapshot).is_none_or(|run| !run.settings.knows_ends));
        let read_to = run_status.complete_at.map_or(last, |time| snapshot.day(time.min(snapshot.now)));
        let is_caught_up = !run_status.is_behind();
        ReadProgress { first_day, today, read_to, is_caught_up }
    }

    fn state(&self, day: Day, has_changes: bool) -> DayCompleteness {
        if day > self.today && has_changes {
            // A producer's clock is ahead of this one: the day has begun, and more changes may come.
            DayCompleteness::Incomplete
        } else if day > self.today || self.first_day.is_none_or(|first| day < first) {
            DayCompleteness::Absent
        } else if self.read_to.is_some_and(|read_to| day < read_to) {
            DayCompleteness::Complete
        } else if day == self.today && self.is_caught_up && self.read_to == Some(day) {
            DayCompleteness::Open
        } else {
            DayCompleteness::Incomplete
        }
    }
}

/// The day of the book's last transaction, as far as it is known.
fn last_day(snapshot: &StateSnapshot) -> Option<Day> {
    let day_of = |time: i64| snapshot.day(time.min(snapshot.now));
    match snapshot.durable.counts.complete_to.commit_time {
        Some(time) => day_of(time),
        // Records without commit times, or an entry of an earlier version: the commit may be days later than its changes.
        None => snapshot.durable.committed_at.and_then(day_of).min(snapshot.durable.counts.totals.last_day()),
    }
}

#[cfg(test)]
mod tests {
    use super::DayCompleteness::{Absent, Complete, Incomplete, Open};
    use std::sync::Arc;

    use super::*;
    use crate::book::CompleteTo;
    use crate::change::{CountKey, Operation, TableName};
    use crate::query::Totals;
    use crate::server::state::{CountsSnapshot, DurableState};

    #[test]
    fn without_commit_times_a_late_commit_completes_no_later_day() {
        let day = |number: i32| Day::from_days(number.into()).expect("a day");
        let instant = |number: i64| number * 86_400_000_000;
        let key = CountKey { day: day(10), table: Arc::new(TableName::new("a", "b")), op: Operation::Insert };
        let held = StateSnapshot::holding(&Totals::of([(&key, 1)]));
        let committed = |at: Option<i64>, commit_time: Option<i64>| {
            let mut durable = DurableState { committed_at: at, ..DurableState::clone(&held.durable) };
            let (totals, time_zone) = (held.durable.counts.totals.clone(), "UTC".to_owned());
            let rejects = Arc::default();
            let complete_to = CompleteTo { commit_time, ..held.durable.counts.complete_to.clone() };
            durable.counts = Arc::new(CountsSnapshot { totals, complete_to, time_zone, rejects });
            last_day(&StateSnapshot { now: instant(20), durable: Arc::new(durable), live: None })
        };
        assert_eq!(committed(Some(instant(15)), None), Some(day(10)));
        assert_eq!(committed(Some(instant(9)), None), Some(day(9)));
        assert_eq!(committed(Some(instant(15)), Some(instant(12))), Some(day(12)));
        assert_eq!(committed(None, None), None);
    }

    #[test]
    fn a_day_is_complete_when_everything_up_to_its_end_was_read() {
        let day = |number| Day::from_days(number).expect("a day");
        let progress = |read_to: Option<i64>, is_caught_up| ReadProgress {
            first_day: Some(day(10)),
            today: day(14),
            read_to: read_to.map(day),
            is_caught_up,
        };
        let states =
            |progress: ReadProgress| [9, 10, 12, 13, 14, 15].map(|number| progress.state(day(number), number < 15));
        assert_eq!(states(progress(Some(14), true)), [Absent, Complete, Complete, Complete, Open, Absent]);
        assert_eq!(states(progress(Some(12), false)), [Absent, Complete, Incomplete, Incomplete, Incomplete, Absent]);
        assert_eq!(states(progress(Some(14), false))[4], Incomplete);
        assert_eq!(states(progress(None, true))[1], Incomplete);
        let ahead = progress(Some(14), true);
        assert_eq!([15, 16].map(|number| ahead.state(day(number), number == 15)), [Incomplete, Absent]);
        let only_ahead = ReadProgress { first_day: Some(day(15)), ..progress(Some(14), true) };
        assert_eq!([14, 15].map(|number| only_ahead.state(day(number), number == 15)), [Absent, Incomplete]);
        let empty = ReadProgress { first_day: None, ..progress(Some(14), true) };
        assert_eq!(empty.state(day(14), false), Absent);
    }
}
