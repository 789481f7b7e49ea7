//! The fields of a record that holds a line: the line and, beside it, its position in the log.
//!
//! A field beside the line is read in every form that has one meaning. One that cannot be read is null and counted: it must not cost
//! the change.

use crate::change::{Lsn, instant};

/// 1990-01-01T00:00:00Z and 2200-01-01T00:00:00Z in seconds since 1970-01-01 UTC: in this range numbers of milliseconds and of
/// microseconds cannot be confused.
const PLAUSIBLE_SECONDS: std::ops::Range<i64> = 631_152_000..7_258_118_400;

/// The text of a string: as it stands in the value, or unescaped in the envelope's scratch buffer.
#[derive(Clone, Copy)]
pub(in crate::parse) enum Text<'v> {
    Plain(&'v str),
    Scratch,
}

/// The fields of a record that holds a line.
#[derive(Clone, Copy)]
pub(in crate::parse) struct Fields<'v> {
    pub(in crate::parse) data: Text<'v>,
    pub(in crate::parse) position: LinePosition,
}

/// The fields beside the line; each may be absent.
#[derive(Clone, Copy, Default)]
pub(in crate::parse) struct LinePosition {
    pub(in crate::parse) lsn: Option<Lsn>,
    pub(in crate::parse) xid: Option<i64>,
    pub(in crate::parse) commit_lsn: Option<Lsn>,
    pub(in crate::parse) commit_time: Option<i64>,
    pub(in crate::parse) seq: Option<i32>,
    pub(in crate::parse) unreadable: UnreadableFields,
}

/// A field beside the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum SideField {
    Lsn,
    CommitLsn,
    CommitTime,
    Seq,
    Xid,
}

/// The fields beside a line that are there and could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadableFields(u8);

/// The value of a field beside the line.
#[derive(Clone, Copy)]
pub(in crate::parse) enum SideValue<'a> {
    /// Absent, null or empty.
    Null,
    Integer(i64),
    Text(&'a str),
    /// Of a type that no such field has.
    Other,
}

/// What a number that stands for a time counts, by the name of its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::parse) enum TimeForm {
    /// No schema says it: milliseconds or microseconds, by the magnitude.
    #[default]
    Unnamed,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    /// A time of day, a date or a duration.
    NoInstant,
}

impl<'v> Fields<'v> {
    /// A line with nothing beside it.
    pub(in crate::parse) fn bare(data: Text<'v>) -> Fields<'v> {
        Fields { data, position: LinePosition::default() }
    }
}

impl LinePosition {
    /// Sets a field; one that is set twice has the later value.
    pub(in crate::parse) fn set(&mut self, field: SideField, value: SideValue<'_>, form: TimeForm) {
        let value = value.trimmed();
        let is_readable = match field {
            SideField::Lsn => store(&mut self.lsn, value, lsn),
            SideField::CommitLsn => store(&mut self.commit_lsn, value, lsn),
            SideField::CommitTime => store(&mut self.commit_time, value, |value| commit_time(value, form)),
            SideField::Seq => store(&mut self.seq, value, seq),
            SideField::Xid => store(&mut self.xid, value, natural),
        };
        self.unreadable.note(field, is_readable);
    }
}

impl SideField {
    /// The field of that name.
    pub(in crate::parse) fn named(name: &str) -> Option<SideField> {
        Some(match name {
            "lsn" => SideField::Lsn,
            "commit_lsn" => SideField::CommitLsn,
            "commit_time" => SideField::CommitTime,
            "seq" => SideField::Seq,
            "xid" => SideField::Xid,
            _ => return None,
        })
    }
}

impl UnreadableFields {
    /// How many they are.
    pub fn count(self) -> u64 {
        u64::from(self.0.count_ones())
    }

    /// Whether the commit time is one of them.
    pub fn has_commit_time(self) -> bool {
        self.0 & (1 << SideField::CommitTime as u8) != 0
    }

    pub(in crate::parse) fn note(&mut self, field: SideField, is_readable: bool) {
        let bit = 1 << field as u8;
        self.0 = if is_readable { self.0 & !bit } else { self.0 | bit };
    }
}

impl SideValue<'_> {
    fn trimmed(self) -> Self {
        match self {
            SideValue::Text(text) => match text.trim_matches(' ') {
                "" => SideValue::Null,
                text => SideValue::Text(text),
            },
            value => value,
        }
    }
}

impl TimeForm {
    /// The form of numbers whose schema has this name (Kafka Connect's logical types, Debezium's temporal types).
    pub(in crate::parse) fn named(name: &str) -> TimeForm {
        match name {
            "org.apache.kafka.connect.data.Timestamp" | "io.debezium.time.Timestamp" => TimeForm::Milliseconds,
            "io.debezium.time.MicroTimestamp" => TimeForm::Microseconds,
            "io.debezium.time.NanoTimestamp" => TimeForm::Nanoseconds,
            "org.apache.kafka.connect.data.Date" | "org.apache.kafka.connect.data.Time" => TimeForm::NoInstant,
            _ if name.starts_with("io.debezium.time.") => TimeForm::NoInstant,
            _ => TimeForm::Unnamed,
        }
    }

    /// The instant that a number stands for, in microseconds since 1970-01-01 UTC; within the years 0001 to 9999.
    pub(in crate::parse) fn instant(self, number: i64) -> Option<i64> {
        let plausible = |unit: i64| (PLAUSIBLE_SECONDS.start * unit..PLAUSIBLE_SECONDS.end * unit).contains(&number);
        let micros = match self {
            TimeForm::Unnamed if plausible(1_000) => number.checked_mul(1_000),
            TimeForm::Unnamed if plausible(1_000_000) => Some(number),
            TimeForm::Unnamed | TimeForm::NoInstant => None,
            TimeForm::Milliseconds => number.checked_mul(1_000),
            TimeForm::Microseconds => Some(number),
            TimeForm::Nanoseconds => Some(number.div_euclid(1_000)),
        };
        micros.filter(|micros| (instant::FIRST..=instant::LAST).contains(micros))
    }
}

/// Stores what `read` makes of a value; false if it cannot be read.
fn store<'a, T>(into: &mut Option<T>, value: SideValue<'a>, read: impl Fn(SideValue<'a>) -> Option<T>) -> bool {
    *into = None;
    if !matches!(value, SideValue::Null) {
        *into = read(value);
        return into.is_some();
    }
    true
}

/// `X/Y`, or the same as a number.
fn lsn(value: SideValue<'_>) -> Option<Lsn> {
    match value {
        SideValue::Text(text) if text.contains('/') => Lsn::parse(text.as_bytes()).ok(),
        value => natural(value).and_then(Lsn::from_i64),
    }
}

fn commit_time(value: SideValue<'_>, form: TimeForm) -> Option<i64> {
    match value {
        SideValue::Text(text) => match natural(value) {
            Some(number) => form.instant(number),
            None => instant::parse(text.as_bytes()).or_else(|| instant::parse_java(text)),
        },
        SideValue::Integer(number) => form.instant(number),
        SideValue::Null | SideValue::Other => None,
    }
}

fn seq(value: SideValue<'_>) -> Option<i32> {
    natural(value).and_then(|number| i32::try_from(number).ok())
}

/// A number that is not negative, or its decimal digits and nothing else.
fn natural(value: SideValue<'_>) -> Option<i64> {
    match value {
        SideValue::Integer(number) => Some(number).filter(|number| *number >= 0),
        SideValue::Text(text) => text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten(),
        SideValue::Null | SideValue::Other => None,
    }
}
