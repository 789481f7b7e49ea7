//! A calendar day in the book's time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar day, as days since 1970-01-01; always within the years 0001 to 9999.
///
/// Prints and parses as `YYYY-MM-DD`, which is also its form in JSON and in the names of day folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(i32);

/// A text or number that names no day between 0001-01-01 and 9999-12-31.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day between 0001-01-01 and 9999-12-31: {0:?}")]
pub struct DayError(String);

impl Day {
    /// 1970-01-01: the day of rejects without a usable timestamp.
    pub const EPOCH: Day = Day(0);

    const FIRST: i32 = -719_162; // 0001-01-01
    const LAST: i32 = 2_932_896; // 9999-12-31

    /// The day that lies `days` after 1970-01-01.
    ///
    /// # Errors
    /// [`DayError`] outside the years 0001 to 9999.
    pub fn from_days(days: i64) -> Result<Day, DayError> {
        match i32::try_from(days) {
            Ok(days) if (Day::FIRST..=Day::LAST).contains(&days) => Ok(Day(days)),
            _ => Err(DayError(format!("{days} days after 1970-01-01"))),
        }
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        self.0
    }

    fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).expect("a Day lies within chrono's range")
    }
}

impl From<NaiveDate> for Day {
    /// Assumes a date of the years 0001 to 9999.
    fn from(date: NaiveDate) -> Day {
        debug_assert!((1..=9999).contains(&date.year()));
        Day(date.to_epoch_days())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Day, DayError> {
        let parse = || {
            let [year @ .., b'-', m1, m2, b'-', d1, d2] = text.as_bytes().first_chunk::<10>()? else { return None };
            let number = |digits: &[u8]| {
                digits
                    .iter()
                    .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
            };
            let year = i32::try_from(number(year)?).ok().filter(|year| text.len() == 10 && *year > 0)?;
            NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
        };
        parse().map(Day::from).ok_or_else(|| DayError(text.to_owned()))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(DayText)
        } else {
            Day::from_days(i64::from(i32::deserialize(deserializer)?)).map_err(serde::de::Error::custom)
        }
    }
}

/// Reads a day from a text without a copy of it: an entry of the log may have a million.
struct DayText;

impl Visitor<'_> for DayText {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day as YYYY-MM-DD")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Day, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_prints_as_it_parses() {
        for text in ["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "2026-11-22", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().expect("a day").to_string(), text);
        }
        assert_eq!("0001-01-01".parse::<Day>().map(Day::days), Ok(Day::FIRST));
        assert_eq!("9999-12-31".parse::<Day>().map(Day::days), Ok(Day::LAST));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-11-2",
            "2026-02-30",
            "2026-13-01",
            "2026-1--01",
            "0000-01-01",
            "10000-01-01",
            "2026/11/22",
            " 2026-11-22",
            "+026-11-22",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text:?}");
        }
        assert!(Day::from_days(i64::from(Day::LAST) + 1).is_err());
        assert!(Day::from_days(i64::MIN).is_err());
    }
}
