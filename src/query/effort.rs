//! What an answer from a book's files may cost.

use super::QueryError;

/// What an answer from a book's files may cost.
pub struct Effort<'a> {
    /// Bytes of data in its rows: it ends before they are more, but has one row where there is any.
    pub most_bytes: usize,
    /// Whether somebody still waits for it; asked from file to file.
    pub goes_on: &'a dyn Fn() -> bool,
}

impl Effort<'_> {
    /// Whatever it costs.
    pub const ANY: Effort<'static> = Effort { most_bytes: usize::MAX, goes_on: &|| true };

    /// Ends a question for which nobody waits any more.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        if (self.goes_on)() { Ok(()) } else { Err(QueryError::TooSlow) }
    }
}
