//! What the parser needs of `src/change`.

#[path = "../../src/change/day.rs"]
mod day;
#[path = "../../src/change/decoded.rs"]
mod decoded;
#[path = "../../src/change/instant.rs"]
pub mod instant;
#[path = "../../src/change/lsn.rs"]
mod lsn;
#[path = "../../src/change/operation.rs"]
mod operation;

pub use day::{Day, DayError};
pub use decoded::Decoded;
pub use lsn::{Lsn, LsnError};
pub use operation::{CountKey, Operation, TableName};
