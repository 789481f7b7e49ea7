//! Why a question has no answer.

use crate::book::BookError;
use crate::change::{Classified, Day, FailureKind};
use crate::sql::SqlError;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A range without days.
    #[error("no day lies between {from} and {to}: give the earlier day first")]
    NoDays {
        /// The first day of the filter.
        from: Day,
        /// The last day of the filter.
        to: Day,
    },
    /// A pattern that no table can match.
    #[error("pattern {pattern:?} can match no table: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// A condition that is no SQL, or says what it cannot mean.
    #[error("could not use the condition: {0}")]
    Condition(#[from] SqlError),
    /// There is no view of this name.
    #[error("there is no view {name}; views of this book: {known}")]
    NoView {
        /// The name.
        name: String,
        /// The names of all.
        known: String,
    },
    /// A view has no column of this name.
    #[error("the view has no column {name:?}; it has {known}")]
    NoColumn {
        /// The name.
        name: String,
        /// The names of all.
        known: String,
    },
    /// Days of a view that has none.
    #[error(
        "the view {view} has no days to choose from: only a view of which day itself is a group column has; order and limit its rows"
    )]
    NoViewDays {
        /// The view.
        view: String,
    },
    /// An order that is none.
    #[error("could not use the order: {0}")]
    Order(SqlError),
    /// A file of rejects could not be read.
    #[error("could not read {path}: {source}; `walbook verify` shows what is wrong with the book")]
    Rejects {
        /// The file.
        path: String,
        /// What is wrong.
        source: parquet::errors::ParquetError,
    },
    /// The question was cancelled, or took too long.
    #[error("finding the rows took too long: ask for fewer days, or for one table")]
    TooSlow,
    /// The book could not be read.
    #[error(transparent)]
    Read(#[from] BookError),
}

impl Classified for QueryError {
    fn kind(&self) -> FailureKind {
        match self {
            QueryError::NoDays { .. }
            | QueryError::Pattern { .. }
            | QueryError::NoView { .. }
            | QueryError::NoColumn { .. }
            | QueryError::NoViewDays { .. }
            | QueryError::Order(_)
            | QueryError::Condition(_) => FailureKind::Usage,
            QueryError::Rejects { .. } | QueryError::TooSlow => FailureKind::Other,
            QueryError::Read(error) => error.kind(),
        }
    }
}
