//! Decoded lines, and the record shapes in which they reach a topic.

use serde_json::Value;

use crate::topic::Record;

/// One row of `pg_logical_slot_get_changes`.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) lsn: String,
    pub(crate) xid: i64,
    /// The line of test_decoding.
    pub(crate) data: String,
}

impl Line {
    /// From `{"lsn": …, "xid": …, "data": …}`.
    pub(crate) fn from_json(row: &Value) -> Line {
        Line {
            lsn: row["lsn"].as_str().expect("an LSN").to_owned(),
            xid: row["xid"].as_i64().expect("a transaction id"),
            data: row["data"].as_str().expect("a line").to_owned(),
        }
    }
}

/// The shapes of records that hold a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Connect's JsonConverter as it comes: lsn and xid are lost.
    Connect,
    /// The same with a query that casts lsn and xid to what the connector can carry.
    ConnectWithPosition,
    /// `schemas.enable=false`.
    Schemaless,
    /// Connect's StringConverter: `Struct{data=…}`.
    Struct,
    /// The line itself.
    Raw,
    /// What walbook's own capture writes, with the commit time given here.
    Walbook(&'static str),
}

impl Shape {
    /// A record's value as the producer of this shape writes it.
    pub(crate) fn value(self, line: &Line) -> Vec<u8> {
        let (lsn, xid, data) = (json(&line.lsn), line.xid, json(&line.data));
        match self {
            Shape::Connect => format!(
                r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"data":{data}}}}}"#
            ),
            Shape::ConnectWithPosition => format!(
                r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"lsn"}},{{"type":"int64","optional":true,"field":"xid"}},{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"lsn":{lsn},"xid":{xid},"data":{data}}}}}"#
            ),
            Shape::Schemaless => format!(r#"{{"data":{data}}}"#),
            Shape::Struct => format!("Struct{{data={}}}", line.data),
            Shape::Raw => line.data.clone(),
            Shape::Walbook(time) => {
                format!(r#"{{"lsn":{lsn},"xid":{xid},"commit_lsn":{lsn},"commit_time":"{time}","seq":0,"data":{data}}}"#)
            }
        }
        .into_bytes()
    }
}

/// Records of `lines` as a Connect task leaves them: no key, in blocks round robin over the partitions, all at `time`
/// (milliseconds since 1970).
pub(crate) fn records(lines: &[Line], shape: Shape, partitions: i32, time: i64) -> impl Iterator<Item = Record> {
    const BLOCK: usize = 37;
    lines.iter().enumerate().map(move |(number, line)| {
        let block = i32::try_from(number / BLOCK).expect("few blocks");
        Record { partition: block % partitions, time, value: Some(shape.value(line)), ..Record::default() }
    })
}

/// A record's value for a line that no server printed.
pub(crate) fn plain(shape: Shape, data: &str) -> Vec<u8> {
    shape.value(&Line { lsn: "0/16B2E58".to_owned(), xid: 736, data: data.to_owned() })
}

/// A string as JSON.
fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}
