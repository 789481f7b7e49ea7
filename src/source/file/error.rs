//! What can be wrong with a file or standard input.

use std::io;

use super::input::Damage;
use crate::change::{Classified, FailureKind};
use crate::store::SpillError;

/// Why an input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path names nothing that holds bytes.
    #[error("--input {path}: {message}")]
    NoInput {
        /// The path as it was typed.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// It holds something else than records.
    #[error("--input {path} is {what}: {help}")]
    OtherForm {
        /// The path as it was typed.
        path: String,
        /// What it is.
        what: &'static str,
        /// What would help.
        help: &'static str,
    },
    /// It has a row of COPY's text form, which its first bytes did not show.
    #[error(
        "--input {path} is in COPY's text form: the row at byte {offset} is one that psql does not print, and the first 64 KiB do not show \
         it, so the rows before were read as psql prints them; print it as CSV and read that into a new book: COPY … TO … WITH (FORMAT \
         csv), or psql --csv -c …"
    )]
    CopyRow {
        /// The path as it was typed.
        path: String,
        /// Where the row begins.
        offset: i64,
    },
    /// It is compressed, and would have to be followed.
    #[error("--input {path} is compressed by {compression}, so it cannot be followed while it grows: give --until-end")]
    CannotFollow {
        /// The path as it was typed.
        path: String,
        /// By what.
        compression: &'static str,
    },
    /// It is compressed, and not whole. This run read nothing of it.
    #[error("{path} is {damage}: {}", advice(*next, *is_stream))]
    Damaged {
        /// The path as it was typed.
        path: String,
        /// What is wrong, and where.
        damage: Damage,
        /// The first byte that is not in the book.
        next: i64,
        /// Whether it comes only once.
        is_stream: bool,
    },
    /// It is compressed, and was found to be not whole when it was read.
    #[error(
        "{path} is {damage}: all records that are whole before byte {from} are in the book, what follows is missing"
    )]
    BrokenOff {
        /// The path as it was typed.
        path: String,
        /// What is wrong, and where.
        damage: Damage,
        /// The first byte that is not in the book.
        from: i64,
    },
    /// The system failed.
    #[error("could not {tried} {path}")]
    Io {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path as it was typed.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// It is not the file that was read before.
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
    /// A compressed file was cut while it was read; how much of its text is left is not known.
    #[error("{path} has {bytes} bytes, and had {before} when the run began: it was cut or written anew")]
    Cut {
        /// The path as it was typed.
        path: String,
        /// Its bytes now, compressed.
        bytes: u64,
        /// Its bytes before.
        before: u64,
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
    /// A large transaction could not be kept on disk.
    #[error("could not keep a large transaction in {folder}: {source}; --spill-dir names another folder")]
    Spill {
        /// The folder.
        folder: String,
        /// The system's error.
        source: io::Error,
    },
    /// A line that is too long for memory.
    #[error("{path} has a line of more than {limit} bytes at byte {offset}: PostgreSQL prints none so long")]
    LongLine {
        /// The path as it was typed.
        path: String,
        /// Where it begins.
        offset: i64,
        /// The longest that is read.
        limit: usize,
    },
}

/// What is in the book of a compressed input that is not whole, and what would help.
fn advice(next: i64, is_stream: bool) -> String {
    match (next, is_stream) {
        (0, true) => "nothing of it was read; get it whole".to_owned(),
        (0, false) => "nothing of it was read; get it whole, or read what is left of it into a new book: walbook run BOOK --input - < FILE"
            .to_owned(),
        (next, _) => format!("everything before byte {next} is in the book, and nothing behind it was read; get it whole"),
    }
}

impl FileError {
    /// Says of damage how much of the input is in the book.
    pub(super) fn behind(mut self, in_book: i64) -> FileError {
        if let FileError::Damaged { next, .. } = &mut self {
            *next = in_book;
        }
        self
    }
}

impl From<SpillError> for FileError {
    fn from(error: SpillError) -> FileError {
        FileError::Spill { folder: error.folder.display().to_string(), source: error.source }
    }
}

impl Classified for FileError {
    fn kind(&self) -> FailureKind {
        match self {
            FileError::NoInput { .. }
            | FileError::OtherForm { .. }
            | FileError::CopyRow { .. }
            | FileError::CannotFollow { .. } => FailureKind::Usage,
            // The bytes that the book continues from are not there any more.
            FileError::Another { .. }
            | FileError::Shorter { .. }
            | FileError::Shrunk { .. }
            | FileError::Cut { .. } => FailureKind::DataLoss,
            // What comes from a pipe comes once.
            FileError::CutShort { .. } | FileError::BrokenOff { .. } | FileError::Damaged { .. } => {
                FailureKind::DataLoss
            }
            FileError::Io { .. } | FileError::Spill { .. } | FileError::LongLine { .. } => FailureKind::Other,
        }
    }
}
