//! What can go wrong between rows and a sealed file.

use std::io;

/// A file of the book could not be written. The run ends; the next start begins at the last commit.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The folder of this run's generation is gone: a newer run has taken the book.
    #[error("could not write {path}: the staging folder is gone, so another run owns the book now")]
    Fenced {
        /// The file in staging.
        path: String,
    },
    /// This process does not see the folder that the leader has just made.
    #[error("could not find {path}, which process 0 has made: all processes must see the same book directory")]
    Unseen {
        /// The staging folder.
        path: String,
    },
    /// The file system said no.
    #[error("could not write {path}: {source}")]
    Write {
        /// The file in staging.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// Rows could not be encoded, or the file system failed below the encoder.
    #[error("could not encode {path}: {source}")]
    Encode {
        /// The file in staging.
        path: String,
        /// What the encoder said.
        source: parquet::errors::ParquetError,
    },
    /// Rows could not be put aside or taken back.
    #[error("could not gather rows: {source}")]
    Gather {
        /// What happened.
        #[from]
        source: arrow_schema::ArrowError,
    },
    /// The nameless file for rows that do not fit in memory failed.
    #[error("could not set rows aside in a temporary file: {source}")]
    Scratch {
        /// What the file system said.
        source: io::Error,
    },
}

impl TableError {
    /// Whether a newer run owns the book.
    pub fn is_fenced(&self) -> bool {
        matches!(self, TableError::Fenced { .. })
    }

    pub(super) fn writing(path: &str, source: io::Error) -> TableError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => TableError::Fenced { path },
            _ => TableError::Write { path, source },
        }
    }

    pub(super) fn encoding(path: &str, source: parquet::errors::ParquetError) -> TableError {
        TableError::Encode { path: path.to_owned(), source }
    }
}
