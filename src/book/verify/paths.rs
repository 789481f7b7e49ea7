//! The paths that the log names: those of files of the book, and those that later entries have removed from it.

use std::collections::HashSet;

use twox_hash::XxHash3_64;

use crate::book::BookError;
use crate::book::log::commit_log::read_entry;
use crate::book::log::pruning::Pruned;
use crate::store::Store;

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

/// The files that entries have removed from the book: compactions by their paths, prunes by their days.
#[derive(Default)]
pub(super) struct RemovedPaths {
    pruned: Option<Pruned>,
    /// Whether what was pruned may still be in its place.
    is_pruned_in_tail: bool,
    all: ReferencedPaths,
    /// Those of entries whose files may not be in place: they may still be where they were.
    in_tail: ReferencedPaths,
    has_any: bool,
}

impl RemovedPaths {
    /// Reads the entries from `first` up to `newest`, after those of which `pruned` says what they have pruned; everything up to `redone_to` is in
    /// place.
    pub(super) fn read(
        store: &dyn Store,
        pruned: Option<Pruned>,
        first: u64,
        newest: u64,
        redone_to: u64,
    ) -> RemovedPaths {
        let mut removed = RemovedPaths { pruned, ..RemovedPaths::default() };
        for number in first..=newest {
            // What is wrong with an entry is found when all are verified.
            let Ok(Some(logged)) = read_entry(store, number) else { continue };
            if let Some(pruned) = Pruned::by(&logged.entry) {
                removed.pruned = Some(pruned);
                removed.is_pruned_in_tail |= number > redone_to;
            }
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

    /// Which days were pruned, if any.
    pub(super) fn pruned(&self) -> Option<Pruned> {
        self.pruned
    }

    /// Whether rows of a file were pruned: in that file, or in one with which it was merged before.
    pub(super) fn are_rows_pruned(&self, path: &str) -> bool {
        self.pruned.is_some_and(|pruned| pruned.covers_path(path))
    }

    /// Whether a path is of a file that was pruned, and not merged before.
    pub(super) fn is_pruned(&self, path: &str) -> bool {
        self.are_rows_pruned(path) && !self.holds(path)
    }

    /// Whether a path is of a file that a compaction has replaced.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.has_any && self.all.holds(path)
    }

    /// Whether such a file may still be in its place.
    pub(super) fn may_be_in_place(&self, path: &str) -> bool {
        let is_pruned = self.is_pruned_in_tail && self.pruned.is_some_and(|pruned| pruned.covers_path(path));
        is_pruned || (self.has_any && self.in_tail.holds(path))
    }
}

/// What entries after `newest`, which were put while the book was verified, have taken out of it.
pub(super) fn removed_later(store: &dyn Store, newest: u64) -> Result<RemovedLater, BookError> {
    let mut later = RemovedLater::default();
    let mut next = newest + 1;
    while let Some(logged) = read_entry(store, next)? {
        later.pruned = Pruned::by(&logged.entry).or(later.pruned);
        later.paths.extend(logged.entry.removed);
        next += 1;
    }
    Ok(later)
}

/// What was taken out of a book while it was verified.
#[derive(Default)]
pub(super) struct RemovedLater {
    paths: HashSet<String>,
    pruned: Option<Pruned>,
}

impl RemovedLater {
    pub(super) fn holds(&self, path: &str) -> bool {
        self.paths.contains(path) || self.pruned.is_some_and(|pruned| pruned.covers_path(path))
    }
}
