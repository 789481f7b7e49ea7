//! Days, times and zones: `date_trunc`, `extract`, and the local time of an instant.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Time64MicrosecondType, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::kernels::{Failures, Reason, map};
use super::value::Value;
use crate::change::instant;
use crate::sql::expression::{TimeField, TimeUnit};
use crate::sql::types::Type;

pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;
const OUT_OF_RANGE: Reason = "not within the years 1 to 9999";

/// Days since 1970-01-01 of a date that exists.
pub(super) fn day_of_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
    Some(date.to_epoch_days().into())
}

fn date(day: i64) -> NaiveDate {
    i32::try_from(day).ok().and_then(NaiveDate::from_epoch_days).unwrap_or_default()
}

/// Year, month and day.
pub(super) fn civil_of_day(day: i64) -> (i32, u32, u32) {
    let date = date(day);
    (date.year(), date.month(), date.day())
}

/// Refuses days outside the years 1 to 9999.
pub(super) fn checked_day(day: i64) -> Result<i32, Reason> {
    let first = instant::FIRST.div_euclid(MICROS_PER_DAY);
    let last = instant::LAST.div_euclid(MICROS_PER_DAY);
    if (first..=last).contains(&day) { Ok(day as i32) } else { Err(OUT_OF_RANGE) }
}

/// Refuses times outside the years 1 to 9999.
pub(super) fn checked_micros(micros: i64) -> Result<i64, Reason> {
    if (instant::FIRST..=instant::LAST).contains(&micros) { Ok(micros) } else { Err(OUT_OF_RANGE) }
}

/// Refuses instants that are within the years 1 to 9999 in no zone.
pub(super) fn checked_instant(micros: i64) -> Result<i64, Reason> {
    let range = instant::FIRST - MICROS_PER_DAY..=instant::LAST + MICROS_PER_DAY;
    if range.contains(&micros) { Ok(micros) } else { Err(OUT_OF_RANGE) }
}

fn naive(micros: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().naive_utc()
}

/// Seconds east of UTC at an instant.
pub(super) fn offset_at(micros: i64, zone: Tz) -> i64 {
    zone.offset_from_utc_datetime(&naive(micros)).fix().local_minus_utc().into()
}

/// The local time of an instant, in microseconds since 1970-01-01 00:00 local time.
pub(super) fn local_of_instant(micros: i64, zone: Tz) -> i64 {
    micros + offset_at(micros, zone) * 1_000_000
}

/// The instant of a local time. As in PostgreSQL, one that occurs twice is the later, and one that is skipped is counted by
/// the offset before the change.
pub(super) fn instant_of_local(local: i64, zone: Tz) -> Result<i64, Reason> {
    let offset = match zone.offset_from_local_datetime(&naive(local)) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => offset.fix(),
        MappedLocalTime::None => {
            let before = naive(local - MICROS_PER_DAY / 4);
            zone.offset_from_local_datetime(&before).earliest().ok_or(OUT_OF_RANGE)?.fix()
        }
    };
    checked_instant(local - i64::from(offset.local_minus_utc()) * 1_000_000)
}

/// `date_trunc(unit, x)` of a timestamp or a timestamptz.
pub(super) fn truncate(value: &Value, kind: Type, unit: TimeUnit, zone: Tz, failures: &mut Failures<'_>) -> Value {
    let times = value.array.as_primitive::<TimestampMicrosecondType>();
    map::<_, TimestampMicrosecondType>(value, times, failures, |micros: i64| match kind {
        // An hour that occurs twice stays the one that it is.
        Type::TimestampTz if unit.is_within_day() => {
            let offset = offset_at(micros, zone) * 1_000_000;
            checked_instant(truncated(micros + offset, unit) - offset)
        }
        Type::TimestampTz => instant_of_local(truncated(local_of_instant(micros, zone), unit), zone),
        _ => checked_micros(truncated(micros, unit)),
    })
}

fn truncated(local: i64, unit: TimeUnit) -> i64 {
    let day = local.div_euclid(MICROS_PER_DAY);
    let first_of = |year: i32, month: u32| day_of_civil(year.into(), month.into(), 1).unwrap_or(day) * MICROS_PER_DAY;
    let (year, month, _) = civil_of_day(day);
    match unit {
        TimeUnit::Microsecond => local,
        TimeUnit::Millisecond => local - local.rem_euclid(1_000),
        TimeUnit::Second => local - local.rem_euclid(1_000_000),
        TimeUnit::Minute => local - local.rem_euclid(60_000_000),
        TimeUnit::Hour => local - local.rem_euclid(3_600_000_000),
        TimeUnit::Day => day * MICROS_PER_DAY,
        TimeUnit::Week => (day - i64::from(date(day).weekday().num_days_from_monday())) * MICROS_PER_DAY,
        TimeUnit::Month => first_of(year, month),
        TimeUnit::Quarter => first_of(year, (month - 1) / 3 * 3 + 1),
        TimeUnit::Year => first_of(year, 1),
    }
}

/// `extract(field FROM x)` of a date, time, timestamp or timestamptz.
pub(super) fn extract(value: &Value, kind: Type, field: TimeField, zone: Tz, failures: &mut Failures<'_>) -> Value {
    let of_local = |local: i64| Ok(i128::from(field_of(local, field)));
    match kind {
        Type::Date => map::<_, Decimal128Type>(
            value,
            value.array.as_primitive::<Date32Type>(),
            failures,
            |day: i32| match field {
                TimeField::Epoch => Ok(i128::from(day) * 86_400),
                _ => of_local(i64::from(day) * MICROS_PER_DAY),
            },
        ),
        Type::Time => {
            let times = value.array.as_primitive::<Time64MicrosecondType>();
            map::<_, Decimal128Type>(value, times, failures, of_local)
        }
        _ => {
            let times = value.array.as_primitive::<TimestampMicrosecondType>();
            map::<_, Decimal128Type>(value, times, failures, |micros: i64| match (kind, field) {
                (Type::TimestampTz, field) if field != TimeField::Epoch => of_local(local_of_instant(micros, zone)),
                _ => of_local(micros),
            })
        }
    }
}

/// Seconds and the epoch are in microseconds.
fn field_of(local: i64, field: TimeField) -> i64 {
    let (day, micros) = (local.div_euclid(MICROS_PER_DAY), local.rem_euclid(MICROS_PER_DAY));
    let date = date(day);
    match field {
        TimeField::Second => micros % 60_000_000,
        TimeField::Minute => micros / 60_000_000 % 60,
        TimeField::Hour => micros / 3_600_000_000,
        TimeField::Day => date.day().into(),
        TimeField::Week => date.iso_week().week().into(),
        TimeField::Month => date.month().into(),
        TimeField::Quarter => date.month().div_ceil(3).into(),
        TimeField::Year => year_of_era(date.year()).into(),
        TimeField::IsoYear => year_of_era(date.iso_week().year()).into(),
        TimeField::DayOfWeek => date.weekday().num_days_from_sunday().into(),
        TimeField::IsoDayOfWeek => date.weekday().number_from_monday().into(),
        TimeField::DayOfYear => date.ordinal().into(),
        TimeField::Epoch => local,
    }
}

/// Before the year 1 is the year -1.
fn year_of_era(year: i32) -> i32 {
    if year > 0 { year } else { year - 1 }
}

/// The time at which a day begins, of the same zone.
pub(super) fn midnight(day: i32) -> i64 {
    i64::from(day) * MICROS_PER_DAY
}
