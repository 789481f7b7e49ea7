//! Why a Delta table could not be written or read. The book itself is never harmed: the next attempt begins at what is in its log.

use std::io;

use crate::book::BookError;

/// Why a Delta table could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// The book could not be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// An operation of the store failed.
    #[error("could not {tried} {path:?}")]
    Io {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path in the book.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A file of a table is not what walbook writes.
    #[error(
        "{path:?} is not as walbook writes it: {reason}; remove the folder _delta_log of this table, and the run makes it anew"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl DeltaError {
    pub(super) fn damaged(path: &str, reason: impl ToString) -> DeltaError {
        DeltaError::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Whether a sync has failed: what it was to make durable may be lost, so it is not to be tried again by this process.
    pub fn may_have_lost(&self) -> bool {
        matches!(self, DeltaError::Io { tried: "sync", .. })
    }
}

/// Adds verb and path to a failed operation.
pub(super) trait At<T> {
    fn at(self, tried: &'static str, path: &str) -> Result<T, DeltaError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, tried: &'static str, path: &str) -> Result<T, DeltaError> {
        self.map_err(|source| DeltaError::Io { tried, path: path.to_owned(), source })
    }
}

/// Ignores a missing file.
pub(super) fn gone_is_fine<T: Default>(done: io::Result<T>) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        done => done,
    }
}
