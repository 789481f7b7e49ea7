//! Values as texts: what PostgreSQL reads and prints with `DateStyle` ISO.

use std::fmt::Write;

use chrono_tz::Tz;

use super::kernels::Reason;
use super::time::{self, MICROS_PER_DAY, civil_of_day, day_of_civil};

/// The blanks that PostgreSQL skips around a value.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b')
}

/// Reads a `bigint`.
pub(super) fn parse_bigint(text: &str) -> Result<i64, Reason> {
    trimmed(text).parse().map_err(|_| "not a bigint")
}

/// Reads a `double precision`.
pub(super) fn parse_double(text: &str) -> Result<f64, Reason> {
    let text = trimmed(text);
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has_digits = mantissa.bytes().any(|byte| byte.is_ascii_digit());
    let is_zero = !mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let fits = !has_digits || (number.is_finite() && (number != 0.0 || is_zero));
    if fits { Ok(number) } else { Err("out of range of double precision") }
}

/// Prints a `double precision`: the shortest text that is this number.
pub(super) fn print_double(number: f64, text: &mut String) {
    if number.is_nan() {
        return text.push_str("NaN");
    }
    if number.is_infinite() {
        return text.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a String cannot fail.
    let _ = match exponent {
        -4..=14 => write!(text, "{number}"),
        _ => write!(text, "{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    };
}

/// Reads a `boolean`: a beginning of true, false, yes, no, on, off, or 1, 0.
pub(super) fn parse_boolean(text: &str) -> Result<bool, Reason> {
    let text = trimmed(text).to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(text.as_str());
    match text.as_str() {
        "1" => Ok(true),
        "0" => Ok(false),
        _ if begins("true", 1) || begins("yes", 1) || text == "on" => Ok(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Ok(false),
        _ => Err("not a boolean"),
    }
}

/// A day and a time of day, with the seconds east of UTC if they are given.
struct DayTime {
    day: i64,
    micros: i64,
    offset: Option<i64>,
}

/// Reads ISO 8601: `2026-11-22`, perhaps `12:34:56.5`, perhaps `Z`, `+05:30` or ` UTC`.
fn parse_day_time(text: &str) -> Result<DayTime, Reason> {
    const NO_TIME: Reason = "not a date or time in ISO 8601, as in 2026-11-22 12:34:56+01";
    let text = trimmed(text);
    let bytes = text.as_bytes();
    let digits = |place: usize, count: usize| -> Option<i64> {
        let digits = bytes.get(place..place + count)?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let date = || -> Option<i64> {
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let is_date =
            bytes[4] == b'-' && bytes[7] == b'-' && year > 0 && !bytes.get(10).is_some_and(u8::is_ascii_digit);
        is_date.then(|| day_of_civil(year, month, day)).flatten()
    };
    let day = date().ok_or(NO_TIME)?;
    let rest = text.get(10..).ok_or(NO_TIME)?;
    if rest.is_empty() {
        return Ok(DayTime { day, micros: 0, offset: None });
    }
    let time = rest.strip_prefix(['T', 't', ' ']).ok_or(NO_TIME)?.trim_start_matches(' ');
    let (micros, rest) = parse_clock(time).ok_or(NO_TIME)?;
    let offset = match rest.trim_start_matches(' ') {
        "" => None,
        offset => Some(parse_offset(offset).ok_or(NO_TIME)?),
    };
    Ok(DayTime { day, micros, offset })
}

/// Reads `12:34`, perhaps `:56.123456`, up to 24:00; digits after the sixth are rounded.
fn parse_clock(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    let pair = |place: usize| -> Option<i64> {
        let pair = bytes.get(place..place + 2)?;
        pair.iter().all(u8::is_ascii_digit).then(|| i64::from(pair[0] - b'0') * 10 + i64::from(pair[1] - b'0'))
    };
    let (hour, minute) = (pair(0)?, pair(3)?);
    if bytes.get(2) != Some(&b':') || hour > 24 || minute > 59 {
        return None;
    }
    let (mut seconds, mut micros, mut end) = (0, 0, 5);
    if bytes.get(5) == Some(&b':') {
        seconds = pair(6)?;
        end = 8;
        if bytes.get(8) == Some(&b'.') {
            let digits = bytes[9..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let fraction: f64 = format!("0.{}", &text[9..9 + digits]).parse().ok()?;
            micros = (fraction * 1e6).round_ties_even() as i64;
            end = 9 + digits;
        }
    }
    if seconds > 60 {
        return None;
    }
    let total = ((hour * 60 + minute) * 60 + seconds) * 1_000_000 + micros;
    (total <= MICROS_PER_DAY).then(|| (total, &text[end..]))
}

/// Reads `Z`, `UTC`, `+05`, `-0530`, `+05:30`, `+05:30:15` as seconds east of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("gmt") {
        return Some(0);
    }
    let east = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let parts: Vec<&str> = match text[1..].split_once(':') {
        Some(_) => text[1..].split(':').collect(),
        None if text.len() == 5 && text.is_ascii() => vec![&text[1..3], &text[3..5]],
        None => vec![&text[1..]],
    };
    let mut seconds = 0;
    for (part, (unit, most)) in parts.iter().zip([(3600, 15), (60, 59), (1, 59)]) {
        let is_pair = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = part.parse().ok().filter(|number| is_pair && *number <= most)?;
        seconds += number * unit;
    }
    (parts.len() <= 3).then_some(east * seconds)
}

/// Reads a `date`; a time behind it is ignored.
pub(super) fn parse_date(text: &str) -> Result<i32, Reason> {
    time::checked_day(parse_day_time(text)?.day)
}

/// Reads a `timestamp`; an offset behind it is ignored.
pub(super) fn parse_timestamp(text: &str) -> Result<i64, Reason> {
    let DayTime { day, micros, .. } = parse_day_time(text)?;
    time::checked_micros(day * MICROS_PER_DAY + micros)
}

/// Reads a `timestamptz`; without an offset it is a time of the zone. The years 1 to 9999 are those of the text: ends of time
/// such as 9999-12-31 23:59:59 are instants in every zone.
pub(super) fn parse_timestamptz(text: &str, zone: Tz) -> Result<i64, Reason> {
    let DayTime { day, micros, offset } = parse_day_time(text)?;
    let local = time::checked_micros(day * MICROS_PER_DAY + micros)?;
    match offset {
        Some(offset) => time::checked_instant(local - offset * 1_000_000),
        None => time::instant_of_local(local, zone),
    }
}

/// Reads a `time`.
pub(super) fn parse_time(text: &str) -> Result<i64, Reason> {
    match parse_clock(trimmed(text)) {
        Some((micros, "")) => Ok(micros),
        _ => Err("not a time of day, as in 06:00 or 23:59:59.5"),
    }
}

/// Prints a `date`.
pub(super) fn print_date(day: i64, text: &mut String) {
    let (year, month, day) = civil_of_day(day);
    // Only instants can be of the year before 1.
    let year = if year > 0 { year } else { 1 - year };
    let _ = write!(text, "{year:04}-{month:02}-{day:02}");
}

/// Prints a `time`, without zeros at the end of the fraction.
pub(super) fn print_time(micros: i64, text: &mut String) {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let _ = write!(text, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if micros > 0 {
        let _ = write!(text, ".{micros:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
}

/// Prints a `timestamp`.
pub(super) fn print_timestamp(micros: i64, text: &mut String) {
    print_date(micros.div_euclid(MICROS_PER_DAY), text);
    text.push(' ');
    print_time(micros.rem_euclid(MICROS_PER_DAY), text);
}

/// Prints a `timestamptz` as a time of the zone with its offset.
pub(super) fn print_timestamptz(micros: i64, zone: Tz, text: &mut String) {
    let offset = time::offset_at(micros, zone);
    let local = micros + offset * 1_000_000;
    print_timestamp(local, text);
    let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs());
    let _ = write!(text, "{sign}{:02}", offset / 3600);
    if offset % 3600 != 0 {
        let _ = write!(text, ":{:02}", offset / 60 % 60);
    }
    if offset % 60 != 0 {
        let _ = write!(text, ":{:02}", offset % 60);
    }
    if civil_of_day(local.div_euclid(MICROS_PER_DAY)).0 < 1 {
        text.push_str(" BC");
    }
}
