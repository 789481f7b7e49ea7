//! By what a file is known again: `sha256:<number of bytes>:<hexadecimal digest of so many first bytes>`.
//!
//! A file that only grows keeps it. The fewer bytes there were, the less it tells: an empty file's fits every file.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::{Input, LinesError};

/// Bytes that are looked at.
const LENGTH: u64 = 4096;

/// The fingerprint of a file as it is.
pub(super) fn of(input: &Input) -> Result<String, LinesError> {
    of_first(input, LENGTH)
}

/// The fingerprint that a file has now where `known` is that of its first bytes; different if it is another file.
pub(super) fn again(input: &Input, known: &str) -> Result<String, LinesError> {
    let length = known.split(':').nth(1).and_then(|length| length.parse().ok());
    of_first(input, length.unwrap_or(LENGTH))
}

fn of_first(input: &Input, length: u64) -> Result<String, LinesError> {
    let mut first = Vec::new();
    input.open(0)?.take(length).read_to_end(&mut first).map_err(|source| input.failed("read", source))?;
    let digest: String = Sha256::digest(&first).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{}:{digest}", first.len()))
}
