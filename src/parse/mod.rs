//! Bytes of a record → what it holds: changes, a marker, or a reject with the reason.
//!
//! In: a topic's name, the value and the times of one record. Out: an [`EnvelopeLine`] of test_decoding with the
//! fields beside it ([`Envelope`]), the statement in the line ([`read_line`]) and the day it counts for ([`DayRule`]).
//!
//! Promised: no input panics, overflows the stack or takes more than linear time; nothing is guessed; what cannot be read
//! is a [`Reject`] that names the cause, and a field beside the line that cannot be read is null and counted. The result depends on the record alone, never on the records before it.
//!
//! The shapes of a value, distinguished by each record's own bytes:
//!
//! | value | result |
//! |---|---|
//! | null | marker: a tombstone |
//! | `{"schema":…,"payload":{"data":"LINE",…}}` | line: Kafka Connect's JsonConverter with schemas |
//! | `{"schema":…,"payload":null}` | marker |
//! | `{"data":"LINE",…}` | line: the same without schemas, and walbook's own capture |
//! | `"LINE"`, `{"schema":…,"payload":"LINE"}` | line: JsonConverter on a string |
//! | `Struct{…,data=LINE,…}` | line: Connect's StringConverter on a struct; see [`Envelope::open`] for its rule |
//! | `{"ts_ms":…}` on a topic `__debezium-heartbeat…` | marker |
//! | wal2json, Debezium, CloudEvents, Maxwell, …, pgoutput, schema registry | a reject that names the shape, whatever a field `data` of it holds |
//! | other objects | a reject that names the keys |
//! | other text | line |
//!
//! *Why two JSON readers*: a byte scanner for the flat objects that really come, several times faster than any general reader (sonic-rs
//! and simd-json were considered), and serde_json for everything else. The scanner never rejects: it gives up, and serde_json
//! decides. So only one reader defines what is valid, and property and fuzz tests check that the two agree.

mod day;
mod deltas;
mod envelope;
#[expect(clippy::module_inception, reason = "the operator is the room's verb")]
mod parse;
mod reject;
mod reject_samples;
mod tables;
mod test_decoding;

pub use day::{DayFrom, DayRule};
pub use envelope::{Content, Envelope, EnvelopeLine, PARSER_VERSION, UnreadableFields};
pub use parse::{Parsed, parse_records};
pub use reject::Reject;
pub use test_decoding::{
    Column, ColumnValue, Name, NamedColumns, Names, PrintedText, RowChange, RowValues, Statement, append_value,
    read_line, read_row,
};
