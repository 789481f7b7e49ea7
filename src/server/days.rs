//! `/api/days`: which days are whole.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::board::Board;
use super::body;
use super::error::{Answer, ApiError};
use super::parameters::Parameters;
use super::situation::Situation;
use super::view::View;
use crate::change::Day;

/// Days of the longest answer.
const MOST_DAYS: i32 = 20_000;

/// Answers `/api/days`.
pub(super) async fn days(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query.as_deref(), &["from", "to"])?;
    let view = View::of(&board);
    let moment = view.moment();
    let first_day = moment.totals.first_day();
    let today = view.today().ok_or_else(ApiError::failed)?;
    let to: Day = parameters.parsed("to")?.unwrap_or(today);
    let from: Day = parameters.parsed("from")?.unwrap_or_else(|| first_day.unwrap_or(today).min(to));
    if from > to {
        return Err(ApiError::bad_request(format!("no day lies between {from} and {to}: give the earlier day first")));
    }
    if to.days() - from.days() >= MOST_DAYS {
        return Err(ApiError::too_large(format!("at most {MOST_DAYS} days at a time")));
    }
    let known = Known::of(&board, &view, first_day, today);
    let days = (from.days()..=to.days()).filter_map(|number| Day::from_days(number.into()).ok());
    let days: Vec<Value> =
        days.map(|day| json!({ "day": day, "state": known.state(day, moment.totals.has_day(day)) })).collect();
    Ok(body::json(&json!({
        "complete_to": moment.complete_to(), "days": days, "first_day": first_day, "today": today,
    })))
}

/// What decides how whole a day is.
struct Known {
    first_day: Option<Day>,
    today: Day,
    /// The day up to which everything was read: those before it are whole.
    read_to: Option<Day>,
    /// Whether today is whole so far.
    is_caught_up: bool,
}

impl Known {
    fn of(board: &Board, view: &View, first_day: Option<Day>, today: Day) -> Known {
        let (situation, durable) = (Situation::of(board, view), &view.durable);
        // Where nobody says what there is to read, the book is whole up to its last transaction.
        let last = durable.moment.complete_to.commit_time.or(durable.committed_at);
        let last = last.filter(|_| view.run(board).is_none_or(|run| !run.knows_ends));
        let read_to = situation.complete_at.or(last).map(|time| time.min(view.now));
        let read_to = read_to.and_then(|time| view.day(time));
        let is_caught_up = !situation.is_behind();
        Known { first_day, today, read_to, is_caught_up }
    }

    fn state(&self, day: Day, has_changes: bool) -> &'static str {
        // Who is ahead of this clock may go on to be: such a day has begun, and nobody knows when it is whole.
        if day > self.today && has_changes {
            "incomplete"
        } else if day > self.today || self.first_day.is_none_or(|first| day < first) {
            "absent"
        } else if self.read_to.is_some_and(|read_to| day < read_to) {
            "complete"
        } else if day == self.today && self.is_caught_up && self.read_to == Some(day) {
            "open"
        } else {
            "incomplete"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_when_everything_up_to_its_end_was_read() {
        let day = |number| Day::from_days(number).expect("a day");
        let known = |read_to: Option<i64>, is_caught_up| Known {
            first_day: Some(day(10)),
            today: day(14),
            read_to: read_to.map(day),
            is_caught_up,
        };
        let states = |known: Known| [9, 10, 12, 13, 14, 15].map(|number| known.state(day(number), number < 15));
        assert_eq!(states(known(Some(14), true)), ["absent", "complete", "complete", "complete", "open", "absent"]);
        assert_eq!(
            states(known(Some(12), false)),
            ["absent", "complete", "incomplete", "incomplete", "incomplete", "absent"]
        );
        assert_eq!(states(known(Some(14), false))[4], "incomplete");
        assert_eq!(states(known(None, true))[1], "incomplete");
        let ahead = known(Some(14), true);
        assert_eq!([15, 16].map(|number| ahead.state(day(number), number == 15)), ["incomplete", "absent"]);
        let only_ahead = Known { first_day: Some(day(15)), ..known(Some(14), true) };
        assert_eq!([14, 15].map(|number| only_ahead.state(day(number), number == 15)), ["absent", "incomplete"]);
        let empty = Known { first_day: None, ..known(Some(14), true) };
        assert_eq!(empty.state(day(14), false), "absent");
    }
}
