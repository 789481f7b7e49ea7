//! The naive loop: reads and counts records in the plainest way there is, to be compared with.
//!
//! It knows test_decoding's lines in the shapes that walbook reads (DESIGN 2 and 6) and days by `--day-from auto`. It is
//! slow, allocates for everything, and shares nothing with `parse/` but the vocabulary. [`EventTruth`] names the columns of `events`
//! by itself, so that a column that the product loses is missed.

use std::iter::Peekable;
use std::str::Chars;

use chrono::{DateTime, Datelike, TimeZone};
use chrono_tz::Tz;
use serde_json::Value;

use std::sync::Arc;
use walbook::change::{CountKey, Day, Operation, TableName};
use walbook::demo::ExpectedCounts;

use super::WorkloadRecord;

/// A row of `events` as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventTruth {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The number of the change in its record.
    pub ordinal: i32,
    /// Day, schema, table and operation, by which it is counted.
    pub key: CountKey,
    /// The record's timestamp, in microseconds since 1970.
    pub kafka_time: Option<i64>,
    /// The transaction's commit time, in microseconds since 1970.
    pub commit_time: Option<i64>,
    /// The change's LSN.
    pub lsn: Option<i64>,
    /// The transaction's end LSN.
    pub commit_lsn: Option<i64>,
    /// The number of the change in its transaction.
    pub seq: Option<i32>,
    /// The transaction's number.
    pub xid: Option<i64>,
    /// The line.
    pub data: String,
}

/// Counts `records` with days in `zone`.
pub fn count_naively<'a>(records: impl IntoIterator<Item = &'a WorkloadRecord>, zone: Tz) -> ExpectedCounts {
    let mut truth = ExpectedCounts::default();
    for record in records {
        truth.records += 1;
        match read_naively(record, zone) {
            Some(rows) if rows.is_empty() => truth.markers += 1,
            Some(rows) => rows.into_iter().for_each(|row| *truth.counts.entry(row.key).or_default() += 1),
            None => truth.rejects += 1,
        }
    }
    truth
}

/// A record's rows of `events`: none for a marker, `None` for a reject.
pub fn read_naively(record: &WorkloadRecord, zone: Tz) -> Option<Vec<EventTruth>> {
    let Some(value) = &record.value else { return Some(Vec::new()) };
    let (line, fields) = unwrap(std::str::from_utf8(value).ok()?)?;
    // A time that cannot be read does not cost the change.
    let commit_time = match fields.get("commit_time") {
        None | Some(Value::Null) => None,
        Some(time) => DateTime::parse_from_rfc3339(time.as_str()?).ok().map(|time| time.timestamp_micros()),
    };
    let (tables, op) = match read_line(&line)? {
        Line::Marker => return Some(Vec::new()),
        Line::Changes(tables, op) => (tables, op),
    };
    let instant = zone.timestamp_micros(commit_time.or(record.time)?).single()?;
    if !(1..=9999).contains(&instant.year()) {
        return None;
    }
    let day = Day::from(instant.date_naive());
    let integer = |name: &str| fields.get(name).and_then(Value::as_i64);
    let row = |(ordinal, TableName { schema, table })| EventTruth {
        partition: record.partition,
        offset: record.offset,
        ordinal,
        key: CountKey { day, table: Arc::new(TableName { schema, table }), op },
        kafka_time: record.time,
        commit_time,
        lsn: lsn(&fields["lsn"]),
        commit_lsn: lsn(&fields["commit_lsn"]),
        seq: integer("seq").and_then(|seq| seq.try_into().ok()),
        xid: integer("xid"),
        data: line.clone(),
    };
    Some((0..).zip(tables).map(row).collect())
}

/// Why a reject of a [`super::Workload`] cannot be read, in the words of the column `reason`.
pub fn reason_naively(record: &WorkloadRecord) -> &'static str {
    let value = record.value.as_deref().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(value) else { return "not UTF-8: decode a database whose encoding is UTF8" };
    let is_json = || serde_json::from_str::<Value>(text).is_ok();
    match text {
        "" => "empty value: expected a test_decoding line or a JSON object around one",
        _ if text.starts_with('\0') => {
            "schema registry framing (Avro, Protobuf) is not read: use JsonConverter or StringConverter"
        }
        _ if text.starts_with('{') && !is_json() => "JSON ends early: the value was cut short",
        _ if text.starts_with(r#"{"action":"#) => "wal2json v2 is not read yet: use the plugin test_decoding",
        _ if text.contains(r#""__op":"#) => {
            "flattened Debezium events are not read yet: use the plugin test_decoding with Kafka Connect JDBC"
        }
        _ if text.starts_with("streaming change") => {
            "streamed change names no table: turn the slot option stream-changes off"
        }
        _ if text.starts_with("table public.t, public.u: INSERT") => {
            "several tables in a change that is not a TRUNCATE"
        }
        _ if unwrap(text).is_some_and(|(line, _)| read_line(&line).is_some()) => {
            "no usable time: neither \"commit_time\" nor a Kafka timestamp of the years 0001 to 9999"
        }
        _ => "not a line of test_decoding",
    }
}

/// `16/B374D848` as a number.
fn lsn(field: &Value) -> Option<i64> {
    let (high, low) = field.as_str()?.split_once('/')?;
    Some((i64::from_str_radix(high, 16).ok()? << 32) + i64::from_str_radix(low, 16).ok()?)
}

/// Takes the envelope off: the line, and the fields beside it if the envelope has some.
fn unwrap(value: &str) -> Option<(String, Value)> {
    if let Some(inside) = value.strip_prefix("Struct{") {
        let (_, data) = inside.split_once("data=")?;
        return Some((data.strip_suffix('}')?.to_owned(), Value::Null));
    }
    if !value.starts_with('{') {
        return Some((value.to_owned(), Value::Null));
    }
    let object: Value = serde_json::from_str(value).ok()?;
    let fields = if object.get("payload").is_some() { &object["payload"] } else { &object };
    // A row of Debezium, whatever its column `data` holds.
    if fields.get("__op").is_some() {
        return None;
    }
    Some((fields.get("data")?.as_str()?.to_owned(), fields.clone()))
}

enum Line {
    Marker,
    Changes(Vec<TableName>, Operation),
}

fn read_line(line: &str) -> Option<Line> {
    let markers = ["BEGIN ", "COMMIT ", "PREPARE TRANSACTION ", "COMMIT PREPARED ", "ROLLBACK PREPARED ", "message: "];
    if line == "BEGIN" || line == "COMMIT" || markers.iter().any(|start| line.starts_with(start)) {
        return Some(Line::Marker);
    }
    let mut rest = line.strip_prefix("table ")?.chars().peekable();
    let mut tables = Vec::new();
    loop {
        let schema = identifier(&mut rest)?;
        if rest.next()? != '.' {
            return None;
        }
        tables.push(TableName { schema, table: identifier(&mut rest)? });
        match (rest.next()?, rest.next()?) {
            (',', ' ') => continue,
            (':', ' ') => break,
            _ => return None,
        }
    }
    let rest: String = rest.collect();
    let op = Operation::ALL.into_iter().find(|op| rest.starts_with(&format!("{op}:")))?;
    (tables.len() == 1 || op == Operation::Truncate).then_some(Line::Changes(tables, op))
}

/// An identifier's plain text: in quotes, where a doubled quote stands for one, or up to what cannot belong to it.
fn identifier(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut name = String::new();
    if rest.next_if_eq(&'"').is_some() {
        loop {
            match rest.next()? {
                '"' if rest.next_if_eq(&'"').is_some() => name.push('"'),
                '"' => return Some(name),
                other => name.push(other),
            }
        }
    }
    while let Some(plain) = rest.next_if(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$".contains(*c)) {
        name.push(plain);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One microsecond before 2026-11-23 00:00 UTC.
    const LATE: i64 = 1_795_391_999_999_999;

    fn counted(value: &str, zone: Tz) -> Vec<String> {
        let value = Some(value.as_bytes().to_vec());
        let record =
            WorkloadRecord { partition: 0, offset: 0, time: Some(LATE), key: None, value, headers: Vec::new() };
        let truth = count_naively([&record], zone);
        assert_eq!((truth.records, truth.markers + truth.rejects), (1, u64::from(truth.counts.is_empty())));
        let print = |(key, n): (&CountKey, &u64)| {
            format!("{} {}|{}|{} {n}", key.day, key.table.schema, key.table.table, key.op)
        };
        match truth.rejects {
            0 => truth.counts.iter().map(print).collect(),
            _ => vec!["reject".to_owned()],
        }
    }

    #[test]
    fn each_kind_of_record_is_counted_by_hand() {
        let utc = |value| counted(value, Tz::UTC);
        assert_eq!(utc("table public.t: INSERT: a[text]:': DELETE:'"), ["2026-11-22 public|t|INSERT 1"]);
        assert_eq!(utc(r#"table "S.x"."we""ird: y": DELETE: (no-tuple-data)"#), ["2026-11-22 S.x|we\"ird: y|DELETE 1"]);
        assert_eq!(
            utc(r#"table a.b, a."b, c.d": TRUNCATE: (no-flags)"#),
            ["2026-11-22 a|b|TRUNCATE 1", "2026-11-22 a|b, c.d|TRUNCATE 1"]
        );
        assert_eq!(utc("Struct{lsn=0/1,data=table a.b: UPDATE: x[text]:'}'}"), ["2026-11-22 a|b|UPDATE 1"]);
        assert_eq!(
            utc(r#"{"commit_time":"2026-11-20T01:00:00.5Z","data":"table a.b: UPDATE:"}"#),
            ["2026-11-20 a|b|UPDATE 1"]
        );
        assert_eq!(utc(r#"{"schema":{},"payload":{"data":"table a.b: UPDATE:"}}"#), ["2026-11-22 a|b|UPDATE 1"]);
        for marker in ["BEGIN", "BEGIN 7", "COMMIT 7 (at x)", r#"{"data":"message: transactional: 0 …"}"#] {
            assert_eq!(utc(marker), [""; 0], "{marker}");
        }
        for reject in ["", "hello", "{", r#"{"action":"I"}"#, "table a: INSERT:", "table a.b, a.c: INSERT:"] {
            assert_eq!(utc(reject), ["reject"], "{reject}");
        }
    }

    #[test]
    fn the_day_is_the_zones() {
        assert_eq!(counted("table a.b: INSERT:", Tz::Europe__Paris), ["2026-11-23 a|b|INSERT 1"]);
        assert_eq!(counted("table a.b: INSERT:", Tz::America__New_York), ["2026-11-22 a|b|INSERT 1"]);
    }
}
