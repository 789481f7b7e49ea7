//! From which day on events and rejects are kept.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::book::State;
use crate::change::Day;

/// The first day that is kept, if today and so many days before are; `None` for a book without changes. `now` is in microseconds since
/// 1970-01-01 UTC.
///
/// Today is at the latest the day after that of the newest change: a clock that is wrong removes nothing that is not old beside what the book
/// has.
pub(super) fn first_kept_day(state: &State, days: u32, now: i64) -> Option<Day> {
    // A book is made with a zone of this list only.
    let zone: Tz = state.settings.time_zone.parse().unwrap_or(Tz::UTC);
    let by_clock = Day::from(DateTime::<Utc>::from_timestamp_micros(now)?.with_timezone(&zone).date_naive());
    let (newest, _) = state.days.last_key_value()?;
    let today = i64::from(by_clock.days()).min(i64::from(newest.days()) + 1);
    Day::from_days(today - i64::from(days)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::DayState;
    use crate::book::log::entry::BookSettings;

    fn state(zone: &str, newest: &str) -> State {
        let mut state =
            State::new("book".to_owned(), BookSettings { time_zone: zone.to_owned(), day_from: "auto".to_owned() });
        let days = ["2026-01-01", newest].into_iter().filter(|day| !day.is_empty());
        state.days = days.map(|day| (day.parse().expect("a day"), DayState { changes: 1, entry: 1 })).collect();
        state
    }

    #[test]
    fn days_are_counted_from_today_in_the_zone_of_the_book() {
        let now = "2026-11-22T23:30:00Z".parse::<DateTime<Utc>>().expect("a time").timestamp_micros();
        for (days, zone, newest, first) in [
            (0, "UTC", "2026-11-22", "2026-11-22"),
            (0, "Europe/Berlin", "2026-11-22", "2026-11-23"),
            (30, "UTC", "2026-11-22", "2026-10-23"),
            // The clock may be wrong, and so may the times of changes.
            (30, "UTC", "2026-03-31", "2026-03-02"),
            (30, "UTC", "2099-01-01", "2026-10-23"),
        ] {
            let first: Day = first.parse().expect("a day");
            assert_eq!(first_kept_day(&state(zone, newest), days, now), Some(first), "{days} {zone} {newest}");
        }
    }

    #[test]
    fn a_book_without_changes_and_more_days_than_there_are_keep_all() {
        let mut empty = state("UTC", "");
        empty.days.clear();
        assert_eq!(first_kept_day(&empty, 0, 0), None);
        assert_eq!(first_kept_day(&state("UTC", "2026-11-22"), u32::MAX, 0), None);
    }
}
