//! What an error means for the process that fails of it.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io;

/// What a supervisor should do about a failure; each kind has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Wrong settings or arguments: a restart does not help.
    Usage,
    /// Records are gone for good, or it is unknown which are there.
    DataLoss,
    /// Another run owns what this one writes: a restart would take it back.
    Fenced,
    /// Another process of the cluster is gone or silent: a restart of all may help.
    Cluster,
    /// The process was asked to end before it had read anything: it ends well.
    Requested,
    /// Anything else: a restart may help.
    Other,
}

impl FailureKind {
    /// The exit code of a process that fails so.
    pub fn exit_code(self) -> u8 {
        match self {
            FailureKind::Requested => 0,
            FailureKind::Other => 1,
            FailureKind::Usage => 2,
            FailureKind::DataLoss => 3,
            FailureKind::Fenced => 4,
            FailureKind::Cluster => 5,
        }
    }

    /// The kind that has an exit code.
    pub fn of_exit_code(code: u8) -> FailureKind {
        match code {
            0 => FailureKind::Requested,
            2 => FailureKind::Usage,
            3 => FailureKind::DataLoss,
            4 => FailureKind::Fenced,
            5 => FailureKind::Cluster,
            _ => FailureKind::Other,
        }
    }
}

/// An error that can end a process. Each room's error enum implements it, so none gets an exit code by accident.
pub trait Classified: Error + Send + Sync + 'static {
    /// What the error means for the process.
    fn kind(&self) -> FailureKind;

    /// The exit code of a process that fails of it.
    fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// Whether the arguments, the settings or the set-up of a server are wrong.
    fn is_usage(&self) -> bool {
        self.kind() == FailureKind::Usage
    }

    /// Whether records are gone for good.
    fn is_data_loss(&self) -> bool {
        self.kind() == FailureKind::DataLoss
    }

    /// Whether another run owns what this one writes.
    fn is_fenced(&self) -> bool {
        self.kind() == FailureKind::Fenced
    }
}

impl Classified for io::Error {
    fn kind(&self) -> FailureKind {
        FailureKind::Other
    }
}

/// The error that ends a process: any room's error with its kind.
///
/// Only [`Classified`] errors become failures by `?`: an error enum without a kind does not compile here.
///
/// ```compile_fail
/// #[derive(Debug, thiserror::Error)]
/// #[error("this room forgot to classify its error")]
/// struct Unclassified;
/// let failure = walbook::change::Failure::from(Unclassified);
/// ```
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure of the kind [`FailureKind::Other`].
    pub fn new(message: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure { kind: FailureKind::Other, error: message.into() }
    }

    /// What the failure means for the process.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Whether it is an error of this type, without a context.
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.error.is::<E>()
    }

    /// The message, then those of all causes.
    pub fn chain(&self) -> String {
        with_causes(&*self.error)
    }
}

/// An error and what caused it, in one line; a cause that the message has already said is not repeated.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()).map(<dyn Error>::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl<E: Classified> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { kind: error.kind(), error: Box::new(error) }
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Adds to an error what was being done.
pub trait WithContext<T> {
    /// Puts `text` before the error's message; the kind stays.
    ///
    /// # Errors
    /// The error with its context.
    fn context(self, text: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> WithContext<T> for Result<T, E> {
    fn context(self, text: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| {
            let Failure { kind, error } = error.into();
            Failure { kind, error: Box::new(InContext { text: text.into(), error }) }
        })
    }
}

#[derive(Debug)]
struct InContext {
    text: String,
    error: Box<dyn Error + Send + Sync>,
}

impl Display for InContext {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Error for InContext {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("another run came first")]
    struct Late(#[source] io::Error);

    impl Classified for Late {
        fn kind(&self) -> FailureKind {
            FailureKind::Fenced
        }
    }

    #[test]
    fn a_failure_keeps_its_kind_and_all_its_causes() {
        let late = Err::<(), _>(Late(io::Error::other("the log moved")));
        let failure = late.context("books/orders").expect_err("it is an error");
        assert_eq!(failure.kind(), FailureKind::Fenced);
        assert_eq!(failure.chain(), "books/orders: another run came first: the log moved");
        assert_eq!(Failure::from(io::Error::other("disk")).kind(), FailureKind::Other);
    }

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("could not write: {source}; make room")]
        struct Full {
            source: io::Error,
        }

        impl Classified for Full {
            fn kind(&self) -> FailureKind {
                FailureKind::Other
            }
        }

        let full = Full { source: io::Error::other(Late(io::Error::other("no space left"))) };
        let failure = Err::<(), _>(full).context("books/orders").expect_err("it is an error");
        assert_eq!(failure.chain(), "books/orders: could not write: another run came first; make room: no space left");
    }
}
