//! What `--input` names: a file that can be read again, or a stream that comes once. Either may be compressed: what is read is its text.

use std::env;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use tracing::info;

use super::compression::{Compression, Damage, compression_of, text_of};
use super::stream_head::{Stream, StreamHead};
use crate::source::file::FileError;
use crate::source::file::form::FileForm;
use crate::source::file::look::{HEAD_BYTES, Unreadable, look};

/// How long a start waits for the first bytes of a stream, to refuse it before a book is made.
const STREAM_HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const UNPACK_BY_DICTIONARY: &str = "unpack it with that: zstd -d -c -D DICTIONARY FILE | walbook run BOOK --input -";

/// A file, or a stream: standard input, a pipe, a device.
#[derive(Clone, Debug)]
pub struct Input {
    path: PathBuf,
    name: String,
    is_stream: bool,
    /// How a file is compressed; what a stream is shows when it is read.
    compression: Option<Compression>,
    /// Of a compressed file; clones share it.
    measured: Arc<Mutex<Option<Measured>>>,
    /// Where transactions are kept that are too large for memory.
    spill_folder: PathBuf,
    /// The first bytes of a stream.
    stream_head: StreamHead,
}

/// A compressed file that was read to its end.
#[derive(Clone, Copy, Debug)]
struct Measured {
    file_bytes: u64,
    text_bytes: i64,
}

impl Input {
    /// The input that a path names; `-` is standard input.
    ///
    /// # Errors
    /// [`FileError::NoInput`] where there is nothing, or a directory; [`FileError::Io`].
    pub fn look(path: &Path) -> Result<Input, FileError> {
        let no_input =
            |message: &str| FileError::NoInput { path: path.display().to_string(), message: message.to_owned() };
        // It names the topic in the book, which is text.
        let name = path.to_str().ok_or_else(|| no_input("the name is not UTF-8: rename the file"))?.to_owned();
        if name.is_empty() {
            return Err(no_input("name a file, or - for standard input"));
        }
        let mut input = Input {
            path: path.to_owned(),
            name,
            is_stream: true,
            compression: None,
            measured: Arc::default(),
            spill_folder: env::temp_dir(),
            stream_head: StreamHead::default(),
        };
        if input.name == "-" {
            return Ok(Input { path: PathBuf::from("/dev/stdin"), ..input });
        }
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(no_input("there is no such file"));
            }
            Err(source) => return Err(input.failed("look at", source)),
        };
        if found.is_dir() {
            return Err(no_input("it is a directory: name a file"));
        }
        if found.is_file() {
            input.is_stream = false;
            let (_, compression) =
                compression_of(&mut input.open(0)?).map_err(|source| input.failed("read", source))?;
            input.compression = compression;
        }
        Ok(input)
    }

    /// Sets the folder for transactions that are too large for memory, instead of the system's for temporary files.
    pub fn spilling_to(mut self, folder: &Path) -> Input {
        self.spill_folder = folder.to_owned();
        self
    }

    pub(in crate::source::file) fn spill_folder(&self) -> &Path {
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

    /// Refuses to wait for more of a file that cannot grow.
    ///
    /// # Errors
    /// [`FileError::CannotFollow`] for a compressed file.
    pub fn check_followable(&self) -> Result<(), FileError> {
        match self.compression {
            Some(compression) => {
                Err(FileError::CannotFollow { path: self.name.clone(), compression: compression.name() })
            }
            None => Ok(()),
        }
    }

    /// The size of the file's text now, in bytes. A compressed file is read to its end the first time; what it has more since then is the next run's.
    ///
    /// # Errors
    /// [`FileError::Io`]; of a compressed file [`FileError::Damaged`] if it is not whole, [`FileError::Cut`] if it became shorter.
    pub fn size(&self) -> Result<i64, FileError> {
        let file_bytes = self.metadata()?.len();
        let Some(compression) = self.compression else { return Ok(i64::try_from(file_bytes).unwrap_or(i64::MAX)) };
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        match &*measured {
            Some(Measured { file_bytes: before, .. }) if file_bytes < *before => {
                Err(FileError::Cut { path: self.name.clone(), bytes: file_bytes, before: *before })
            }
            Some(known) => Ok(known.text_bytes),
            None => {
                let (input, name) = (&self.name, compression.name());
                info!(input, "it is compressed by {name}: reading it to its end once, to see that it is whole");
                let copied = io::copy(&mut self.text(self.open(0)?)?, &mut io::sink());
                let text_bytes = copied.map_err(|source| self.failed("read", source))?;
                let text_bytes = i64::try_from(text_bytes).unwrap_or(i64::MAX);
                *measured = Some(Measured { file_bytes, text_bytes });
                Ok(text_bytes)
            }
        }
    }

    /// The size of the file's text as far as it is known without reading: of a compressed file what it had when it was measured.
    pub(in crate::source::file) fn known_size(&self) -> Result<Option<i64>, FileError> {
        if self.compression.is_none() {
            return self.size().map(Some);
        }
        // Another thread reads the file to its end while it holds the lock.
        Ok(self.measured.try_lock().ok().and_then(|measured| measured.map(|known| known.text_bytes)))
    }

    /// When its content was written, in microseconds since 1970-01-01 UTC: a file's time of modification, of a stream now.
    pub(in crate::source::file) fn time(&self) -> i64 {
        let modified = if self.is_stream { None } else { self.metadata().ok().and_then(|found| found.modified().ok()) };
        let since = modified.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    /// That instant in words.
    pub(in crate::source::file) fn describe(&self, time: i64) -> String {
        let instant = DateTime::from_timestamp_micros(time).unwrap_or_default();
        let what = if self.is_stream { "this run began" } else { "the file was modified last" };
        format!("{}, when {what}", instant.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// Opens the file at a byte, which is one of its text unless it is compressed.
    pub(super) fn open(&self, offset: i64) -> Result<File, FileError> {
        let mut file = File::open(&self.path).map_err(|source| self.failed("open", source))?;
        let offset = u64::try_from(offset).expect("offsets are not negative");
        file.seek(SeekFrom::Start(offset)).map_err(|source| self.failed("read", source))?;
        Ok(file)
    }

    /// The text of bytes of the file from its first one.
    pub(super) fn text<'a>(&self, bytes: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>, FileError> {
        match self.compression {
            Some(compression) => compression.text(bytes).map_err(|source| self.failed("read", source)),
            None => Ok(Box::new(bytes)),
        }
    }

    /// The text of a compressed file from a byte of it; `None` if the file is not compressed.
    pub(in crate::source::file) fn compressed_text(&self, offset: i64) -> Result<Option<Stream>, FileError> {
        if self.compression.is_none() {
            return Ok(None);
        }
        let mut text = self.text(self.open(0)?)?;
        let before = u64::try_from(offset).expect("offsets are not negative");
        let passed = io::copy(&mut (&mut text).take(before), &mut io::sink());
        let passed = passed.map_err(|source| self.failed("read", source))?;
        if passed < before {
            return Err(FileError::Shorter { path: self.name.clone(), end: passed.cast_signed(), next: offset });
        }
        Ok(Some(text))
    }

    /// Opens the stream. May wait until another process writes to it.
    pub(in crate::source::file) fn open_stream(&self) -> Result<Stream, FileError> {
        self.stream_head.take(self.opener()).map_err(|source| self.failed("open", source))
    }

    fn opener(&self) -> impl FnOnce() -> io::Result<Stream> + Send + 'static {
        let (path, is_stdin) = (self.path.clone(), self.name == "-");
        move || text_of(if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path)?) })
    }

    /// Refuses an input whose first bytes show that it cannot be read. Waits a moment for those of a stream.
    ///
    /// # Errors
    /// [`FileError::OtherForm`] with what it is and what would help; [`FileError::Io`].
    pub fn check_form(&self) -> Result<(), FileError> {
        if !self.is_stream {
            return self.form()?.map(drop).map_err(|unreadable| self.other_form(unreadable));
        }
        match self.stream_head.wait(self.opener(), STREAM_HEAD_TIMEOUT) {
            Some(Ok((head, is_all))) => {
                look(&head, is_all).map_or(Ok(()), |form| form.map(drop).map_err(|it| self.other_form(it)))
            }
            Some(Err(source)) => Err(self.failed("open", source)),
            None => Ok(()),
        }
    }

    /// How the records of a file are split of which an earlier run has read the beginning.
    pub(in crate::source::file) fn known_form(&self) -> Result<FileForm, FileError> {
        Ok(self.form()?.unwrap_or_else(Unreadable::form_of_rest))
    }

    /// How the records of a file are split, by its first bytes.
    fn form(&self) -> Result<Result<FileForm, Unreadable>, FileError> {
        let mut head = Vec::new();
        let read = self.text(self.open(0)?)?.take(HEAD_BYTES as u64).read_to_end(&mut head);
        read.map_err(|source| self.failed("read", source))?;
        Ok(look(&head, true).unwrap_or(Ok(FileForm::Lines)))
    }

    pub(in crate::source::file) fn other_form(&self, Unreadable { what, help }: Unreadable) -> FileError {
        FileError::OtherForm { path: self.name.clone(), what, help }
    }

    /// An error of the system, with what was tried, or the damage of a compressed input.
    pub(in crate::source::file) fn failed(&self, tried: &'static str, source: io::Error) -> FileError {
        let path = self.name.clone();
        match source.downcast::<Damage>() {
            Ok(damage) if damage.is_of_dictionary() => {
                self.other_form(Unreadable { what: "compressed by zstd with a dictionary", help: UNPACK_BY_DICTIONARY })
            }
            Ok(damage) => FileError::Damaged { path, damage, next: 0, is_stream: self.is_stream },
            Err(source) => FileError::Io { tried, path, source },
        }
    }

    pub(super) fn metadata(&self) -> Result<Metadata, FileError> {
        fs::metadata(&self.path).map_err(|source| self.failed("look at", source))
    }
}

/// Whether both are the same file at this moment.
pub(super) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
