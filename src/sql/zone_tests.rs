//! Expressions of days and times, whose values depend on the zone. Expected values are those of PostgreSQL 17.

use chrono_tz::Tz;

use super::expression_tests::{Rows, bad, constant, values};

#[test]
fn days_and_times_are_those_of_the_zone() {
    let zone = Tz::Europe__Berlin;
    let one: Rows<'_> = &[&[None, None]];
    for (text, expected) in [
        ("commit_time", "2026-11-23 00:59:58.5+01"),
        ("commit_time::date", "2026-11-23"),
        ("commit_time::time", "00:59:58.5"),
        ("commit_time::time < '06:00'", "true"),
        ("commit_time::timestamp", "2026-11-23 00:59:58.5"),
        ("commit_time > '2026-11-23 00:59:58'", "true"),
        ("date_trunc('day', commit_time)", "2026-11-23 00:00:00+01"),
        ("date_trunc('month', commit_time)::date", "2026-11-01"),
        ("extract(hour FROM commit_time)", "0"),
        ("extract(second FROM commit_time)", "58.500000"),
        ("extract(epoch FROM commit_time)", "1795391998.500000"),
        // The hour that occurs twice, the one that is skipped.
        ("'2026-10-25 02:30'::timestamptz", "2026-10-25 02:30:00+01"),
        ("'2026-03-29 02:30'::timestamptz", "2026-03-29 03:30:00+02"),
        ("'2026-07-01 12:00Z'::timestamptz", "2026-07-01 14:00:00+02"),
    ] {
        let (values, bad) = values(text, zone, one);
        assert_eq!((values[0].as_deref(), bad.count), (Some(expected), 0), "{text}");
    }
    for (text, expected) in [
        ("day + 7", "2026-11-29"),
        ("day - '2026-11-01'::date", "21"),
        ("DATE '2024-02-29' - 1", "2024-02-28"),
        ("'2026-11-22 10:20:30.120'::timestamp", "2026-11-22 10:20:30.12"),
        ("'24:00'::time", "24:00:00"),
        ("date_trunc('week', '2026-11-22'::timestamp)", "2026-11-16 00:00:00"),
        ("date_trunc('quarter', '2026-11-22'::timestamp)", "2026-10-01 00:00:00"),
        ("date_trunc('hour', '2026-11-22 10:59:59'::timestamp)", "2026-11-22 10:00:00"),
        ("extract(dow FROM day)", "0"),
        ("extract(isodow FROM day)", "7"),
        ("extract(week FROM DATE '2027-01-01')", "53"),
        ("extract(isoyear FROM DATE '2027-01-01')", "2026"),
        ("extract(doy FROM day)", "326"),
        ("extract(quarter FROM day)", "4"),
        ("day < commit_time", "true"),
    ] {
        constant(text, expected);
    }
    bad("new.a::date", "2026-02-30", "not a date");
    bad("new.a::timestamp", "infinity", "not a date");
    bad("day + new.a::bigint", "99999999", "years 1 to 9999");
}

#[test]
fn an_hour_that_occurs_twice_is_cut_to_itself() {
    let cut = |unit: &str, time: &str| format!("date_trunc('{unit}', '{time}'::timestamptz)");
    for (text, expected) in [
        (cut("hour", "2026-10-25 00:30Z"), "2026-10-25 02:00:00+02"),
        (cut("hour", "2026-10-25 01:30Z"), "2026-10-25 02:00:00+01"),
        (cut("minute", "2026-10-25 00:30:20Z"), "2026-10-25 02:30:00+02"),
        (cut("millisecond", "2026-10-25 00:30:20.123456Z"), "2026-10-25 02:30:20.123+02"),
        (cut("day", "2026-10-25 01:30Z"), "2026-10-25 00:00:00+02"),
    ] {
        let (values, bad) = values(&text, Tz::Europe__Berlin, &[&[None, None]]);
        assert_eq!((values[0].as_deref(), bad.count), (Some(expected), 0), "{text}");
    }
}

#[test]
fn a_list_of_constants_is_computed_in_the_zone() {
    let time = "'2026-01-01 20:00Z'::timestamptz";
    for text in [
        format!("'2026-01-02 05:00:00+09' IN ({time}::text)"),
        format!("new.a IN ('x', {time}::text)"),
        format!("5 IN (extract(hour FROM {time})::bigint, 1)"),
        format!("'2026-01-02'::date IN ({time}::date)"),
    ] {
        let (values, bad) = values(&text, Tz::Asia__Tokyo, &[&[Some("2026-01-02 05:00:00+09"), None]]);
        assert_eq!((values[0].as_deref(), bad.count), (Some("true"), 0), "{text}");
    }
}

#[test]
fn ends_of_time_are_instants_in_every_zone() {
    for (zone, text, expected) in [
        (Tz::America__New_York, "'9999-12-31 23:59:59'::timestamptz", "9999-12-31 23:59:59-05"),
        (Tz::America__New_York, "'0001-01-01'::timestamptz", "0001-01-01 00:00:00-04:56:02"),
        (Tz::America__New_York, "'0001-01-01 00:00Z'::timestamptz", "0001-12-31 19:03:58-04:56:02 BC"),
        (Tz::America__New_York, "extract(year FROM '0001-01-01 00:00Z'::timestamptz)", "-1"),
        (Tz::Asia__Tokyo, "'9999-12-31 23:59:59'::timestamptz", "9999-12-31 23:59:59+09"),
        (Tz::Asia__Tokyo, "'0001-01-01'::timestamptz", "0001-01-01 00:00:00+09:18:59"),
        (Tz::Asia__Tokyo, "'9999-12-31'::date::timestamptz > commit_time", "true"),
        (Tz::Asia__Tokyo, "'9999-12-31 23:59:59Z'::timestamptz", "10000-01-01 08:59:59+09"),
        (Tz::UTC, "date_trunc('hour', '9999-12-31 23:59:59-12'::timestamptz)", "10000-01-01 11:00:00+00"),
    ] {
        let (values, bad) = values(text, zone, &[&[None, None]]);
        assert_eq!((values[0].as_deref(), bad.count), (Some(expected), 0), "{text}: {bad}");
    }
    // A date and a timestamp end with the year 9999.
    for kind in ["date", "timestamp"] {
        let (_, bad) =
            values(&format!("new.a::timestamptz::{kind}"), Tz::Asia__Tokyo, &[&[Some("9999-12-31 23:59Z"), None]]);
        assert_eq!(bad.count, 1, "{kind}");
    }
}

#[test]
fn a_constant_that_fails_only_in_a_zone_is_a_bad_value_of_the_rows_that_need_it() {
    // In UTC, where the constant is checked, the divisor is not zero.
    for (zone, hour) in [(Tz::Asia__Tokyo, "15"), (Tz::America__New_York, "05")] {
        let divided = format!("1 / extract(hour FROM '2026-01-01 {hour}:00Z'::timestamptz) > 0");
        for text in [format!("new.a = 'x' AND {divided}"), format!("new.a <> 'x' OR {divided}"), divided.clone()] {
            let (none, bad) = values(&text, zone, &[]);
            assert!(none.is_empty() && bad.count == 0, "{text}: {bad}");
        }
        let text = format!("new.a = 'x' AND {divided}");
        // The first row does not decide for the others.
        let (some, bad) = values(&text, zone, &[&[Some("y")], &[Some("x")]]);
        assert_eq!((some, bad.count), (vec![Some("false".to_owned()), None], 1), "{text}");
        let (_, bad) = values(&text, zone, &[&[Some("y")], &[Some("y")]]);
        assert_eq!(bad.count, 0, "{text}");
    }
}
