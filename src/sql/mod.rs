//! SQL: expressions over changes, and declarations of views.
//!
//! In: a text. Out: a typed plan: a [`ViewPlan`], or a [`Filter`], which computes a column of truth for each [`Batch`] of changes and says which
//! columns it reads and which ranges of values it can accept. A pure library: it reads no file and no clock.
//!
//! Promised: the result is PostgreSQL's, with the differences that docs/sql.md lists; a text that is refused is refused when it
//! is parsed, with its place and what to write instead; no text overflows the stack or takes more than linear time; a value
//! that cannot be computed is NULL, is counted in [`BadValues`], and ends nothing.
//!
//! `text` bounds the text and hands it to sqlparser; `resolve/` gives names and types to its syntax tree, once; `evaluate/`
//! computes whole columns. *Why not DataFusion*: it adds some 150 crates and more than doubles a cold build, for one filter.

mod bad_values;
mod columns;
mod error;
mod evaluate;
mod expression;
#[cfg(test)]
mod expression_tests;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod parse;
mod resolve;
mod text;
mod types;
mod view;
#[cfg(test)]
mod zone_tests;

pub use bad_values::{BadValue, BadValues};
pub use columns::{EventColumn, InputColumn, InputColumns, RowSide};
pub use error::{Place, SqlError};
pub use evaluate::{Batch, average};
pub use expression::Expression;
pub use filter::{ColumnRange, Filter, RangeValue};
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::fuzz_sql;
pub use text::{MOST_BYTES, statements};
pub use types::{DECIMAL_DIGITS, NUMERIC_DIGITS, Type};
pub use view::{
    Aggregate, AggregateFunction, GroupColumn, Order, Output, SelectColumn, ViewName, ViewPlan, ViewSource,
};
