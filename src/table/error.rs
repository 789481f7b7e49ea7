//! What can go wrong between rows and a sealed file.

use std::io;

use parquet::errors::ParquetError;

use crate::change::{Classified, FailureKind};
use crate::store::{SpillError, is_refusal};

/// A file of the book could not be written. The run ends; the next start begins at the last commit.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The folder of this run's generation is gone: a newer run owns the book.
    #[error("could not write {path}: the staging folder is gone, so another run owns the book now")]
    Fenced {
        /// The file in staging.
        path: String,
    },
    /// The folder of this run's generation is gone, and no newer run has one.
    #[error(
        "could not write {path}: the staging folder of this run is gone, and no newer run has one: was the book moved, deleted or cleaned up while it was written to? nothing committed is lost by this run; start again where the book is"
    )]
    StagingGone {
        /// The file in staging.
        path: String,
    },
    /// The folder that the leader has just created is not visible to this process.
    #[error("could not find {path}, which process 0 has created: all processes must see the same book directory")]
    Unseen {
        /// The staging folder.
        path: String,
    },
    /// The file system failed.
    #[error("could not write {path}: {source}")]
    Write {
        /// The file in staging.
        path: String,
        /// Its error.
        source: io::Error,
    },
    /// Rows could not be encoded, or the file system failed below the encoder.
    #[error("could not encode {path}: {source}")]
    Encode {
        /// The file in staging.
        path: String,
        /// The encoder's error.
        source: ParquetError,
    },
    /// Rows could not be collected, or copied to the temporary file and back.
    #[error("could not buffer rows: {source}")]
    Buffer {
        /// Arrow's error.
        #[from]
        source: arrow_schema::ArrowError,
    },
    /// The temporary file for rows that do not fit in memory failed.
    #[error("could not buffer rows in a temporary file in {folder}: {source}")]
    Spill {
        /// The file's folder.
        folder: String,
        /// The error of the file system.
        source: io::Error,
    },
}

impl Classified for TableError {
    fn kind(&self) -> FailureKind {
        match self {
            TableError::Fenced { .. } => FailureKind::Fenced,
            TableError::Write { source, .. } if is_refusal(source) => FailureKind::Usage,
            TableError::Encode { source: ParquetError::External(below), .. }
                if below.downcast_ref::<io::Error>().is_some_and(is_refusal) =>
            {
                FailureKind::Usage
            }
            _ => FailureKind::Other,
        }
    }
}

impl TableError {
    pub(super) fn writing(path: &str, source: io::Error) -> TableError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => TableError::StagingGone { path },
            _ => TableError::Write { path, source },
        }
    }

    /// The temporary file stands in staging.
    pub(super) fn spilling(error: SpillError) -> TableError {
        let folder = error.folder.display().to_string();
        match error.source.kind() {
            io::ErrorKind::NotFound => TableError::StagingGone { path: folder },
            _ => TableError::Spill { folder, source: error.source },
        }
    }

    pub(super) fn encoding(path: &str, source: ParquetError) -> TableError {
        let path = path.to_owned();
        match &source {
            // A store that sends parts while rows are encoded notices it here.
            ParquetError::External(below)
                if below.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) =>
            {
                TableError::StagingGone { path }
            }
            _ => TableError::Encode { path, source },
        }
    }
}
