//! Lines of PostgreSQL's test_decoding: their statement, names and columns.

mod name;
mod named_columns;
mod row_values;
mod statement;
mod tuple;

pub use name::{Name, Names};
pub use named_columns::{NamedColumns, append_value};
pub use row_values::{PrintedText, RowValues};
pub use statement::{Statement, read_line};
pub use tuple::{Column, ColumnValue, RowChange, read_row};
