//! Where records end, and what a record holds: lines of test_decoding, alone or in rows, and JSON values.
//!
//! In: bytes, as many as there are. Out: the length of the record that they begin with; its line, and where that stands.

mod change_line;
pub(super) mod copy_text;
pub(super) mod message;
pub(super) mod psql;
pub(super) mod scan;
pub(super) mod values;
