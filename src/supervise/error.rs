//! How supervision ends, other than well.

use std::io;

use crate::change::{Classified, FailureKind};

/// How supervision ends, other than well.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The process could not be started even once.
    #[error("could not start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// The process ended with a code that a restart does not help.
    #[error("the run ended with exit code {code}, and is not started again: the same would happen")]
    GaveUp {
        /// What the code means.
        kind: FailureKind,
        /// The code.
        code: i32,
    },
    /// The process did not end well when it was asked to end.
    #[error("the run was asked to end, and ended with {end}")]
    EndedBadly {
        /// What its end means.
        kind: FailureKind,
        /// How it ended.
        end: String,
    },
    /// The supervisor was gone before its process had begun.
    #[error("the supervisor, process {supervisor}, has ended")]
    Orphaned {
        /// The number of its process.
        supervisor: u32,
    },
    /// The system refused what supervision needs.
    #[error("could not {tried}: {source}")]
    System {
        /// What was tried, as a verb.
        tried: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl Classified for SuperviseError {
    fn kind(&self) -> FailureKind {
        match self {
            SuperviseError::GaveUp { kind, .. } | SuperviseError::EndedBadly { kind, .. } => *kind,
            SuperviseError::Start { .. } | SuperviseError::Orphaned { .. } | SuperviseError::System { .. } => {
                FailureKind::Other
            }
        }
    }
}
