//! Which days are closed: nothing will come to them, as far as that can be known.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::sources::newest_written_at;
use crate::book::log::commit_log;
use crate::book::write::entry_parts::write_time;
use crate::book::{BookError, State};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::Table;

/// How long nothing has come to a day that is closed.
const QUIET: Duration = Duration::from_secs(3600);

/// Those among some days that are over in the book's zone, and to whose table nothing has come for an hour.
///
/// # Errors
/// [`BookError`] when the log or a folder cannot be read.
pub fn closed_days(store: &dyn Store, state: &State, days: &[Day], table: Table) -> Result<Vec<Day>, BookError> {
    let now = write_time(store);
    let mut closed = Vec::new();
    for day in days {
        if is_over(*day, &state.settings.time_zone, now) && is_quiet(newest(store, state, table, *day)?, now) {
            closed.push(*day);
        }
    }
    Ok(closed)
}

/// When the newest rows came to a day, by the clock of their writer.
fn newest(store: &dyn Store, state: &State, table: Table, day: Day) -> Result<Option<i64>, BookError> {
    match state.days.get(&day).filter(|_| table == Table::Events) {
        Some(known) => {
            match commit_log::required(store, known.entry) {
                Ok(logged) => Ok(Some(logged.entry.written_at)),
                // It is older than any entry that is kept.
                Err(BookError::Swept { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
        None => newest_written_at(store, state, table, day),
    }
}

/// Whether the day has ended in a zone.
fn is_over(day: Day, time_zone: &str, now: i64) -> bool {
    // A book is made with a zone of this list only.
    let zone: Tz = time_zone.parse().unwrap_or(Tz::UTC);
    let now = DateTime::<Utc>::from_timestamp_micros(now).unwrap_or_default();
    Day::from(now.with_timezone(&zone).date_naive()) > day
}

/// Whether so long ago; a time in the future is of a clock that was set back.
fn is_quiet(written_at: Option<i64>, now: i64) -> bool {
    written_at.is_none_or(|written_at| now.saturating_sub(written_at) >= QUIET.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<DateTime<Utc>>().expect("a time").timestamp_micros()
    }

    #[test]
    fn a_day_ends_in_the_zone_of_the_book() {
        let day: Day = "2026-11-22".parse().expect("a day");
        for (zone, now, over) in [
            ("UTC", "2026-11-22T23:59:59Z", false),
            ("UTC", "2026-11-23T00:00:00Z", true),
            ("Europe/Berlin", "2026-11-22T22:59:59Z", false),
            ("Europe/Berlin", "2026-11-22T23:00:00Z", true),
            ("America/New_York", "2026-11-23T04:59:59Z", false),
            ("America/New_York", "2026-11-23T05:00:00Z", true),
        ] {
            assert_eq!(is_over(day, zone, micros(now)), over, "{zone} {now}");
        }
    }

    #[test]
    fn a_day_is_quiet_after_an_hour() {
        let now = micros("2026-11-23T01:00:00Z");
        assert!(is_quiet(Some(micros("2026-11-23T00:00:00Z")), now));
        assert!(!is_quiet(Some(micros("2026-11-23T00:00:01Z")), now));
        assert!(!is_quiet(Some(micros("2026-11-23T02:00:00Z")), now), "written in the future");
    }
}
