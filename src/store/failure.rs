//! What an error of a store can say beyond its kind.

use std::io;

/// The bucket, the address, the clock or the credentials are wrong: a restart does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreRefusal(pub String);

/// Whether that is what an error says.
pub fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<StoreRefusal>())
}

/// The parts of a file that is written, but not yet in its place, are gone from an object store.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LostParts(pub String);

/// Whether that is what an error says.
pub fn has_lost_parts(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<LostParts>())
}
