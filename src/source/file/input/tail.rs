//! A file that is followed while another process writes to it.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::{Input, is_same_file};
use crate::source::file::FileError;

/// How often an [`InputTail`] checks whether its path still names the same file.
const TAIL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file that is being read, and may be written anew or replaced meanwhile.
pub(in crate::source::file) struct InputTail {
    input: Input,
    file: File,
    /// The fingerprint of bytes that were read.
    fingerprint: String,
    checked: Option<Instant>,
}

impl InputTail {
    /// Opens the file at a byte.
    pub(in crate::source::file) fn open(input: &Input, position: i64) -> Result<InputTail, FileError> {
        let file = input.open(position)?;
        let fingerprint = input.fingerprint(&file, position)?;
        Ok(InputTail { input: input.clone(), file, fingerprint, checked: None })
    }

    /// Checks the path when there was nothing to read at `position`. If it names another file with the same first bytes,
    /// reading continues there.
    ///
    /// # Errors
    /// [`FileError::Shorter`], [`FileError::Another`]: the rest will not come.
    pub(in crate::source::file) fn check(&mut self, position: i64) -> Result<(), FileError> {
        self.input.check_size(position)?;
        if self.checked.is_some_and(|checked| checked.elapsed() < TAIL_CHECK_INTERVAL) {
            return Ok(());
        }
        self.input.check_same(&self.file, &self.fingerprint)?;
        // More bytes were read by now, and a fingerprint of few bytes fits many files.
        self.fingerprint = self.input.fingerprint(&self.file, position)?;
        let named = self.input.open(position)?;
        self.input.check_same(&named, &self.fingerprint)?;
        let metadata = |file: &File| file.metadata().map_err(|source| self.input.failed("look at", source));
        if !is_same_file(&metadata(&named)?, &metadata(&self.file)?) {
            self.file = named;
        }
        self.checked = Some(Instant::now());
        Ok(())
    }
}

impl Read for InputTail {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_replaces_another_is_read_from_there_on_if_it_has_the_same_beginning() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        fs::write(&path, "12345").expect("a file can be written");
        let input = Input::look(&path).expect("it exists");
        let mut tail = InputTail::open(&input, 5).expect("it exists");
        let mut text = String::new();
        tail.read_to_string(&mut text).expect("a file can be read");
        tail.check(5).expect("it is the same");
        fs::remove_file(&path).expect("it is ours");
        fs::write(&path, "1234567").expect("a file can be written");
        tail.checked = None;
        tail.check(5).expect("it has the same beginning");
        tail.read_to_string(&mut text).expect("a file can be read");
        assert_eq!(text, "67");
    }

    #[test]
    fn another_file_is_an_error_even_if_the_first_one_was_empty_when_it_was_opened() {
        for in_place in [false, true] {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let path = folder.path().join("f");
            fs::write(&path, "").expect("a file can be written");
            let input = Input::look(&path).expect("it exists");
            let mut tail = InputTail::open(&input, 0).expect("it exists");
            fs::write(&path, "12345").expect("a file can be written");
            tail.check(5).expect("it grew");
            if !in_place {
                fs::remove_file(&path).expect("it is ours");
            }
            fs::write(&path, "54321").expect("a file can be written");
            tail.check(5).expect("it was checked just now");
            tail.checked = None;
            assert!(matches!(tail.check(5), Err(FileError::Another { .. })), "in place: {in_place}");
            fs::write(&path, "5432").expect("a file can be written");
            assert!(matches!(tail.check(5), Err(FileError::Shorter { end: 4, next: 5, .. })));
        }
    }
}
