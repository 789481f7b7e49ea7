//! Whether a file is still the one that the book was made from, and holds all that was read of it.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fingerprint::{FINGERPRINT_BYTES, covered_bytes};
use super::{Input, is_same_file};
use crate::source::file::FileError;

/// Checks for the leader that a file is still the one that was read, and holds all of that; clones check the same. A stream
/// always passes.
#[derive(Clone)]
pub struct InputCheck {
    input: Input,
    /// The fingerprint, and the first byte that is not in the book.
    expected: Arc<Mutex<(String, i64)>>,
}

impl InputCheck {
    /// A check that expects nothing yet.
    pub fn new(input: Input) -> InputCheck {
        InputCheck { input, expected: Arc::default() }
    }

    /// Expects what the book has of the file, its fingerprint and next byte, or the file as it is. Returns the fingerprint.
    ///
    /// # Errors
    /// [`FileError::Another`] and [`FileError::Shorter`] when the book cannot be continued with it.
    pub fn begin(&self, known: Option<(&str, i64)>) -> Result<String, FileError> {
        let fingerprint = match known {
            Some((fingerprint, _)) => fingerprint.to_owned(),
            None if self.input.is_stream() => String::new(),
            None => self.input.fingerprint(&self.input.open(0)?, FINGERPRINT_BYTES)?,
        };
        *self.expected() = (fingerprint.clone(), known.map_or(0, |(_, next)| next));
        self.check()?;
        Ok(fingerprint)
    }

    /// Whether this is the file that the book has under another name: its records would count twice.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn is_known_as(&self, name: &str, fingerprint: &str) -> Result<bool, FileError> {
        match covered_bytes(fingerprint) {
            // What came from a stream has no fingerprint.
            None => Ok(false),
            Some(_) if self.input.is_stream() => Ok(false),
            // Every file matches the fingerprint of an empty one; the other path may decide.
            Some(0) => {
                let other = fs::metadata(name);
                Ok(other.is_ok_and(|other| self.input.metadata().is_ok_and(|own| is_same_file(&own, &other))))
            }
            Some(_) => Ok(self.input.fingerprint_like(&self.input.open(0)?, fingerprint)? == fingerprint),
        }
    }

    /// Notes the first byte that is not in the book.
    pub fn committed(&self, next: i64) {
        self.expected().1 = next;
    }

    /// Whether the file is still the same and holds what is in the book.
    ///
    /// # Errors
    /// [`FileError::Another`], [`FileError::Shorter`].
    pub fn check(&self) -> Result<(), FileError> {
        if self.input.is_stream() {
            return Ok(());
        }
        let (fingerprint, next) = self.expected().clone();
        let checked = self.input.check_size(next);
        checked
            .and_then(|()| self.input.check_same(&self.input.open(0)?, &fingerprint))
            .map_err(|error| error.behind(next))
    }

    fn expected(&self) -> MutexGuard<'_, (String, i64)> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::compression::tests::gzip;
    use super::*;

    #[test]
    fn a_compressed_file_that_shrank_is_an_error_by_its_bytes_alone() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        let long = gzip(&(0..9000).map(|number| format!("{number}\n")).collect::<String>().into_bytes());
        fs::write(&path, &long).expect("a file can be written");
        let input = Input::look(&path).expect("it exists");
        let check = InputCheck::new(input.clone());
        assert!(matches!(input.known_size(), Ok(None)), "it was not read yet");
        check.begin(None).expect("it is whole");
        let size = input.known_size().expect("it exists");
        assert!(size.is_some_and(|size| size > 9000), "{size:?}");
        // A whole one, so that only its length shows that it is not the same.
        fs::write(&path, gzip(b"0\n")).expect("a file can be written");
        assert!(matches!(check.check(), Err(FileError::Cut { before, .. }) if before == long.len() as u64));
        assert_eq!(input.known_size().expect("it exists"), size);
    }

    #[test]
    fn damage_says_what_is_in_the_book() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        let bytes = gzip(b"BEGIN 5\nCOMMIT 5\n");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("a file can be written");
        let fingerprint = "sha256:0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (next, words) in [(0, "nothing of it was read"), (8, "everything before byte 8 is in the book")] {
            let check = InputCheck::new(Input::look(&path).expect("it exists"));
            let error = check.begin(Some((fingerprint, next))).expect_err("it is damaged").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
