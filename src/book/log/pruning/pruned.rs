//! Which files are no longer part of the book.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::PruneEntry;
use crate::book::layout::RowsPlace;
use crate::book::log::days::day_files::{DayFiles, FileTotals, SizeSum};
use crate::book::log::entry::{Entry, EntryKind};
use crate::change::{CommitNumber, Day};

/// What is gone up to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The first day whose events and rejects stayed.
    pub before: Day,
    /// The newest entry of this kind.
    pub entry: u64,
    /// The newest commit at that time.
    pub commit: CommitNumber,
    /// When that entry was written, by the writer's clock, in microseconds since 1970-01-01 UTC.
    pub written_at: i64,
    /// How many files that entry has removed from the book.
    pub files: u64,
    /// Their sizes, where they are known.
    #[serde(default, skip_serializing_if = "SizeSum::is_unknown")]
    pub bytes: SizeSum,
}

impl Pruned {
    /// What an entry takes out of the book, without the number of files; `None` for entries of other kinds.
    pub fn by(entry: &Entry) -> Option<Pruned> {
        let PruneEntry { before } = entry.prune?;
        let Entry { entry, commit, written_at, .. } = *entry;
        Some(Pruned { before, entry, commit, written_at, files: 0, bytes: SizeSum::default() })
    }

    /// The newest one among some entries in their order.
    pub(in crate::book) fn newest_of(entries: &[Entry]) -> Option<Pruned> {
        // Each covers those before it.
        entries.iter().rev().find_map(Pruned::by)
    }

    /// Whether a file of rows is gone, by its place.
    pub fn covers(&self, place: &RowsPlace) -> bool {
        is_old(place.day(), self.before)
            && match place {
                RowsPlace::Committed(place) => place.commit <= self.commit,
                RowsPlace::Merged(place) => place.entry < self.entry,
            }
    }

    /// Whether a file is gone, by its path in the book.
    pub(in crate::book) fn covers_path(&self, path: &str) -> bool {
        RowsPlace::parse(path).is_some_and(|place| self.covers(&place))
    }
}

/// Whether a day is pruned. What has no time, which is on 1970-01-01, is not old.
pub(in crate::book) fn is_old(day: Day, before: Day) -> bool {
    day < before && day != Day::EPOCH
}

/// Takes the files of an entry of this kind out of those of the entries before it.
pub(in crate::book) fn add_entry(
    pruned: &mut Option<Pruned>,
    files: Option<&mut BTreeMap<Day, DayFiles>>,
    entry: &Entry,
) {
    let Some(newest) = Pruned::by(entry).filter(|_| entry.kind == EntryKind::Prune) else { return };
    let mut gone = FileTotals::default();
    if let Some(files) = files {
        let all = std::mem::take(files).into_iter();
        let (of_old, kept): (BTreeMap<Day, DayFiles>, _) = all.partition(|(day, _)| is_old(*day, newest.before));
        *files = kept;
        gone = FileTotals::of(of_old.values());
    }
    *pruned = Some(Pruned { files: gone.files, bytes: gone.sizes, ..newest });
}
