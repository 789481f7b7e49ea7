//! The side of the run that owns the book.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::book::BookError;
use crate::book::error::At;
use crate::book::write::staging::Staging;
use crate::store::Store;
use crate::store::layout::{LEASE, lease_path};

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseText {
    /// The run.
    pub(super) generation: String,
    /// Who it is, for people.
    pub(super) holder: String,
    /// The time between two renewals, in milliseconds.
    pub(super) interval_ms: u64,
    /// How often it was renewed: the file changes each time.
    pub(super) renewals: u64,
    /// Whether the run has ended in order: the book is free.
    #[serde(default)]
    pub(super) released: bool,
}

/// The lease of the run that owns the book.
pub struct Lease {
    staging: Arc<Staging>,
    renewals: u64,
}

impl Lease {
    /// The lease of the run with this staging folder; there is none before the first renewal.
    pub(in crate::book) fn new(staging: Arc<Staging>) -> Lease {
        Lease { staging, renewals: 0 }
    }

    /// Renews the lease, on behalf of `holder`, which will do so again after `interval`.
    ///
    /// # Errors
    /// [`BookError::Fenced`] once a newer run owns the book; [`BookError::StagingGone`]; [`BookError::Io`].
    pub fn renew(&mut self, holder: &str, interval: Duration) -> Result<(), BookError> {
        self.write(holder, interval, false)
    }

    /// Releases the lease: a run that stands by may take the book over at once.
    ///
    /// # Errors
    /// As [`Lease::renew`].
    pub fn release(mut self, holder: &str) -> Result<(), BookError> {
        self.write(holder, Duration::ZERO, true)
    }

    fn write(&mut self, holder: &str, interval: Duration, released: bool) -> Result<(), BookError> {
        self.renewals += 1;
        let text = LeaseText {
            generation: self.staging.generation().to_owned(),
            holder: holder.to_owned(),
            interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
            renewals: self.renewals,
            released,
        };
        let mut line = serde_json::to_vec(&text).expect("texts and numbers are JSON");
        line.push(b'\n');
        self.staging.replace_unsynced(LEASE, &line)
    }
}

/// The bytes of a generation's lease; `None` where there is none.
///
/// # Errors
/// [`BookError::Io`].
pub(super) fn read(store: &dyn Store, generation: &str) -> Result<Option<Vec<u8>>, BookError> {
    let path = lease_path(generation);
    match store.read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).at("read", &path),
    }
}
