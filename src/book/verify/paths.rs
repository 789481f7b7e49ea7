//! The paths that the log names: those of files of the book, and those that compactions have removed from it.

use std::collections::HashSet;

use twox_hash::XxHash3_64;

use crate::book::BookError;
use crate::book::log::commit_log::read_entry;
use crate::store::Disk;

/// The paths that the log names, 8 bytes each.
///
/// An unreferenced file passes unnoticed among a million files once in 10^13 verifications.
#[derive(Default)]
pub(super) struct ReferencedPaths(HashSet<u64>);

impl ReferencedPaths {
    pub(super) fn add(&mut self, path: &str) {
        self.0.insert(XxHash3_64::oneshot(path.as_bytes()));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(&XxHash3_64::oneshot(path.as_bytes()));
    }

    pub(super) fn holds(&self, path: &str) -> bool {
        self.0.contains(&XxHash3_64::oneshot(path.as_bytes()))
    }
}

/// The paths that compactions have removed from the book.
#[derive(Default)]
pub(super) struct RemovedPaths {
    all: ReferencedPaths,
    /// Those of entries whose files may not be in place: they may still be where they were.
    in_tail: ReferencedPaths,
    has_any: bool,
}

impl RemovedPaths {
    /// Reads the compactions among the entries from `first` up to `newest`; everything up to `redone_to` is in place.
    pub(super) fn read(disk: &Disk, first: u64, newest: u64, redone_to: u64) -> RemovedPaths {
        let mut removed = RemovedPaths::default();
        for number in first..=newest {
            // What is wrong with an entry is found when all are verified.
            let Ok(Some(logged)) = read_entry(disk, number) else { continue };
            for path in &logged.entry.removed {
                removed.has_any = true;
                removed.all.add(path);
                if number > redone_to {
                    removed.in_tail.add(path);
                }
            }
        }
        removed
    }

    /// Whether a path is of a file that is no longer part of the book.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.has_any && self.all.holds(path)
    }

    /// Whether such a file may still be in its place.
    pub(super) fn may_be_in_place(&self, path: &str) -> bool {
        self.has_any && self.in_tail.holds(path)
    }
}

/// The removed paths of entries after `newest`, which were put while the book was verified.
pub(super) fn removed_later(disk: &Disk, newest: u64) -> Result<HashSet<String>, BookError> {
    let mut removed = HashSet::new();
    let mut next = newest + 1;
    while let Some(logged) = read_entry(disk, next)? {
        removed.extend(logged.entry.removed);
        next += 1;
    }
    Ok(removed)
}
