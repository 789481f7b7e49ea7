//! Instants: microseconds since 1970-01-01 UTC, from text and from the clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// 0001-01-01T00:00:00Z in microseconds since 1970-01-01 UTC.
pub const FIRST: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z in microseconds since 1970-01-01 UTC.
pub const LAST: i64 = 253_402_300_799_999_999;

/// The present instant by this machine's clock; 0 for a clock that is set to before 1970.
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Reads RFC 3339 (`2026-11-22T12:34:56.123456Z`, `…+05:30`), ISO 8601's basic form (`20261122T123456Z`, `…+0530`) or
/// PostgreSQL's ISO form (`2017-05-10 12:07:21.272494-04`, `…+00:19:32`) as microseconds since 1970-01-01 UTC.
///
/// The offset is required; a space may stand before it, and `UTC` or `GMT` for it. Up to nine digits of a fraction are
/// accepted, those after the sixth ignored; second 60 is the next minute's first. `None` for any other text and for instants
/// outside the years 0001 to 9999 UTC.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (digits, rest) = match text.split_at_checked(19) {
        Some((head, rest)) if is_extended(head) => {
            ([&head[0..2], &head[2..4], &head[5..7], &head[8..10], &head[11..13], &head[14..16], &head[17..19]], rest)
        }
        _ => {
            let (head, rest) = text.split_at_checked(15).filter(|(head, _)| matches!(head[8], b'T' | b't' | b' '))?;
            ([&head[0..2], &head[2..4], &head[4..6], &head[6..8], &head[9..11], &head[11..13], &head[13..15]], rest)
        }
    };
    let [century, year, month, day, hour, minute, second] = digits;
    let year = pair(century)? * 100 + pair(year)?;
    let (month, day) = (pair(month)?, pair(day)?);
    let (hour, minute, second) = (pair(hour)?, pair(minute)?, pair(second)?);
    if year == 0 || day == 0 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = fraction(rest)?;
    let seconds = (days_since_1970(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset(rest)?;
    let instant = seconds * 1_000_000 + fraction;
    (FIRST..=LAST).contains(&instant).then_some(instant)
}

/// Reads what Java's `Date.toString` prints in UTC, `Sat Nov 22 23:59:59 UTC 2025`, as microseconds since 1970-01-01 UTC.
///
/// `None` for any other text, and for any other zone: their abbreviations have several meanings.
pub fn parse_java(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split(' ');
    let mut next = || words.next();
    let (weekday, month, day, time, zone, year) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let is_utc = matches!(zone, "UTC" | "GMT") && next().is_none();
    let is_plain = weekday.len() == 3 && day.len() == 2 && time.len() == 8 && year.len() == 4;
    (is_utc && is_plain).then(|| parse(format!("{year}-{month:02}-{day}T{time}Z").as_bytes())).flatten()
}

fn is_extended(head: &[u8]) -> bool {
    head[4] == b'-' && head[7] == b'-' && head[13] == b':' && head[16] == b':' && matches!(head[10], b'T' | b't' | b' ')
}

fn pair(digits: &[u8]) -> Option<i64> {
    let (tens, ones) = (digits[0].wrapping_sub(b'0'), digits[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// Microseconds of `.123456789` or `,123456789`, and what follows; zero if there is no fraction.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', digits @ ..] = text else { return Some((0, text)) };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (digits, rest) = digits.split_at(count);
    let micros = (0..6).fold(0, |sum, place| sum * 10 + digits.get(place).map_or(0, |b| i64::from(b - b'0')));
    Some((micros, rest))
}

/// Seconds east of UTC: `Z`, `+05`, `+0530`, `+05:30`, `+001932`, `+00:19:32`.
fn offset(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let (east, digits) = match text {
        [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let colons = digits.iter().skip(2).step_by(3).all(|b| *b == b':');
    let (hours, minutes, seconds) = match digits.len() {
        2 => (pair(digits)?, 0, 0),
        4 => (pair(&digits[0..2])?, pair(&digits[2..4])?, 0),
        5 if colons => (pair(&digits[0..2])?, pair(&digits[3..5])?, 0),
        6 => (pair(&digits[0..2])?, pair(&digits[2..4])?, pair(&digits[4..6])?),
        8 if colons => (pair(&digits[0..2])?, pair(&digits[3..5])?, pair(&digits[6..8])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some(east * (hours * 3600 + minutes * 60 + seconds))
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years count from March, so that a leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    365 * year + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_chrono_reads_them() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-22T12:34:56.123456Z",
            "2026-11-22t12:34:56.1z",
            "1969-12-31T23:59:59.999999Z",
            "2024-02-29T23:59:59+05:30",
            "2000-03-01T00:00:00.000001-11:45",
            "1900-02-28T12:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            let expected = chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros();
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = days_since_1970(1800, 1, 1);
        for year in 1800..2200 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month).expect("a month") {
                    assert_eq!(days_since_1970(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn fractions_are_cut_and_a_leap_second_is_the_next() {
        let micros = |text: &str| parse(text.as_bytes());
        assert_eq!(micros("1970-01-01T00:00:00.1234567Z"), Some(123_456));
        assert_eq!(micros("1970-01-01T00:00:00.123456999Z"), Some(123_456));
        assert_eq!(micros("1969-12-31T23:59:60Z"), Some(0));
        assert_eq!(micros("1970-01-01 00:19:32+00:19:32"), Some(0));
        assert_eq!(micros("1969-12-31 20:00:00-04"), Some(0));
    }

    #[test]
    fn iso_8601_is_read_in_its_basic_and_extended_forms() {
        let expected = parse(b"2026-11-22T12:34:56.123456Z");
        for text in [
            "2026-11-22T15:34:56.123456+0300",
            "2026-11-22 15:34:56.123456+03",
            "2026-11-22 15:34:56.123456 +03:00",
            "2026-11-22T12:34:56,123456+000000",
            "2026-11-22 12:34:56.123456 UTC",
            "2026-11-22 12:34:56.123456GMT",
            "20261122T123456.123456Z",
            "20261122T070456.123456-0530",
        ] {
            assert_eq!((parse(text.as_bytes()), expected.is_some()), (expected, true), "{text}");
        }
    }

    #[test]
    fn a_date_that_java_printed_is_read_in_utc_only() {
        assert_eq!(parse_java("Sat Nov 22 23:59:59 UTC 2025"), parse(b"2025-11-22T23:59:59Z"));
        assert_eq!(parse_java("Thu Jan 01 00:00:01 GMT 1970"), Some(1_000_000));
        for text in
            ["", "Sat Nov 22 23:59:59 CET 2025", "Sat Nov 22 23:59:59 UTC 2025 x", "Sat Nov 2 23:59:59 UTC 2025"]
        {
            assert_eq!(parse_java(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "infinity",
            "-infinity",
            "2026-11-22",
            "2026-11-22T12:34:56",
            "2026-11-22T12:34:56.Z",
            "2026-11-22T12:34:56.1234567890Z",
            "2026-11-22T12:34:56Z ",
            "2026-11-22T24:00:00Z",
            "2026-11-22T12:60:00Z",
            "2026-11-22T12:34:61Z",
            "2026-02-29T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-22T12:34:56+5",
            "2026-11-22T12:34:56+24",
            "2026-11-22T12:34:56+053",
            "2026-11-22T12:34:56+05:3",
            "2026-11-22T12:34:56+05-30",
            "2026-11-22T12:34:56  +05",
            "2026-11-22T12:34:56 CET",
            "20261122T123456",
            "20261122123456Z",
            "2026-11-22T123456Z",
            "0044-03-15 12:00:00+00 BC",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+05:30",
            "9999-12-31T23:59:60Z",
            "2026-11-22\u{a0}12:34:56Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
