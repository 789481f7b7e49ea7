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
    #[error("the run ended with exit code {code}, and is not started again: {reason}", reason = why_not_again(*kind))]
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

/// Why a process that failed so is not started again.
fn why_not_again(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Usage => "the next one would find the same settings wrong",
        FailureKind::DataLoss => "the next one would find the same data missing",
        FailureKind::Fenced => "it would take the book back from the run that has it now",
        FailureKind::Cluster | FailureKind::Requested | FailureKind::Other => "a restart would not help",
    }
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
