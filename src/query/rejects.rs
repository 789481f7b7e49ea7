//! Rejects by reason.

use super::{QueryError, RejectSums};
use crate::book::Snapshot;
use crate::store::BookStore;

/// The number of rejects by reason, the most frequent first.
///
/// # Errors
/// [`QueryError`] when there is no book or a file of rejects is damaged.
pub fn rejects(book: impl Into<BookStore>) -> Result<Vec<(String, u64)>, QueryError> {
    let snapshot = Snapshot::take(book)?;
    let mut sums = RejectSums::default();
    for file in snapshot.reject_files()? {
        sums.add(&snapshot, &file)?;
    }
    Ok(sums.by_reason().into_iter().map(|(reason, sum)| (reason.to_owned(), sum.count)).collect())
}
