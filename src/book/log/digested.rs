//! A JSON object that carries its own digest: the form of log entries, checkpoints, bases and manifests.
//!
//! Two lines: the object, then `{"sha256":"<hex digest of the first line without its line end>"}`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::book::BookError;

/// The version of the form of log entries and checkpoints (docs/compatibility.md).
pub const FORMAT: u32 = 1;
/// That of entries that say something of views, and of checkpoints of books with views: versions that know none stop at them.
pub(in crate::book) const FORMAT_OF_VIEWS: u32 = 2;
/// That of entries that merge files, and of checkpoints of books with such entries.
pub(in crate::book) const FORMAT_OF_COMPACTION: u32 = 3;
/// That of bases and their manifests, and of checkpoints of books whose oldest entries were swept or may be.
pub(in crate::book) const FORMAT_OF_SWEEP: u32 = 4;
/// That of entries that prune, and of checkpoints of books with such entries: both came with one version.
pub(in crate::book) const FORMAT_OF_PRUNING: u32 = FORMAT_OF_SWEEP;
/// The newest of these.
const NEWEST: u32 = FORMAT_OF_SWEEP;

/// The bytes of the file, and the digest they carry.
pub(in crate::book) fn write<T: Serialize>(object: &T) -> (Vec<u8>, String) {
    let line = serde_json::to_string(object).expect("maps with text keys and plain fields always print");
    let digest = digest(line.as_bytes());
    (format!("{line}\n{}", second_line(&digest)).into_bytes(), digest)
}

/// Reads the bytes of `path` back: the object and its digest.
///
/// # Errors
/// [`BookError::Damaged`] for any byte that is not as written, [`BookError::UnknownFormat`] when it is whole but of another format.
pub(in crate::book) fn read<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<(T, String), BookError> {
    let damaged = |reason: String| BookError::Damaged { path: path.to_owned(), reason };
    let (line, digest) = first_line(path, bytes)?;
    #[derive(serde::Deserialize)]
    struct Version {
        format: u64,
    }
    // Read the version alone: the rest of a newer form may have any shape.
    let version: Version = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
    if !(u64::from(FORMAT)..=u64::from(NEWEST)).contains(&version.format) {
        return Err(BookError::UnknownFormat { path: path.to_owned(), format: version.format, known: NEWEST });
    }
    let object = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
    Ok((object, digest))
}

/// The first line of `path`, and its digest, which is that of the second line.
///
/// # Errors
/// [`BookError::Damaged`] for any byte that is not as written.
pub(in crate::book) fn first_line<'a>(path: &str, bytes: &'a [u8]) -> Result<(&'a [u8], String), BookError> {
    let damaged = |reason: String| BookError::Damaged { path: path.to_owned(), reason };
    let end = memchr::memchr(b'\n', bytes).ok_or_else(|| damaged("it has no second line".into()))?;
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    let digest = digest(line);
    if rest != second_line(&digest).as_bytes() {
        return Err(damaged(format!("its first line has digest {digest}, its second line has another")));
    }
    Ok((line, digest))
}

/// Adds the second line that belongs to a first one, so that the fuzzer reaches what is behind the digest.
#[cfg(feature = "fuzzing")]
pub(in crate::book) fn with_digest(line: &[u8]) -> Vec<u8> {
    [line, b"\n", second_line(&digest(line)).as_bytes()].concat()
}

/// SHA-256 in hexadecimal.
pub(in crate::book) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn second_line(digest: &str) -> String {
    format!("{{\"sha256\":\"{digest}\"}}\n")
}
