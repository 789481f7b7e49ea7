//! Why the store of a book cannot be used as it was asked for.

use crate::change::{Classified, FailureKind};

/// Wrong usage: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An address of something that no book can be on.
    #[error("{scheme}:// is no place for a book: expected {known}, or the path of a directory")]
    UnknownScheme {
        /// What stands before `://`.
        scheme: String,
        /// What may stand there.
        known: &'static str,
    },
    /// An address that names no bucket.
    #[error("{address:?} names no bucket: expected an address as s3://bucket/prefix")]
    NoBucket {
        /// The address.
        address: String,
    },
    /// An address with something that is not possible.
    #[error("{address:?} is no address of a book: {reason}")]
    WrongAddress {
        /// The address.
        address: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// An option that is no option, or has a wrong value.
    #[error("--store {option}: {reason}")]
    WrongOption {
        /// The option as it was written, without its value.
        option: String,
        /// What is wrong.
        reason: String,
    },
    /// This program was built without object stores.
    #[error(
        "{address} is on an object store, and this walbook was built without them: build it with `cargo build --release --features object-store`"
    )]
    NotBuilt {
        /// The address.
        address: String,
    },
    /// What is set for the object store, or in the environment, contradicts itself.
    #[error("could not use {address}: {reason}")]
    Settings {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

impl Classified for StoreError {
    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}
