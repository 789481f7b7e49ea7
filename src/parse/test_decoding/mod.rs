//! Lines of PostgreSQL's test_decoding: their statement, names and columns.

mod name;
mod named_columns;
mod statement;
mod tuple;

pub use name::{Name, Names};
pub use named_columns::NamedColumns;
pub use statement::{Statement, read_line};
pub use tuple::{Column, ColumnValue, RowChange, read_row};
