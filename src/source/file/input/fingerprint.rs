//! What a file is recognized by: `sha256:<number of bytes>:<hexadecimal digest of that many first bytes>` of its text.
//!
//! A file that only grows keeps this fingerprint, and so does one that is compressed. One of few bytes fits many files, that of an
//! empty file fits all.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::Input;
use crate::source::file::FileError;

/// Bytes of a file that its fingerprint covers, if it has as many.
pub(super) const FINGERPRINT_BYTES: i64 = 4096;

impl Input {
    /// The fingerprint of the first bytes of a file's text, of at most `length`.
    pub(super) fn fingerprint(&self, file: &File, length: i64) -> Result<String, FileError> {
        let length = u64::try_from(length.clamp(0, FINGERPRINT_BYTES)).expect("a small number");
        let mut first = Vec::new();
        let read = self.text(FromStart { file, at: 0 })?.take(length).read_to_end(&mut first);
        let filled = read.map_err(|source| self.failed("read", source))?;
        let digest: String = Sha256::digest(&first).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("sha256:{filled}:{digest}"))
    }

    /// The fingerprint of as many bytes as `expected` covers: equal to it if the file is the same.
    pub(super) fn fingerprint_like(&self, file: &File, expected: &str) -> Result<String, FileError> {
        self.fingerprint(file, covered_bytes(expected).unwrap_or(FINGERPRINT_BYTES))
    }

    pub(super) fn check_same(&self, file: &File, expected: &str) -> Result<(), FileError> {
        let found = self.fingerprint_like(file, expected)?;
        match found == expected {
            true => Ok(()),
            false => Err(FileError::Another { path: self.name().to_owned(), expected: expected.to_owned(), found }),
        }
    }

    pub(super) fn check_size(&self, next: i64) -> Result<(), FileError> {
        let end = self.size()?;
        if end < next { Err(FileError::Shorter { path: self.name().to_owned(), end, next }) } else { Ok(()) }
    }
}

/// How many bytes a fingerprint covers; `None` for a text that is none.
pub(super) fn covered_bytes(fingerprint: &str) -> Option<i64> {
    fingerprint.strip_prefix("sha256:")?.split_once(':')?.0.parse().ok()
}

/// A file from its first byte, wherever it is being read.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
