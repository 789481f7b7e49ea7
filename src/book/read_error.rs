//! Why a book cannot be read.

use std::io;
use std::path::{Path, PathBuf};

/// Why a book cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory holds no commit log.
    #[error("{} is no book: there is no commit log in _walbook/log", path.display())]
    NotABook {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        #[source]
        source: io::Error,
    },
    /// A file is not what walbook wrote, or is missing.
    #[error("{} is damaged: {what}; `walbook verify` tells more", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was seen.
        what: String,
    },
    /// A file of the answer was taken out of the book meanwhile; asking again helps.
    #[error("{} was taken away while it was being read", path.display())]
    Vanished {
        /// The file.
        path: PathBuf,
    },
}

impl ReadError {
    /// The exit code a command ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            ReadError::NotABook { .. } => 2,
            ReadError::Io { .. } | ReadError::Damaged { .. } | ReadError::Vanished { .. } => 1,
        }
    }

    pub(crate) fn damaged(path: impl AsRef<Path>, what: impl ToString) -> ReadError {
        ReadError::Damaged { path: path.as_ref().to_owned(), what: what.to_string() }
    }

    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> ReadError {
        let path = path.as_ref().to_owned();
        move |source| ReadError::Io { path, source }
    }
}
