//! Why a run cannot begin.

use crate::book::log::entry::SourceKind;
use crate::change::{Classified, FailureKind};

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The book's parent does not exist.
    #[error("{parent} does not exist: a book is made in an existing directory")]
    NoParent {
        /// The parent.
        parent: String,
    },
    /// The book is a file.
    #[error("{path} is a file: a book is a directory")]
    BookIsFile {
        /// The path.
        path: String,
    },
    /// This version does not know the book's time zone or day rule.
    #[error(
        "the book has days of time zone {time_zone:?} by rule {day_from:?}, which this version does not know: use a newer one"
    )]
    UnknownDayRule {
        /// The time zone.
        time_zone: String,
        /// The day rule.
        day_from: String,
    },
    /// The book's days come from Kafka, and the records do not.
    #[error(
        "the book takes days from Kafka's timestamps (--day-from kafka), and only topics of Kafka have them: use another book, or read topics"
    )]
    NoKafkaTimes,
    /// The book has the same name from another kind of source.
    #[error("the book has {name:?} as a {known}, and this run would read it as a {kind}: use another book")]
    OtherKind {
        /// The topic, slot or file.
        name: String,
        /// What it is in the book.
        known: SourceKind,
        /// What it is in this run.
        kind: SourceKind,
    },
    /// A stream cannot continue a book.
    #[error(
        "--input {name} comes once and begins at its beginning, so it only makes a new book, and this one has entries: name an empty or new directory, or write the input to a file first"
    )]
    StreamIntoBook {
        /// The stream.
        name: String,
    },
    /// The book has the file under another name.
    #[error(
        "--input {name} is a file that the book has as {known:?}, and would count twice: name it as then; or, if it only begins with the same bytes ({id}), use another book"
    )]
    SecondName {
        /// The name in this run.
        name: String,
        /// The name in the book.
        known: String,
        /// The fingerprint of both.
        id: String,
    },
    /// A signal came before anything was read.
    #[error("asked to end before anything was read")]
    EndRequested,
    /// Records could not be read, and that is to be a failure.
    #[error("{rejects} records could not be read, and --fail-on-rejects is set: everything that was read is committed")]
    Rejects {
        /// How many.
        rejects: u64,
    },
    /// Timely could not start or join the workers.
    #[error("the workers could not run: {0}")]
    Workers(String),
}

impl Classified for RunError {
    fn kind(&self) -> FailureKind {
        match self {
            RunError::EndRequested => FailureKind::Requested,
            RunError::Workers(_) | RunError::Rejects { .. } => FailureKind::Other,
            RunError::NoParent { .. }
            | RunError::BookIsFile { .. }
            | RunError::NoKafkaTimes
            | RunError::UnknownDayRule { .. }
            | RunError::OtherKind { .. }
            | RunError::StreamIntoBook { .. }
            | RunError::SecondName { .. } => FailureKind::Usage,
        }
    }
}
