//! Whether a file of rows is, byte for byte, the one that an entry names.
//!
//! Parquet's pages carry no checksums, and its decoder trusts lengths and statistics: a flipped byte would be shown as
//! another row, or end the process. So a file is compared before it is decoded.

use std::hash::Hasher;
use std::io::{self, Read};

use twox_hash::XxHash3_64;

use crate::book::log::entry::AddedFile;
use crate::store::StoredFile;

/// Reads a whole file, from its beginning; returns how it differs from its entry in the log.
pub(in crate::book) fn difference(file: &StoredFile, named: &AddedFile) -> io::Result<Option<String>> {
    let mut file = file.read_from(0);
    let mut hasher = XxHash3_64::default();
    let mut buffer = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Ok(compare(bytes, hasher.finish(), named)),
            read => {
                let read = read?;
                hasher.write(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// As [`difference`], for bytes in memory.
pub(in crate::book) fn difference_of(bytes: &[u8], named: &AddedFile) -> Option<String> {
    compare(bytes.len() as u64, XxHash3_64::oneshot(bytes), named)
}

fn compare(bytes: u64, checksum: u64, named: &AddedFile) -> Option<String> {
    if bytes != named.bytes {
        return Some(format!("it has {bytes} bytes, {} in the log", named.bytes));
    }
    (format!("{checksum:016x}") != named.xxh3)
        .then(|| format!("its bytes have the checksum {checksum:016x}, {} in the log", named.xxh3))
}
