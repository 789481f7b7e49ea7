//! The side of a run that stands by.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lease::{LeaseText, read};
use crate::book::log::commit_log;
use crate::book::{BookError, layout};
use crate::store::Store;

/// The most time that counts between two looks: one that was suspended itself has not seen that the other one was silent.
const LONGEST_GAP: Duration = Duration::from_secs(1);
/// A lease that is not renewed at this many times in a row is old, whatever timeout was asked for.
const MISSED_RENEWALS: u32 = 3;
/// The time between two renewals where no lease says it.
const UNKNOWN_INTERVAL: Duration = Duration::from_secs(3);

/// Watches the log and the lease of a book until the run that owns it has ended, or is silent for too long.
pub struct LeaseWatch {
    store: Arc<dyn Store>,
    timeout: Duration,
    seen: Seen,
    /// When it was last looked.
    looked_at: Option<Instant>,
    /// For how long nothing has changed.
    silent: Duration,
    /// Whether a release that was seen still counts.
    counts_release: bool,
}

/// What was last seen of a book. Any difference is a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The newest entry; none where there is no book yet.
    newest: Option<u64>,
    /// The generation that owns the book.
    generation: Option<String>,
    lease: Option<Vec<u8>>,
}

/// A book that no run seems to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacancy {
    /// The newest entry. Another run may open its generation only directly after this one.
    pub newest: Option<u64>,
    /// For how long nothing had changed; none if the run ended in order.
    pub silent: Option<Duration>,
}

impl LeaseWatch {
    /// Watches a book, or a place where one may be made; a run is silent after `timeout`.
    pub fn new(store: Arc<dyn Store>, timeout: Duration) -> LeaseWatch {
        let seen = Seen::default();
        LeaseWatch { store, timeout, seen, looked_at: None, silent: Duration::ZERO, counts_release: true }
    }

    /// Reads log and lease once; `now` is the time before that. Returns the vacancy when no run seems to write the book any more.
    ///
    /// # Errors
    /// [`BookError`] when log or lease cannot be read at this moment, and while a book that was there is gone.
    pub fn look(&mut self, now: Instant) -> Result<Option<Vacancy>, BookError> {
        let seen = self.read()?;
        let gap = self.looked_at.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if seen != self.seen {
            self.seen = seen;
            (self.silent, self.counts_release) = (Duration::ZERO, true);
            return Ok(None);
        }
        self.silent += gap.min(LONGEST_GAP);
        let newest = self.seen.newest;
        let is_released = self.counts_release && self.text().is_some_and(|text| text.released);
        Ok(if is_released {
            Some(Vacancy { newest, silent: None })
        } else if self.silent >= self.longest_silence() {
            Some(Vacancy { newest, silent: Some(self.silent) })
        } else {
            None
        })
    }

    /// Whether everything is still as it was at the last look.
    ///
    /// # Errors
    /// As [`LeaseWatch::look`].
    pub fn is_unchanged(&self) -> Result<bool, BookError> {
        Ok(self.read()? == self.seen)
    }

    /// Forgets for how long nothing has changed: after an attempt to take the book over that another run was faster with.
    pub fn begin_again(&mut self) {
        (self.silent, self.counts_release, self.looked_at) = (Duration::ZERO, false, None);
    }

    /// Who has the book, for people; none if that is not known.
    pub fn holder(&self) -> Option<String> {
        self.text().map(|text| text.holder)
    }

    /// The generation that owns the book; none where there is no book.
    pub fn generation(&self) -> Option<&str> {
        self.seen.generation.as_deref()
    }

    fn text(&self) -> Option<LeaseText> {
        // One that this version cannot read is a sign of life as any other.
        serde_json::from_slice(self.seen.lease.as_ref()?).ok()
    }

    /// How long a run may be silent: as long as was asked for, and some of its own intervals.
    fn longest_silence(&self) -> Duration {
        let interval = self.text().map_or(UNKNOWN_INTERVAL, |text| Duration::from_millis(text.interval_ms));
        self.timeout.max(interval.saturating_mul(MISSED_RENEWALS))
    }

    fn read(&self) -> Result<Seen, BookError> {
        let store = &*self.store;
        let newest = self.newest()?;
        if newest.is_none() && self.seen.newest.is_some() {
            // A file system that is not mounted any more, say: another book must not be made in its place.
            let source = io::Error::new(ErrorKind::NotFound, "the book that was there is gone");
            return Err(BookError::Io { tried: "find", path: layout::LOG.to_owned(), source });
        }
        let generation = match newest {
            Some(_) if self.seen.newest == newest && self.seen.generation.is_some() => self.seen.generation.clone(),
            Some(number) => {
                // Of a book that was made anew the entries of the old one may be known.
                commit_log::forget_another_book(store)?;
                commit_log::read_entry(store, number)?.map(|logged| logged.entry.generation)
            }
            None => None,
        };
        let lease = generation.as_deref().map(|generation| read(store, generation)).transpose()?.flatten();
        Ok(Seen { newest, generation, lease })
    }

    /// The newest entry: mostly the one that was seen last, which costs two look-ups.
    fn newest(&self) -> Result<Option<u64>, BookError> {
        let exists = |number: u64| {
            let path = layout::entry_path(number);
            self.store.exists(&path).map_err(|source| BookError::Io { tried: "look up", path, source })
        };
        match self.seen.newest {
            Some(known) if exists(known)? && !exists(known + 1)? => Ok(Some(known)),
            _ => commit_log::newest(&*self.store),
        }
    }
}
