//! An instant → the day it counts for, in the book's time zone.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::Reject;
use crate::change::{Day, instant};

/// Which instant decides a change's day; fixed when a book is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DayFrom {
    /// The commit time where the record has one, else Kafka's timestamp, else when the source received it.
    #[default]
    Auto,
    /// The commit time; a change without one is a reject.
    Commit,
    /// Kafka's timestamp, always.
    Kafka,
}

impl fmt::Display for DayFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DayFrom::Auto => "auto",
            DayFrom::Commit => "commit",
            DayFrom::Kafka => "kafka",
        })
    }
}

impl FromStr for DayFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<DayFrom, String> {
        [DayFrom::Auto, DayFrom::Commit, DayFrom::Kafka]
            .into_iter()
            .find(|from| from.to_string() == text)
            .ok_or_else(|| format!("no day rule {text:?}: one of auto, commit, kafka"))
    }
}

/// Turns the times of a record into a day.
#[derive(Clone, Debug)]
pub struct DayRule {
    zone: Tz,
    from: DayFrom,
    /// Instants of the newest day, without a change of the zone's offset between them.
    last: Range<i64>,
    last_day: Day,
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

impl DayRule {
    /// The rule of a book.
    pub fn new(zone: Tz, from: DayFrom) -> DayRule {
        DayRule { zone, from, last: 0..0, last_day: Day::EPOCH }
    }

    /// The rule of a book, by the names that its log holds; `None` when either is unknown.
    pub fn from_names(zone: &str, from: &str) -> Option<DayRule> {
        Some(DayRule::new(zone.parse().ok()?, from.parse().ok()?))
    }

    /// The day that a change counts for; times in microseconds since 1970-01-01 UTC. `arrived` stands in for Kafka's timestamp
    /// where a source has none.
    ///
    /// # Errors
    /// A [`Reject`] if the rule's time is missing, or lies outside the years 0001 to 9999 in UTC or in the book's zone.
    pub fn day(
        &mut self,
        commit_time: Option<i64>,
        kafka_time: Option<i64>,
        arrived: Option<i64>,
    ) -> Result<Day, Reject> {
        let usable = |time: &i64| (instant::FIRST..=instant::LAST).contains(time);
        let instant = match (self.from, commit_time) {
            (DayFrom::Commit, None) => return Err(Reject::NoCommitTime),
            (DayFrom::Auto | DayFrom::Commit, Some(time)) if usable(&time) => time,
            (DayFrom::Auto | DayFrom::Commit, Some(_)) => return Err(Reject::TimeRange),
            (DayFrom::Auto, None) => kafka_time.or(arrived).filter(usable).ok_or(Reject::NoTime)?,
            (DayFrom::Kafka, _) => kafka_time.filter(usable).ok_or(Reject::NoTime)?,
        };
        self.day_of(instant)
    }

    /// The day of the rejects that a record belongs to: of Kafka's timestamp, or 1970-01-01 if that is missing or unusable.
    pub fn day_of_reject(&mut self, kafka_time: Option<i64>) -> Day {
        let usable = kafka_time.filter(|time| (instant::FIRST..=instant::LAST).contains(time));
        usable.and_then(|time| self.day_of(time).ok()).unwrap_or(Day::EPOCH)
    }

    /// Assumes an instant of the years 0001 to 9999 UTC.
    fn day_of(&mut self, instant: i64) -> Result<Day, Reject> {
        if self.last.contains(&instant) {
            return Ok(self.last_day);
        }
        let offset = self.offset_at(instant);
        let number = (instant + offset).div_euclid(DAY);
        let day = Day::from_days(number).map_err(|_| Reject::TimeRange)?;
        // The day's instants under this offset, as far as the offset is known to hold: a zone changes it at most once in an
        // hour. A day may have 23 or 25 hours, come twice, or not at all; none of that matters within such a stretch.
        let hour = instant.div_euclid(HOUR) * HOUR;
        if self.offset_at(hour) == offset && self.offset_at(hour + HOUR - 1) == offset {
            let midnight = number * DAY - offset;
            self.last = midnight.max(hour)..(midnight + DAY).min(hour + HOUR);
            self.last_day = day;
        }
        Ok(day)
    }

    /// Bounds of the commit times, or Kafka's where there is none, of changes that count for a day; `None` where the rule looks at
    /// other times.
    pub fn times_of(&self, day: Day) -> Option<RangeInclusive<i64>> {
        (self.from != DayFrom::Kafka).then(|| self.instants_of(day))
    }

    /// Bounds of Kafka's timestamps of rejects that belong to a day; `None` for the day of those without a usable one.
    pub fn times_of_rejects(&self, day: Day) -> Option<RangeInclusive<i64>> {
        (day != Day::EPOCH).then(|| self.instants_of(day))
    }

    /// All instants of a day, and few others.
    fn instants_of(&self, day: Day) -> RangeInclusive<i64> {
        let midnight = i64::from(day.days()) * DAY;
        // No zone is or was further from UTC than sixteen hours.
        let around = (midnight - 16 * HOUR..=midnight + DAY + 16 * HOUR).step_by(HOUR as usize);
        let (least, greatest) = around
            .map(|instant| self.offset_at(instant))
            .fold((i64::MAX, i64::MIN), |(least, greatest), offset| (least.min(offset), greatest.max(offset)));
        midnight - greatest..=midnight + DAY - 1 - least
    }

    /// Microseconds that the zone's clocks are ahead of UTC.
    fn offset_at(&self, instant: i64) -> i64 {
        let time = DateTime::from_timestamp_micros(instant).expect("chrono reaches beyond the years 0001 to 9999");
        i64::from(self.zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc()) * SECOND
    }
}
