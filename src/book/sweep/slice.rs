//! Some entries of the log, folded into what the base before them says.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::log::base::{Base, Manifest, NamedFile};
use crate::book::log::commit_log::LoggedEntry;
use crate::book::log::entry::{Delta, Entry, PartitionEntry};
use crate::book::log::pruning::Pruned;
use crate::book::{BookError, State};
use crate::change::{Day, Interval};
use crate::store::layout::{RowsPlace, Table};

/// Entries that follow a base, or the first ones of a log.
pub(super) struct Slice {
    /// The log up to the newest of them.
    pub(super) state: State,
    /// When the first entry of the log was written.
    pub(super) made_at: i64,
    /// By topic and partition: what all entries have read.
    pub(super) read: BTreeMap<String, BTreeMap<i32, PartitionEntry>>,
    /// What they say of the days of a table.
    pub(super) days: BTreeMap<(Table, Day), DayChange>,
    /// What they prune.
    pub(super) pruned: Option<Pruned>,
    /// How many they are.
    pub(super) entries: u64,
}

/// What some entries say of one day of a table.
#[derive(Default)]
pub(super) struct DayChange {
    added: Vec<NamedFile>,
    removed: BTreeSet<String>,
    counts: Vec<Delta>,
}

impl Slice {
    /// None yet, after a base; without one `first` is the entry that opens the log.
    pub(super) fn after(base: Option<&Base>, first: &Entry) -> Slice {
        let (state, made_at, read) = match base {
            Some(base) => (base.state.clone(), base.made_at, base.read.clone()),
            None => (State::new(first.book.clone(), first.settings.clone()), first.written_at, BTreeMap::new()),
        };
        Slice { state, made_at, read, days: BTreeMap::new(), pruned: None, entries: 0 }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// [`BookError::Unsound`] when it does not follow.
    pub(super) fn add(&mut self, LoggedEntry { entry, digest, .. }: LoggedEntry) -> Result<(), BookError> {
        self.state.follow(&entry, &digest)?;
        self.entries += 1;
        for (topic, said) in &entry.topics {
            let known = self.read.entry(topic.clone()).or_default();
            for (partition, read) in &said.positions {
                let sum = known.entry(*partition).or_insert_with(|| PartitionEntry::start(read.interval.from));
                add_read(sum, read);
            }
        }
        self.pruned = Pruned::by(&entry).or(self.pruned);
        for delta in entry.deltas {
            self.days.entry((Table::Events, delta.key.day)).or_default().counts.push(delta);
        }
        for path in entry.removed {
            if let Some(place) = RowsPlace::parse(&path) {
                self.days.entry((place.table(), place.day())).or_default().removed.insert(path);
            }
        }
        let mut merged = entry.compaction.into_iter().flat_map(|compaction| compaction.added);
        for file in entry.added {
            let merged = merged.next();
            if let Some(place) = RowsPlace::parse(&file.path) {
                let named = NamedFile { entry: entry.entry, file, merged };
                self.days.entry((place.table(), place.day())).or_default().added.push(named);
            }
        }
        Ok(())
    }
}

impl DayChange {
    /// The manifest of the day with this change, and without what was pruned.
    pub(super) fn applied_to(self, mut manifest: Manifest, pruned: Option<Pruned>) -> Manifest {
        let DayChange { added, removed, counts } = self;
        manifest.files.extend(added);
        // A file's name is used once in a book, so the order of adding and removing does not matter.
        let is_pruned = |path: &str| pruned.is_some_and(|pruned| pruned.covers_path(path));
        manifest.files.retain(|named| !removed.contains(&named.file.path) && !is_pruned(&named.file.path));
        manifest.files.sort_by(|one, other| one.file.path.cmp(&other.file.path));
        manifest.counts.extend(counts);
        manifest.counts.sort_by(|one, other| one.key.cmp(&other.key));
        manifest.counts.dedup_by(|later, sum| {
            let is_same = later.key == sum.key;
            if is_same {
                sum.count = sum.count.saturating_add(later.count);
            }
            is_same
        });
        manifest
    }
}

/// Adds what an entry has read to the sum of those before.
fn add_read(sum: &mut PartitionEntry, read: &PartitionEntry) {
    sum.interval = Interval { from: sum.interval.from, to: read.interval.to };
    sum.records = sum.records.saturating_add(read.records);
    sum.tally.add(&read.tally);
    sum.empty = sum.empty.saturating_add(read.empty);
    sum.lost = sum.lost.saturating_add(read.lost);
}
