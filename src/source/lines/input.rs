//! What `--input` names: a file that can be read again, or a stream that comes once.

use std::env;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

use super::LinesError;

/// A file, or a stream: standard input, a pipe, a device.
#[derive(Clone, Debug)]
pub struct Input {
    path: PathBuf,
    name: String,
    is_stream: bool,
    /// Where transactions wait for their COMMIT that are too large for memory.
    spill_folder: PathBuf,
}

impl Input {
    /// Looks at what a path names; `-` is standard input.
    ///
    /// # Errors
    /// [`LinesError::NoInput`] where there is nothing, or a directory; [`LinesError::Io`].
    pub fn look(path: &Path) -> Result<Input, LinesError> {
        let spill_folder = env::temp_dir();
        let no_input =
            |message: &str| LinesError::NoInput { path: path.display().to_string(), message: message.to_owned() };
        // It names the topic in the book, which is text.
        let name = path.to_str().ok_or_else(|| no_input("the name is not UTF-8: rename the file"))?.to_owned();
        if name.is_empty() {
            return Err(no_input("name a file, or - for standard input"));
        }
        if name == "-" {
            return Ok(Input { path: PathBuf::from("/dev/stdin"), name, is_stream: true, spill_folder });
        }
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(no_input("there is no such file"));
            }
            Err(source) => return Err(LinesError::Io { tried: "look at", path: name, source }),
        };
        if found.is_dir() {
            return Err(no_input("it is a directory: name a file"));
        }
        Ok(Input { path: path.to_owned(), name, is_stream: !found.is_file(), spill_folder })
    }

    /// Names another folder for transactions that are too large for memory; by itself it is the system's for temporary files.
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

    /// Whether what it gives comes only once.
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// The file's size now, in bytes.
    ///
    /// # Errors
    /// [`LinesError::Io`].
    pub fn size(&self) -> Result<i64, LinesError> {
        Ok(i64::try_from(self.metadata()?.len()).unwrap_or(i64::MAX))
    }

    /// Whether this other name leads to the same file now.
    pub(super) fn is_also(&self, name: &str) -> bool {
        let place = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        place(&self.path).is_some_and(|found| place(Path::new(name)) == Some(found))
    }

    /// When its content came to be, in microseconds since 1970-01-01 UTC: a file's time of modification, of a stream now.
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
    pub(super) fn open(&self, offset: i64) -> Result<File, LinesError> {
        let mut file = File::open(&self.path).map_err(|source| self.failed("open", source))?;
        let offset = u64::try_from(offset).expect("offsets are not negative");
        file.seek(SeekFrom::Start(offset)).map_err(|source| self.failed("read", source))?;
        Ok(file)
    }

    /// Opens the stream. May wait until somebody writes to it.
    pub(super) fn open_stream(&self) -> Result<Box<dyn Read + Send>, LinesError> {
        if self.name == "-" {
            return Ok(Box::new(io::stdin()));
        }
        Ok(Box::new(File::open(&self.path).map_err(|source| self.failed("open", source))?))
    }

    /// An error of the system, with what it was about.
    pub(super) fn failed(&self, tried: &'static str, source: io::Error) -> LinesError {
        LinesError::Io { tried, path: self.name.clone(), source }
    }

    fn metadata(&self) -> Result<Metadata, LinesError> {
        fs::metadata(&self.path).map_err(|source| self.failed("look at", source))
    }
}
