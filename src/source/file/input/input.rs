//! What `--input` names: a file that can be read again, or a stream that comes once; and whether a file is still the same.
//!
//! A file is recognized by `sha256:<number of bytes>:<hexadecimal digest of that many first bytes>`. A file that only grows
//! keeps this fingerprint. One of few bytes fits many files, that of an empty file fits all.

use std::env;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use sha2::{Digest, Sha256};

use super::FileError;
use super::form::FileForm;
use super::look::{HEAD_BYTES, Unreadable, look};
use super::stream_head::StreamHead;

/// Bytes of a file that its fingerprint covers, if it has as many.
const FINGERPRINT_BYTES: i64 = 4096;
/// How long a start waits for the first bytes of a stream, to refuse it before a book is made.
const STREAM_HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// How often an [`InputTail`] checks whether its path still names the same file.
const TAIL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file, or a stream: standard input, a pipe, a device.
#[derive(Clone, Debug)]
pub struct Input {
    path: PathBuf,
    name: String,
    is_stream: bool,
    /// Where transactions are kept that are too large for memory.
    spill_folder: PathBuf,
    /// The first bytes of a stream.
    stream_head: StreamHead,
}

impl Input {
    /// The input that a path names; `-` is standard input.
    ///
    /// # Errors
    /// [`FileError::NoInput`] where there is nothing, or a directory; [`FileError::Io`].
    pub fn look(path: &Path) -> Result<Input, FileError> {
        let spill_folder = env::temp_dir();
        let no_input =
            |message: &str| FileError::NoInput { path: path.display().to_string(), message: message.to_owned() };
        // It names the topic in the book, which is text.
        let name = path.to_str().ok_or_else(|| no_input("the name is not UTF-8: rename the file"))?.to_owned();
        if name.is_empty() {
            return Err(no_input("name a file, or - for standard input"));
        }
        if name == "-" {
            return Ok(Input {
                path: PathBuf::from("/dev/stdin"),
                name,
                is_stream: true,
                spill_folder,
                stream_head: StreamHead::default(),
            });
        }
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(no_input("there is no such file"));
            }
            Err(source) => return Err(FileError::Io { tried: "look at", path: name, source }),
        };
        if found.is_dir() {
            return Err(no_input("it is a directory: name a file"));
        }
        Ok(Input {
            path: path.to_owned(),
            name,
            is_stream: !found.is_file(),
            spill_folder,
            stream_head: StreamHead::default(),
        })
    }

    /// Sets the folder for transactions that are too large for memory, instead of the system's for temporary files.
    pub fn spilling_to(mut self, folder: &Path) -> Input {
        self.spill_folder = folder.to_owned();
        self
    }

    pub(super) fn spill_folder(&self) -> &Path {
        &self.spill_folder
    }

    /// The name as it was typed: the topic's name in the book.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can be read only once.
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// The file's size now, in bytes.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn size(&self) -> Result<i64, FileError> {
        Ok(i64::try_from(self.metadata()?.len()).unwrap_or(i64::MAX))
    }

    /// When its content was written, in microseconds since 1970-01-01 UTC: a file's time of modification, of a stream now.
    pub(super) fn time(&self) -> i64 {
        let modified = if self.is_stream { None } else { self.metadata().ok().and_then(|found| found.modified().ok()) };
        let since = modified.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    /// That instant in words.
    pub(super) fn describe(&self, time: i64) -> String {
        let instant = DateTime::from_timestamp_micros(time).unwrap_or_default();
        let what = if self.is_stream { "this run began" } else { "the file was modified last" };
        format!("{}, when {what}", instant.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// Opens the file at a byte.
    pub(super) fn open(&self, offset: i64) -> Result<File, FileError> {
        let mut file = File::open(&self.path).map_err(|source| self.failed("open", source))?;
        let offset = u64::try_from(offset).expect("offsets are not negative");
        file.seek(SeekFrom::Start(offset)).map_err(|source| self.failed("read", source))?;
        Ok(file)
    }

    /// Opens the stream. May wait until another process writes to it.
    pub(super) fn open_stream(&self) -> Result<Box<dyn Read + Send>, FileError> {
        self.stream_head.take(self.opener()).map_err(|source| self.failed("open", source))
    }

    fn opener(&self) -> impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static {
        let (path, is_stdin) = (self.path.clone(), self.name == "-");
        move || if is_stdin { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
    }

    /// Refuses an input whose first bytes show that it cannot be read. Waits a moment for those of a stream.
    ///
    /// # Errors
    /// [`FileError::OtherForm`] with what it is and what would help; [`FileError::Io`].
    pub fn check_form(&self) -> Result<(), FileError> {
        if !self.is_stream {
            return self.form().map(drop);
        }
        match self.stream_head.wait(self.opener(), STREAM_HEAD_TIMEOUT) {
            Some((head, is_all)) => {
                look(&head, is_all).map_or(Ok(()), |form| form.map(drop).map_err(|it| self.other_form(it)))
            }
            None => Ok(()),
        }
    }

    /// How the records of a file are split of which an earlier run has read the beginning.
    pub(super) fn known_form(&self) -> Result<FileForm, FileError> {
        match self.form() {
            Err(FileError::OtherForm { .. }) => Ok(FileForm::Lines),
            form => form,
        }
    }

    /// How the records of a file are split, by its first bytes.
    fn form(&self) -> Result<FileForm, FileError> {
        let mut head = Vec::new();
        let read = self.open(0)?.take(HEAD_BYTES as u64).read_to_end(&mut head);
        read.map_err(|source| self.failed("read", source))?;
        look(&head, true).unwrap_or(Ok(FileForm::Lines)).map_err(|unreadable| self.other_form(unreadable))
    }

    pub(super) fn other_form(&self, Unreadable { what, help }: Unreadable) -> FileError {
        FileError::OtherForm { path: self.name.clone(), what, help }
    }

    /// An error of the system, with what was tried.
    pub(super) fn failed(&self, tried: &'static str, source: io::Error) -> FileError {
        FileError::Io { tried, path: self.name.clone(), source }
    }

    fn metadata(&self) -> Result<Metadata, FileError> {
        fs::metadata(&self.path).map_err(|source| self.failed("look at", source))
    }

    /// The fingerprint of a file's first bytes, of at most `length`.
    fn fingerprint(&self, file: &File, length: i64) -> Result<String, FileError> {
        let mut first = vec![0; usize::try_from(length.clamp(0, FINGERPRINT_BYTES)).expect("a small number")];
        let mut filled = 0;
        while filled < first.len() {
            match file.read_at(&mut first[filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed("read", source)),
            }
        }
        let digest: String = Sha256::digest(&first[..filled]).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("sha256:{filled}:{digest}"))
    }

    /// The fingerprint of as many bytes as `expected` covers: equal to it if the file is the same.
    fn fingerprint_like(&self, file: &File, expected: &str) -> Result<String, FileError> {
        self.fingerprint(file, covered_bytes(expected).unwrap_or(FINGERPRINT_BYTES))
    }

    fn check_same(&self, file: &File, expected: &str) -> Result<(), FileError> {
        let found = self.fingerprint_like(file, expected)?;
        match found == expected {
            true => Ok(()),
            false => Err(FileError::Another { path: self.name.clone(), expected: expected.to_owned(), found }),
        }
    }

    fn check_size(&self, next: i64) -> Result<(), FileError> {
        let end = self.size()?;
        if end < next { Err(FileError::Shorter { path: self.name.clone(), end, next }) } else { Ok(()) }
    }
}

/// How many bytes a fingerprint covers; `None` for a text that is none.
fn covered_bytes(fingerprint: &str) -> Option<i64> {
    fingerprint.strip_prefix("sha256:")?.split_once(':')?.0.parse().ok()
}

/// Whether both are the same file at this moment.
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

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
                Ok(other.is_ok_and(|other| fs::metadata(&self.input.path).is_ok_and(|own| is_same_file(&own, &other))))
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
        self.input.check_size(next)?;
        self.input.check_same(&self.input.open(0)?, &fingerprint)
    }

    fn expected(&self) -> MutexGuard<'_, (String, i64)> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is being read, and may be written anew or replaced meanwhile.
pub(super) struct InputTail {
    input: Input,
    file: File,
    /// The fingerprint of bytes that were read.
    fingerprint: String,
    checked: Option<Instant>,
}

impl InputTail {
    /// Opens the file at a byte.
    pub(super) fn open(input: &Input, position: i64) -> Result<InputTail, FileError> {
        let file = input.open(position)?;
        let fingerprint = input.fingerprint(&file, position)?;
        Ok(InputTail { input: input.clone(), file, fingerprint, checked: None })
    }

    /// Checks the path when there was nothing to read at `position`. If it names another file with the same first bytes,
    /// reading continues there.
    ///
    /// # Errors
    /// [`FileError::Shorter`], [`FileError::Another`]: the rest will not come.
    pub(super) fn check(&mut self, position: i64) -> Result<(), FileError> {
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
