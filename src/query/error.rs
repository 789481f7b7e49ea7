//! Why a question has no answer.

use crate::book::BookError;
use crate::change::Day;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No day can lie in the range.
    #[error("no day lies between {from} and {to}: give the earlier day first")]
    NoDays {
        /// The first day asked for.
        from: Day,
        /// The last day asked for.
        to: Day,
    },
    /// A pattern that no table can match.
    #[error("pattern {pattern:?} can match no table: {why}")]
    Pattern {
        /// What was asked for.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of rejects could not be read.
    #[error("could not read {path}: {source}; `walbook verify` tells what is wrong with the book")]
    Rejects {
        /// The file.
        path: String,
        /// What is wrong.
        source: parquet::errors::ParquetError,
    },
    /// Nobody waits for the answer any more.
    #[error("finding the rows took too long: ask for fewer days, or for one table")]
    TooSlow,
    /// The book could not be read.
    #[error(transparent)]
    Read(#[from] BookError),
}

impl QueryError {
    /// The exit code a command ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            QueryError::NoDays { .. } | QueryError::Pattern { .. } => 2,
            QueryError::Rejects { .. } | QueryError::TooSlow => 1,
            QueryError::Read(error) => error.exit_code(),
        }
    }
}
