//! Everything that can go wrong with a book, in words for the person who has to act.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::change::Day;

/// Why a book could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file system said no; nothing is retried, the next start takes over from what is committed.
    #[error("could not {tried} {path:?} of the book; start again when the cause is gone: nothing committed is lost")]
    Io {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path, relative to the book.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file system lacks an operation that commits rest on.
    #[error(
        "the file system under this directory cannot {operation}: a book needs hard links, atomic renames and fsync"
    )]
    Unsuitable {
        /// What it could not do.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A directory that holds something else.
    #[error("not a book, and not empty: found {found:?} but no commit log; name an empty or new directory")]
    NotABook {
        /// A name that stands there.
        found: String,
    },
    /// A directory that readers were sent to, without a commit log.
    #[error("{path:?} is no book: it has no commit log with an entry; name the directory that `walbook run` writes to")]
    NoBook {
        /// The directory.
        path: PathBuf,
    },
    /// A file was taken out of the book while it was being read; asking again helps.
    #[error("{path:?} was taken away while the book was being read; ask again, and if it stays away, `walbook verify`")]
    Vanished {
        /// The file.
        path: String,
    },
    /// The run's settings are not those the book was made with.
    #[error(
        "the book was made with {setting} {made_with:?}, this run asks for {asked:?}; they are fixed: use the book's, or make a new book"
    )]
    OtherSettings {
        /// Which setting differs.
        setting: &'static str,
        /// The book's value.
        made_with: String,
        /// The run's value.
        asked: String,
    },
    /// Written by a walbook that is newer than this one.
    #[error(
        "{path:?} has format version {format}, this walbook knows {known}: use the walbook that wrote it, or a newer one"
    )]
    UnknownFormat {
        /// The file.
        path: String,
        /// The version found.
        format: u64,
        /// The version known.
        known: u32,
    },
    /// A file of the log or a checkpoint is not what was written.
    #[error("{path:?} is damaged: {reason}; restore it from a copy, or make a new book")]
    Damaged {
        /// The file.
        path: String,
        /// What was seen.
        reason: String,
    },
    /// An entry, read or about to be written, breaks a rule of the log.
    #[error("log entry {entry} breaks a rule of the book: {rule}")]
    Unsound {
        /// The entry's number.
        entry: u64,
        /// The rule and what was seen instead.
        rule: String,
    },
    /// Another run owns the book.
    #[error("fenced: {reason}; another run owns the book now, and this one has changed nothing since")]
    Fenced {
        /// How it was noticed.
        reason: String,
    },
    /// A committed file is neither in staging nor in its place.
    #[error(
        "{path:?} of log entry {entry} is gone: neither in its place nor in staging; restore it from a copy, or make a new book"
    )]
    Missing {
        /// The file.
        path: String,
        /// The entry that names it.
        entry: u64,
    },
    /// A counts file cannot be read.
    #[error("counts of {day} cannot be read: {reason}")]
    UnreadableCounts {
        /// The day.
        day: Day,
        /// What was seen.
        reason: String,
    },
    /// Counts, events and log do not say the same; wrong output is worse than none.
    #[error("counts of {day} disagree: {what}; `walbook verify` tells which files are wrong")]
    Disagree {
        /// The day.
        day: Day,
        /// Both numbers.
        what: String,
    },
}

impl BookError {
    /// The process's exit code for this error: 2 wrong usage, 4 fenced, 1 all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            // The user named the wrong directory, settings or program version.
            BookError::Unsuitable { .. }
            | BookError::NotABook { .. }
            | BookError::NoBook { .. }
            | BookError::OtherSettings { .. }
            | BookError::UnknownFormat { .. } => 2,
            // A supervisor must not restart on it.
            BookError::Fenced { .. } => 4,
            BookError::Io { .. }
            | BookError::Damaged { .. }
            | BookError::Unsound { .. }
            | BookError::Missing { .. }
            | BookError::Vanished { .. }
            | BookError::UnreadableCounts { .. }
            | BookError::Disagree { .. } => 1,
        }
    }

    /// A file that is not as it was written.
    pub(crate) fn damaged(path: &str, reason: impl ToString) -> BookError {
        BookError::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Whether another run owns the book.
    pub fn is_fenced(&self) -> bool {
        matches!(self, BookError::Fenced { .. })
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Gives a failed operation its place.
pub(super) trait At<T> {
    /// Says what was tried at which path.
    fn at(self, tried: &'static str, path: &str) -> Result<T, BookError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, tried: &'static str, path: &str) -> Result<T, BookError> {
        self.map_err(|source| BookError::Io { tried, path: path.to_owned(), source })
    }
}
