//! Reading the commit log without writing to it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ReadError;
use super::entry::Entry;

/// The version of an entry's form that this program reads.
const FORMAT: u32 = 1;

/// An entry as it stands on disk.
#[derive(Clone, Debug)]
pub(crate) struct StoredEntry {
    /// What it says.
    pub(crate) entry: Entry,
    /// The digest of its first line: the next entry's `previous`.
    pub(crate) digest: String,
}

impl StoredEntry {
    /// Whether it can stand directly after `before`.
    pub(crate) fn follows(&self, before: &StoredEntry) -> bool {
        self.entry.previous == before.digest
            && self.entry.book == before.entry.book
            && self.entry.settings == before.entry.settings
    }
}

/// Where entry `number` stands.
pub(crate) fn entry_path(root: &Path, number: u64) -> PathBuf {
    log_folder(root).join(format!("{number:020}.json"))
}

/// The folder of the log.
pub(crate) fn log_folder(root: &Path) -> PathBuf {
    root.join("_walbook/log")
}

/// The entry's number, if the name is exactly that of an entry.
pub(crate) fn entry_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Reads entry `number`; `None` when there is none.
///
/// # Errors
/// [`ReadError::Damaged`] when it is not what was written: digest, form, number.
pub(crate) fn read_entry(root: &Path, number: u64) -> Result<Option<StoredEntry>, ReadError> {
    let path = entry_path(root, number);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ReadError::io(path)(error)),
    };
    parse_entry(&bytes, number).map(Some).map_err(|what| ReadError::damaged(path, what))
}

fn parse_entry(bytes: &[u8], number: u64) -> Result<StoredEntry, String> {
    #[derive(Deserialize)]
    struct Seal {
        sha256: String,
    }

    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return Err("it does not have two lines".to_owned());
    };
    let seal: Seal = serde_json::from_slice(second).map_err(|error| format!("its digest line is unreadable: {error}"))?;
    let digest = hex(&Sha256::digest(first));
    if seal.sha256 != digest {
        return Err(format!("its digest is {digest}, it says {}", seal.sha256));
    }
    let entry: Entry = serde_json::from_slice(first).map_err(|error| format!("it cannot be understood: {error}"))?;
    if entry.format != FORMAT {
        return Err(format!("it has format version {}, this program reads {FORMAT}", entry.format));
    }
    if entry.entry != number {
        return Err(format!("it says that it is entry {}", entry.entry));
    }
    Ok(StoredEntry { entry, digest })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
