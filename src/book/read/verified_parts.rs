//! Which parts of merged files are, byte for byte, those that their entries name.
//!
//! A merged file is large, and a question about one table reads few of its row groups: only these and the footer are compared with the log
//! before they are decoded.

use std::collections::{BTreeSet, HashMap};

use twox_hash::XxHash3_64;

use crate::book::BookError;
use crate::book::error::At;
use crate::book::log::compaction::FilePart;
use crate::store::StoredFile;

/// The merged files that were read, by path.
#[derive(Default)]
pub(super) struct VerifiedParts(HashMap<String, KnownFile>);

/// A merged file.
struct KnownFile {
    /// Its parts in the log; `None` if no entry names it.
    parts: Option<Vec<FilePart>>,
    /// The numbers of those that were compared.
    verified: BTreeSet<usize>,
}

impl VerifiedParts {
    /// Whether the log names the file; if so, compares a row group and the footer with the log, unless that is done. `named` reads its
    /// parts in the log.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the bytes are not those that were merged.
    pub(super) fn verify(
        &mut self,
        path: &str,
        group: usize,
        named: &dyn Fn() -> Result<Option<Vec<FilePart>>, BookError>,
        open: &dyn Fn() -> Result<StoredFile, BookError>,
    ) -> Result<bool, BookError> {
        if !self.0.contains_key(path) {
            // Each has one at least.
            let parts = named()?.filter(|parts| !parts.is_empty());
            self.0.insert(path.to_owned(), KnownFile { parts, verified: BTreeSet::new() });
        }
        let Some(KnownFile { parts, verified }) = self.0.get_mut(path) else { return Ok(false) };
        let Some(parts) = parts else { return Ok(false) };
        let footer = parts.len() - 1;
        if group >= footer {
            return Err(BookError::damaged(path, format!("it has a row group {group}, the log has {footer}")));
        }
        for number in [group, footer] {
            if !verified.contains(&number) {
                compare(&open()?, path, parts, number)?;
                verified.insert(number);
            }
        }
        Ok(true)
    }
}

/// Compares the part of this number.
fn compare(file: &StoredFile, path: &str, parts: &[FilePart], number: usize) -> Result<(), BookError> {
    let FilePart { end, xxh3 } = &parts[number];
    let from = number.checked_sub(1).map_or(0, |before| parts[before].end);
    let length = usize::try_from(end.saturating_sub(from)).map_err(|error| BookError::damaged(path, error))?;
    let size = file.size();
    let whole = parts.last().map_or(0, |last| last.end);
    if size != whole {
        return Err(BookError::damaged(path, format!("it has {size} bytes, {whole} in the log")));
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from).at("read", path)?;
    let seen = format!("{:016x}", XxHash3_64::oneshot(&bytes));
    match seen == *xxh3 {
        true => Ok(()),
        false => {
            let what = format!("its bytes {from} to {end} have the checksum {seen}, {xxh3} in the log");
            Err(BookError::damaged(path, what))
        }
    }
}
