//! A store that refuses what it is asked for, whatever that is.

use std::io;

/// The bucket, the address, the clock or the credentials are wrong: a restart does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreRefusal(pub String);

/// Whether that is what an error says.
pub fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<StoreRefusal>())
}
