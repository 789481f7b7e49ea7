//! What the parser needs of `src/change`.

#[path = "../../src/change/day.rs"]
mod day;
#[path = "../../src/change/lsn.rs"]
mod lsn;
#[path = "../../src/change/operation.rs"]
mod operation;

pub use day::{Day, DayError};
pub use lsn::{Lsn, LsnError};
pub use operation::{CountKey, Operation, TableName};
