//! The shapes of a record's value, and the line inside.

mod connect_struct;
#[expect(clippy::module_inception, reason = "the reader of all shapes is the folder's noun")]
mod envelope;
mod fields;
mod foreign;
mod json;
mod keys;
mod line;
mod prefix;
mod scan;
mod skip;

pub use envelope::{Envelope, PARSER_VERSION};
pub use fields::UnreadableFields;
pub(in crate::parse) use json::foreign_shape;
pub use line::{Content, EnvelopeLine};
