//! An instant falls on the day that the book's zone says, whatever was asked before.

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use walbook::change::Day;
use walbook::parse::{DayFrom, DayRule, Reject};

const HOUR: i64 = 3_600_000_000;

fn micros(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros()
}

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn slow_day(zone: Tz, instant: i64) -> Day {
    let time: DateTime<Utc> = DateTime::from_timestamp_micros(instant).expect("a time");
    Day::from(zone.from_utc_datetime(&time.naive_utc()).date_naive())
}

#[test]
fn the_rule_chooses_the_time() {
    let (commit, kafka) = (micros("2026-11-22T12:00:00Z"), micros("2026-11-25T12:00:00Z"));
    let answer = |from, commit, kafka| DayRule::new(Tz::UTC, from).day(commit, kafka, None);
    assert_eq!(answer(DayFrom::Auto, Some(commit), Some(kafka)), Ok(day("2026-11-22")));
    assert_eq!(answer(DayFrom::Auto, None, Some(kafka)), Ok(day("2026-11-25")));
    assert_eq!(answer(DayFrom::Auto, None, None), Err(Reject::NoTime));
    assert_eq!(answer(DayFrom::Commit, Some(commit), Some(kafka)), Ok(day("2026-11-22")));
    assert_eq!(answer(DayFrom::Commit, None, Some(kafka)), Err(Reject::NoCommitTime));
    assert_eq!(answer(DayFrom::Kafka, Some(commit), Some(kafka)), Ok(day("2026-11-25")));
    assert_eq!(answer(DayFrom::Kafka, Some(commit), None), Err(Reject::NoTime));
    let arrived =
        |from, commit, kafka| DayRule::new(Tz::UTC, from).day(commit, kafka, Some(micros("2026-11-27T12:00:00Z")));
    assert_eq!(arrived(DayFrom::Auto, Some(commit), None), Ok(day("2026-11-22")));
    assert_eq!(arrived(DayFrom::Auto, None, Some(kafka)), Ok(day("2026-11-25")));
    assert_eq!(arrived(DayFrom::Auto, None, None), Ok(day("2026-11-27")));
    assert_eq!(arrived(DayFrom::Commit, None, None), Err(Reject::NoCommitTime));
    assert_eq!(arrived(DayFrom::Kafka, Some(commit), None), Err(Reject::NoTime));
    for from in [DayFrom::Auto, DayFrom::Commit, DayFrom::Kafka] {
        assert_eq!(from.to_string().parse(), Ok(from));
        assert_eq!(serde_json::to_string(&from).expect("a string"), format!("\"{from}\""));
    }
    assert!("Auto".parse::<DayFrom>().is_err());
}

#[test]
fn unusable_times_are_rejects_and_their_rejects_stand_in_1970() {
    let (first, last) = (micros("0001-01-01T00:00:00Z"), micros("9999-12-31T23:59:59.999999Z"));
    let mut utc = DayRule::new(Tz::UTC, DayFrom::Auto);
    assert_eq!(
        (utc.day(Some(first), None, None), utc.day(Some(last), None, None)),
        (Ok(day("0001-01-01")), Ok(day("9999-12-31")))
    );
    for unusable in [first - 1, last + 1, i64::MIN, i64::MAX] {
        assert_eq!(utc.day(None, Some(unusable), None), Err(Reject::NoTime));
        assert_eq!(utc.day(Some(unusable), Some(0), None), Err(Reject::TimeRange));
        assert_eq!(utc.day_of_reject(Some(unusable)), Day::EPOCH);
    }
    assert_eq!(utc.day_of_reject(None), Day::EPOCH);
    assert_eq!(utc.day_of_reject(Some(micros("2026-11-22T12:00:00Z"))), day("2026-11-22"));
    // In the book's zone the instant may lie in year 0 or 10000.
    assert_eq!(DayRule::new(Tz::America__New_York, DayFrom::Auto).day(Some(first), None, None), Err(Reject::TimeRange));
    assert_eq!(DayRule::new(Tz::Asia__Tokyo, DayFrom::Auto).day(Some(last), None, None), Err(Reject::TimeRange));
    assert_eq!(DayRule::new(Tz::Asia__Tokyo, DayFrom::Auto).day_of_reject(Some(last)), Day::EPOCH);
}

#[test]
fn days_of_23_and_25_hours_and_days_left_out() {
    for (zone, from, days) in [
        (Tz::America__New_York, "2026-03-07T12:00:00Z", 3),
        (Tz::America__New_York, "2026-10-31T12:00:00Z", 3),
        (Tz::Pacific__Apia, "2011-12-29T00:00:00Z", 4),
        (Tz::Pacific__Kwajalein, "1993-08-20T00:00:00Z", 4),
        // The clock went back over midnight: the day before came twice.
        (Tz::America__Havana, "2026-10-31T00:00:00Z", 3),
        (Tz::America__St_Johns, "2010-11-06T00:00:00Z", 3),
        (Tz::Asia__Kathmandu, "1985-12-31T00:00:00Z", 2),
        (Tz::Europe__Amsterdam, "1937-06-30T00:00:00Z", 3),
    ] {
        let mut rule = DayRule::new(zone, DayFrom::Kafka);
        let mut instant = micros(from);
        let end = instant + days * 24 * HOUR;
        while instant < end {
            assert_eq!(rule.day(None, Some(instant), None), Ok(slow_day(zone, instant)), "{zone} {instant}");
            instant += 7 * 60 * 1_000_000 - 1;
        }
    }
    let apia = |text| DayRule::new(Tz::Pacific__Apia, DayFrom::Kafka).day(None, Some(micros(text)), None);
    assert_eq!(apia("2011-12-30T09:59:59.999999Z"), Ok(day("2011-12-29")));
    assert_eq!(apia("2011-12-30T10:00:00Z"), Ok(day("2011-12-31")));
}

proptest! {
    #[test]
    fn a_day_bounds_the_times_that_count_for_it(
        zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        hours in -1_200_000i64..700_000,
        minutes in 0i64..60,
    ) {
        let instant = hours * HOUR + minutes * (HOUR / 60);
        let rule = DayRule::new(zone, DayFrom::Auto);
        let times = rule.times_of(slow_day(zone, instant)).expect("bounds");
        prop_assert!(times.contains(&instant), "{zone} {instant} {times:?}");
        // A day of at most 25 hours, or two that have one date.
        prop_assert!(times.end() - times.start() < 50 * HOUR, "{zone} {instant} {times:?}");
        prop_assert_eq!(DayRule::new(zone, DayFrom::Kafka).times_of(slow_day(zone, instant)), None);
    }

    #[test]
    fn the_day_does_not_depend_on_the_days_before(
        zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        // Full hours of the years 1833 to 2049: clocks change there.
        hours in -1_200_000i64..700_000,
        steps in prop::collection::vec(prop_oneof![-40 * HOUR..40 * HOUR, -2 * HOUR..2 * HOUR, Just(1), Just(-1)], 1..60),
    ) {
        let mut rule = DayRule::new(zone, DayFrom::Kafka);
        let mut instant = hours * HOUR;
        for step in steps {
            instant += step;
            prop_assert_eq!(rule.day(None, Some(instant), None), Ok(slow_day(zone, instant)), "{} {}", zone, instant);
        }
    }
}
