//! Whether a run has the book, and taking it over where none has.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, BookError, Committer, LeaseWatch};
use crate::change::{Failure, WithContext};
use crate::control::Shutdown;
use crate::run::{LEASE_TIMEOUT, LeaseKeeper};
use crate::settings::SettingsError;
use crate::store::layout::{LOG, STAGING};
use crate::store::{BookStore, Store};

/// How often it is looked whether a run has the book, and whether it has made an entry visible.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A book that this process owns, and its lease.
pub(super) struct Owner {
    pub(super) committer: Committer,
    lease: LeaseKeeper,
}

impl Owner {
    /// Becomes the owner of a book that no run has: what was put and is not visible becomes so. `shutdown` is requested when a run takes it
    /// from this process.
    pub(super) fn of(book: Book, shutdown: &Shutdown) -> Result<Owner, Failure> {
        let lease = LeaseKeeper::new(LEASE_TIMEOUT, shutdown);
        let committer =
            book.fence_with_lease(|_| Ok::<_, BookError>(Default::default()), |owned| lease.start(owned))?;
        Ok(Owner { committer, lease })
    }

    /// Gives the book back.
    pub(super) fn release(self) {
        self.lease.release();
    }
}

/// Whether no run has the book: it has released it, or has been silent for as long as a standby waits.
pub(super) fn is_free(store: &Arc<dyn Store>, shutdown: &Shutdown) -> Result<bool, Failure> {
    let mut watch = LeaseWatch::new(Arc::clone(store), LEASE_TIMEOUT);
    let mut is_first = true;
    loop {
        if shutdown.is_requested() {
            return Ok(false);
        }
        // A lease that is renewed, or an entry, shows a run.
        if !is_first && !watch.is_unchanged()? {
            return Ok(false);
        }
        if watch.look(Instant::now())?.is_some() {
            return Ok(true);
        }
        is_first = false;
        thread::sleep(LOOK_INTERVAL);
    }
}

/// Refuses to write files into a book that are another user's than the log: the run of that user could not link or remove them.
pub(super) fn check_user(book: &BookStore) -> Result<(), Failure> {
    // Objects have no owner.
    let Some(book) = book.location().directory() else { return Ok(()) };
    let staging = book.join(STAGING);
    let own = tempfile::tempfile_in(&staging).and_then(|file| file.metadata());
    let own = own.context(format!("could not write to {}", staging.display()))?.uid();
    let log = book.join(LOG);
    let owner = fs::metadata(&log).context(format!("could not look up {}", log.display()))?.uid();
    match own == owner {
        true => Ok(()),
        false => Err(SettingsError::Wrong(format!(
            "{}: the book is written by the user with the number {owner}, and this process would write as {own}: run it as that user",
            book.display()
        ))
        .into()),
    }
}
