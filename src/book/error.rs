//! Everything that can go wrong with a book, with what to do about it.

use std::io;
use std::path::PathBuf;

use super::lost_rows::LostRows;
use crate::change::{Classified, Day, FailureKind, TooManyGroups};
use crate::store::is_refusal;
use crate::store::layout::counts_path;

/// Why a book could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// An operation of the file system failed; nothing is retried, the next start resumes from what is committed.
    #[error("could not {tried} {path:?} of the book; start again when the cause is gone: nothing committed is lost")]
    Io {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path, relative to the book.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A rename would leave its file system.
    #[error(
        "could not {tried} {path:?}: the book lies on two file systems, or in the lower layer of an overlay, such as a container's image; copy it to a volume of its own, and use the copy"
    )]
    TwoFileSystems {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path, relative to the book.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The staging folder of the run disappeared, and no other run has taken the book.
    #[error(
        "{folder:?} of this run is gone, and no newer run has one: was the book moved, deleted or cleaned up while it was written to? nothing committed is lost by this run; start again where the book is"
    )]
    StagingGone {
        /// The folder.
        folder: String,
    },
    /// The file system lacks an operation that commits rest on.
    #[error(
        "the file system under this directory cannot {operation}: a book needs hard links, atomic renames and fsync"
    )]
    Unsuitable {
        /// The missing operation.
        operation: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The object store does not keep what commits rest on.
    #[error("this object store cannot have a book: {source}; see docs/object-stores.md for what is needed")]
    UnsuitableStore {
        /// What it did.
        source: io::Error,
    },
    /// The object store refuses what this process asks for.
    #[error("could not {tried} {path:?} of the book; see docs/object-stores.md for addresses, options and credentials")]
    Refused {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The path, relative to the book.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// The directory holds something else.
    #[error("not a book, and not empty: found {found:?} but no commit log; name an empty or new directory")]
    NotABook {
        /// A name in it.
        found: String,
    },
    /// A directory to read, without a commit log.
    #[error("{path:?} is no book: it has no commit log with an entry; name the directory that `walbook run` writes to")]
    NoBook {
        /// The directory.
        path: PathBuf,
    },
    /// The run's settings are not those that the book was made with.
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
        /// What is wrong.
        reason: String,
    },
    /// A checkpoint is not what was written.
    #[error("{path:?} is damaged: {reason}; the log has all that it holds, and the next `walbook run` replaces it")]
    DamagedCheckpoint {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// An entry was swept after this reader had begun: what it knew is in a base that is newer than what was read.
    #[error("log entry {entry} was swept while the book was read; ask again")]
    Swept {
        /// The entry's number.
        entry: u64,
    },
    /// An entry, read or about to be written, breaks a rule of the log.
    #[error("log entry {entry} breaks a rule of the book: {rule}")]
    Unsound {
        /// The entry's number.
        entry: u64,
        /// The rule and the value that breaks it.
        rule: String,
    },
    /// A view cannot be declared, kept or read.
    #[error("view {view}: {reason}")]
    View {
        /// Its name.
        view: String,
        /// Why.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Views have more groups than they may.
    #[error(transparent)]
    TooManyGroups(#[from] TooManyGroups),
    /// Another run owns the book.
    #[error("fenced: {reason}; another run owns the book now, and this one has changed nothing since")]
    Fenced {
        /// How the run noticed.
        reason: String,
    },
    /// A file that the log names is neither in its place nor in staging.
    #[error(
        "{path:?}, which log entry {entry} names, is missing{lost}; restore it from a copy, or make a new book: `walbook verify` lists all that is missing"
    )]
    Missing {
        /// The file.
        path: String,
        /// The entry that names it.
        entry: u64,
        /// Its rows, as far as they are known.
        lost: LostRows,
        /// Why it is not there, where the store says so.
        source: Option<io::Error>,
    },
    /// A file that the log names is an upload that its run has not completed.
    #[error(
        "{path:?}, which log entry {entry} names, is not in its place yet: ask again, and if no run has the book, start one, which places the file or names it as lost"
    )]
    NotInPlace {
        /// The file.
        path: String,
        /// The entry that names it.
        entry: u64,
    },
    /// A counts file is missing, or cannot be read.
    #[error("{:?} cannot be read: {reason}; the next `walbook run` makes it again from the events of that day", counts_path(*.day))]
    UnreadableCounts {
        /// The day.
        day: Day,
        /// What is wrong.
        reason: String,
    },
    /// Counts, events and log disagree; wrong output is worse than none.
    #[error("counts of {day} disagree: {what}; `walbook verify` names the files that are wrong")]
    Disagree {
        /// The day.
        day: Day,
        /// Both numbers.
        what: String,
    },
}

impl Classified for BookError {
    fn kind(&self) -> FailureKind {
        match self {
            // The user named the wrong directory, settings or program version.
            BookError::Unsuitable { .. }
            | BookError::UnsuitableStore { .. }
            | BookError::Refused { .. }
            | BookError::TwoFileSystems { .. }
            | BookError::NotABook { .. }
            | BookError::NoBook { .. }
            | BookError::OtherSettings { .. }
            | BookError::View { .. }
            | BookError::TooManyGroups(_)
            | BookError::UnknownFormat { .. } => FailureKind::Usage,
            BookError::Fenced { .. } => FailureKind::Fenced,
            BookError::Missing { .. } => FailureKind::DataLoss,
            BookError::Io { .. }
            | BookError::StagingGone { .. }
            | BookError::Damaged { .. }
            | BookError::DamagedCheckpoint { .. }
            | BookError::Swept { .. }
            | BookError::Unsound { .. }
            | BookError::NotInPlace { .. }
            | BookError::UnreadableCounts { .. }
            | BookError::Disagree { .. } => FailureKind::Other,
        }
    }
}

impl BookError {
    /// A file that is not as it was written.
    pub(crate) fn damaged(path: &str, reason: impl ToString) -> BookError {
        BookError::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Adds verb and path to a failed operation.
pub(super) trait At<T> {
    /// Adds what was tried at which path.
    fn at(self, tried: &'static str, path: &str) -> Result<T, BookError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, tried: &'static str, path: &str) -> Result<T, BookError> {
        self.map_err(|source| failed(tried, path, source))
    }
}

/// The error of a failed operation.
pub(super) fn failed(tried: &'static str, path: &str, source: io::Error) -> BookError {
    let path = path.to_owned();
    if is_refusal(&source) {
        return BookError::Refused { tried, path, source };
    }
    match source.kind() {
        io::ErrorKind::CrossesDevices => BookError::TwoFileSystems { tried, path, source },
        _ => BookError::Io { tried, path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_out_of_a_lower_layer_is_explained() {
        let crossed: io::Result<()> = Err(io::Error::from(io::ErrorKind::CrossesDevices));
        let error = crossed.at("rename", "_walbook/staging/g").expect_err("it failed");
        assert!(error.to_string().contains("lower layer of an overlay") && error.is_usage(), "{error}");
    }
}
