//! By what a file is known again: `sha256:<number of bytes>:<hexadecimal digest of so many first bytes>`.
//!
//! A file that only grows keeps it. The fewer bytes there were, the less it tells: an empty file's fits every file.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::{Input, LinesError};

/// Bytes that are looked at.
const LENGTH: i64 = 4096;

/// The fingerprint of a file as it is.
pub(super) fn of(input: &Input, file: &File) -> Result<String, LinesError> {
    of_read(input, file, LENGTH)
}

/// The fingerprint of a file as far as it was read.
pub(super) fn of_read(input: &Input, file: &File, read: i64) -> Result<String, LinesError> {
    let mut first = vec![0; usize::try_from(read.clamp(0, LENGTH)).expect("a small number")];
    let mut length = 0;
    while length < first.len() {
        match file.read_at(&mut first[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(input.failed("read", source)),
        }
    }
    let digest: String = Sha256::digest(&first[..length]).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{length}:{digest}"))
}

/// The fingerprint that a file has now where `known` is that of its first bytes; different if it is another file.
pub(super) fn again(input: &Input, file: &File, known: &str) -> Result<String, LinesError> {
    of_read(input, file, length(known).unwrap_or(LENGTH))
}

/// How many bytes a fingerprint tells of; `None` for what is none.
pub(super) fn length(known: &str) -> Option<i64> {
    known.strip_prefix("sha256:")?.split_once(':')?.0.parse().ok()
}
