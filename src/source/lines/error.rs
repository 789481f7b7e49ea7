//! What can be wrong with a file or standard input.

use std::io;

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The path names nothing that holds bytes.
    #[error("--input {path}: {message}")]
    NoInput {
        /// The path as it was typed.
        path: String,
        /// What was seen, and what to do.
        message: String,
    },
    /// The system said no.
    #[error("could not {tried} {path}")]
    Io {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path as it was typed.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// What was read from it before is not there any more.
    #[error(
        "{path} is another file: the book was made from one with fingerprint {expected}, this one has {found}; its bytes mean other records, so it needs a new book"
    )]
    Another {
        /// The path as it was typed.
        path: String,
        /// The fingerprint in the book.
        expected: String,
        /// The file's own.
        found: String,
    },
    /// The file ends before what was already read.
    #[error(
        "{path} ends at byte {end}, but bytes up to {next} were already read: bytes {end} to {next} (exclusive) are missing; the file was cut or written anew"
    )]
    Shorter {
        /// The path as it was typed.
        path: String,
        /// Where it ends.
        end: i64,
        /// The next byte to read.
        next: i64,
    },
    /// The file was cut while it was read.
    #[error(
        "{path} ended at byte {read} while it was read, and had {until} bytes when the run began: bytes {read} to {until} (exclusive) are missing; the file was cut or written anew"
    )]
    Shrunk {
        /// The path as it was typed.
        path: String,
        /// The byte at which there was no more.
        read: i64,
        /// Where the file ended before.
        until: i64,
    },
    /// Standard input ended inside a transaction.
    #[error(
        "{path} ended inside a transaction: bytes {from} to {to} (exclusive) are a BEGIN without its COMMIT and are not in the book; everything before is"
    )]
    CutShort {
        /// The path as it was typed.
        path: String,
        /// Where the transaction begins.
        from: i64,
        /// Where the input ends.
        to: i64,
    },
    /// A line that no memory should hold.
    #[error("{path} has a line of more than {limit} bytes at byte {offset}: PostgreSQL prints none so long")]
    Endless {
        /// The path as it was typed.
        path: String,
        /// Where it begins.
        offset: i64,
        /// The longest that is read.
        limit: usize,
    },
}

impl LinesError {
    /// Whether records are gone for good: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        match self {
            // The bytes that the book continues from are not there any more.
            LinesError::Another { .. } | LinesError::Shorter { .. } | LinesError::Shrunk { .. } => true,
            // What comes from a pipe comes once.
            LinesError::CutShort { .. } => true,
            LinesError::NoInput { .. } | LinesError::Io { .. } | LinesError::Endless { .. } => false,
        }
    }

    /// Whether the command was given wrong settings: exit code 2.
    pub fn is_usage(&self) -> bool {
        matches!(self, LinesError::NoInput { .. })
    }
}
