//! Limits of a question to a book's files.

use crate::query::QueryError;

/// The limits of a question to a book's files.
pub struct QueryBudget<'a> {
    /// The most bytes of data in its rows; an answer has at least one row where there is any.
    pub most_bytes: usize,
    /// Whether the answer is no longer wanted; called before each file.
    pub is_cancelled: &'a dyn Fn() -> bool,
}

impl QueryBudget<'_> {
    /// No limits.
    pub const UNLIMITED: QueryBudget<'static> = QueryBudget { most_bytes: usize::MAX, is_cancelled: &|| false };

    /// Ends a cancelled question.
    pub(in crate::query) fn check(&self) -> Result<(), QueryError> {
        if (self.is_cancelled)() { Err(QueryError::TooSlow) } else { Ok(()) }
    }
}
