//! Bytes of a record → what it holds: changes, a marker, or a reject with the reason.
//!
//! In: a topic's name, the value and the times of one record. Out: a [`Line`] of test_decoding with what the envelope
//! said beside it ([`Envelope`]), what the line states ([`read_line`]) and the day it counts for ([`DayRule`]).
//!
//! Promised: no input panics, overflows the stack or takes more than linear time; nothing is guessed; what cannot be read
//! is a [`Reject`] that names what was seen. The answer depends on the record alone, never on the records before it.
//!
//! The shapes of a value, told apart by each record's own bytes:
//!
//! | value | answer |
//! |---|---|
//! | null | marker: a tombstone |
//! | `{"schema":…,"payload":{"data":"LINE",…}}` | line: Kafka Connect's JsonConverter with schemas |
//! | `{"schema":…,"payload":null}` | marker |
//! | `{"data":"LINE",…}` | line: the same without schemas, and walbook's own capture |
//! | `Struct{…,data=LINE,…}` | line: Connect's StringConverter on a struct; see [`Envelope::open`] for its rule |
//! | `{"ts_ms":…}` on a topic `__debezium-heartbeat…` | marker |
//! | wal2json, Debezium, pgoutput, schema registry | a reject that names the shape |
//! | other text | line |
//!
//! *Why two JSON readers*: a byte scanner for the flat objects that really come, several times faster than any general reader, and
//! serde_json for everything else. The scanner never rejects: it gives up, and serde_json decides. So there is one judge, and
//! property and fuzz tests hold the two together.

mod connect_struct;
mod day;
mod deltas;
mod envelope;
mod fields;
mod json;
mod name;
#[expect(clippy::module_inception, reason = "the operator is the room's verb")]
mod parse;
mod prefix;
mod reject;
mod scan;
mod skip;
mod tables;
mod test_decoding;

pub use day::{DayFrom, DayRule};
pub use envelope::{Content, Envelope, Line, PARSER_VERSION};
pub use name::{Name, Names};
pub use parse::{Parsed, parse_records};
pub use reject::Reject;
pub use test_decoding::{Statement, read_line};
