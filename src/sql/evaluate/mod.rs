//! Expressions over the columns of a batch.
//!
//! An operator computes whole columns. Values that it cannot compute become NULL and are counted, but only in the rows that
//! the surrounding expression uses: those of a branch that does not apply do not count.

mod arithmetic;
mod cast;
mod compare;
mod decimal;
#[expect(clippy::module_inception, reason = "the room's verb")]
mod evaluate;
mod json;
mod kernels;
mod like;
mod logic;
mod text;
mod text_forms;
mod time;
mod value;

pub use decimal::average;
pub(in crate::sql) use decimal::decimal_of_text;
pub use evaluate::Batch;
pub(in crate::sql) use evaluate::constant_value;
