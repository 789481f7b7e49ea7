//! `src/parse` without its operator.

#[path = "../../src/parse/connect_struct.rs"]
mod connect_struct;
#[path = "../../src/parse/day.rs"]
mod day;
#[path = "../../src/parse/envelope.rs"]
#[expect(dead_code, reason = "what sources open themselves comes through the operator")]
mod envelope;
#[path = "../../src/parse/fields.rs"]
mod fields;
#[path = "../../src/parse/json.rs"]
mod json;
#[path = "../../src/parse/name.rs"]
mod name;
#[path = "../../src/parse/prefix.rs"]
mod prefix;
#[path = "../../src/parse/reject.rs"]
mod reject;
#[path = "../../src/parse/scan.rs"]
mod scan;
#[path = "../../src/parse/skip.rs"]
mod skip;
#[path = "../../src/parse/test_decoding.rs"]
mod test_decoding;
#[path = "../../src/parse/tuple.rs"]
mod tuple;

pub use day::{DayFrom, DayRule};
pub use envelope::{Content, Envelope, Line, PARSER_VERSION};
pub use name::{Name, Names};
pub use reject::Reject;
pub use test_decoding::{Statement, read_line};
pub use tuple::{Column, ColumnValue, RowChange, read_row};
