//! The leader's eye on a file: is it still the one that was read, and is all of that still there?

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Input, LinesError, fingerprint};

/// Watches one file; clones watch the same. A stream is never another one.
#[derive(Clone)]
pub struct Watch {
    input: Input,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    id: Mutex<String>,
    /// The first byte that is not in the book.
    next: AtomicI64,
}

impl Watch {
    /// A watch that knows nothing yet.
    pub fn new(input: Input) -> Watch {
        Watch { input, known: Arc::default() }
    }

    /// Begins with what the book has of the file: its fingerprint and next byte. Gives the fingerprint.
    ///
    /// # Errors
    /// [`LinesError::Another`] and [`LinesError::Shorter`] when the book cannot go on with it.
    pub fn begin(&self, known: Option<(&str, i64)>) -> Result<String, LinesError> {
        let id = match known {
            Some((id, _)) => id.to_owned(),
            None if self.input.is_stream() => String::new(),
            None => fingerprint::of(&self.input, &self.input.open(0)?)?,
        };
        self.known.id.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&id);
        self.committed(known.map_or(0, |(_, next)| next));
        self.check()?;
        Ok(id)
    }

    /// Whether this is the file that the book has under another name: one that is there twice would count twice.
    ///
    /// # Errors
    /// [`LinesError::Io`].
    pub fn is_known_as(&self, name: &str, id: &str) -> Result<bool, LinesError> {
        match fingerprint::length(id) {
            // What came from a stream has no fingerprint.
            None => Ok(false),
            Some(_) if self.input.is_stream() => Ok(false),
            // It was empty, which tells nothing; the other name may.
            Some(0) => Ok(self.input.is_also(name)),
            Some(_) => Ok(fingerprint::again(&self.input, &self.input.open(0)?, id)? == id),
        }
    }

    /// Notes how far the book is.
    pub fn committed(&self, next: i64) {
        self.known.next.store(next, Ordering::Relaxed);
    }

    /// Whether the file is still the same and holds what is in the book.
    ///
    /// # Errors
    /// [`LinesError::Another`], [`LinesError::Shorter`].
    pub fn check(&self) -> Result<(), LinesError> {
        if self.input.is_stream() {
            return Ok(());
        }
        let expected = self.known.id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (end, next) = (self.input.size()?, self.known.next.load(Ordering::Relaxed));
        let path = || self.input.name().to_owned();
        if end < next {
            return Err(LinesError::Shorter { path: path(), end, next });
        }
        let found = fingerprint::again(&self.input, &self.input.open(0)?, &expected)?;
        if found != expected {
            return Err(LinesError::Another { path: path(), expected, found });
        }
        Ok(())
    }
}
