//! A file that is open at its end, and what its path has come to name meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::{Input, LinesError, fingerprint};

/// How often it is looked whether the file is still the one that its path names.
const LOOK: Duration = Duration::from_secs(1);

/// A file that is read, which may be written anew or replaced while there is nothing to read.
pub(super) struct Tail {
    input: Input,
    file: File,
    /// The fingerprint of bytes that were read: of as many as a fingerprint may have, from the first look on.
    id: String,
    /// When it was looked at last.
    looked: Option<Instant>,
}

impl Tail {
    /// Opens the file at a byte.
    pub(super) fn open(input: &Input, position: i64) -> Result<Tail, LinesError> {
        let file = input.open(position)?;
        let id = fingerprint::of_read(input, &file, position)?;
        Ok(Tail { input: input.clone(), file, id, looked: None })
    }

    /// Looks at the path, when there was nothing to read at `position`; opens what it names if that is another file with the
    /// same first bytes.
    ///
    /// # Errors
    /// [`LinesError::Shorter`], [`LinesError::Another`]: the rest will not come.
    pub(super) fn look(&mut self, position: i64) -> Result<(), LinesError> {
        let (path, end) = (self.input.name().to_owned(), self.input.size()?);
        if end < position {
            return Err(LinesError::Shorter { path, end, next: position });
        }
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.same(&self.file)?;
        // A fingerprint of few bytes fits many files: more of them were read by now.
        self.id = fingerprint::of_read(&self.input, &self.file, position)?;
        let named = self.input.open(position)?;
        self.same(&named)?;
        if self.place(&named)? != self.place(&self.file)? {
            self.file = named;
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// What no two files share that exist.
    fn place(&self, file: &File) -> Result<(u64, u64), LinesError> {
        let found = file.metadata().map_err(|source| self.input.failed("look at", source))?;
        Ok((found.dev(), found.ino()))
    }

    fn same(&self, file: &File) -> Result<(), LinesError> {
        let found = fingerprint::again(&self.input, file, &self.id)?;
        match found == self.id {
            true => Ok(()),
            false => Err(LinesError::Another { path: self.input.name().to_owned(), expected: self.id.clone(), found }),
        }
    }
}

impl Read for Tail {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A file with these bytes, open behind the first 5.
    fn tail(folder: &Path, text: &str) -> (Tail, PathBuf) {
        let path = folder.join("f");
        fs::write(&path, text).expect("a file can be written");
        let input = Input::look(&path).expect("it is there");
        (Tail::open(&input, 5).expect("it is there"), path)
    }

    #[test]
    fn what_takes_the_files_place_is_read_on_if_it_has_what_was_read() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (mut tail, path) = tail(folder.path(), "12345");
        let mut text = String::new();
        tail.read_to_string(&mut text).expect("a file can be read");
        tail.look(5).expect("it is the same");
        fs::remove_file(&path).expect("it is ours");
        fs::write(&path, "1234567").expect("a file can be written");
        tail.looked = None;
        tail.look(5).expect("it has the same beginning");
        tail.read_to_string(&mut text).expect("a file can be read");
        assert_eq!(text, "67");
    }

    #[test]
    fn another_file_is_told_even_if_nothing_was_known_of_it_at_first() {
        for in_place in [false, true] {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let path = folder.path().join("f");
            fs::write(&path, "").expect("a file can be written");
            let input = Input::look(&path).expect("it is there");
            let mut tail = Tail::open(&input, 0).expect("it is there");
            fs::write(&path, "12345").expect("a file can be written");
            tail.look(5).expect("it grew");
            if !in_place {
                fs::remove_file(&path).expect("it is ours");
            }
            fs::write(&path, "54321").expect("a file can be written");
            tail.look(5).expect("it was looked at just now");
            tail.looked = None;
            assert!(matches!(tail.look(5), Err(LinesError::Another { .. })), "in place: {in_place}");
            fs::write(&path, "5432").expect("a file can be written");
            assert!(matches!(tail.look(5), Err(LinesError::Shorter { end: 4, next: 5, .. })));
        }
    }
}
