//! The log folded up to an entry; `rules.rs` has what an entry must keep to follow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::{CommitNumber, Day, GroupLimit, Interval, LeaderEpoch, Partition, Place, RecentTransactions};

use super::compaction;
use super::compaction::Compactions;
use super::days::day_files;
use super::days::day_files::DayFiles;
use super::days::reject_days;
use super::entry::{
    AddedFile, BadValueCount, BookSettings, Delta, Entry, EntryKind, PartitionEntry, SourceKind, ViewEntry,
};
use super::pruning;
use super::pruning::Pruned;
use crate::book::layout::{RowsPlace, ViewFileKind, ViewPlace};
use crate::book::{BookError, layout};

/// Everything in the log except the counts by key, which are in the counts files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The book's identity.
    pub book: String,
    /// The book's fixed settings.
    pub settings: BookSettings,
    /// The number of entries: also the next one's number.
    pub entries: u64,
    /// SHA-256 of the newest entry; empty before the first.
    pub digest: String,
    /// The number of the newest commit; 0 before the first.
    pub commit: CommitNumber,
    /// The highest commit time of the newest commit that has changes, in microseconds since 1970-01-01 UTC; `None` where
    /// its entry has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_time: Option<i64>,
    /// The newest entry whose files are known to be in place.
    pub redone_to: u64,
    /// The generation that wrote the newest entry.
    pub generation: String,
    /// The topics by name.
    pub topics: BTreeMap<String, TopicState>,
    /// The days with changes.
    pub days: BTreeMap<Day, DayState>,
    /// By day of Kafka's timestamp: the number of rejects; those without a usable one are on 1970-01-01. `None` after a
    /// checkpoint of a version that did not record them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<BTreeMap<Day, u64>>,
    /// The days with files of events or rejects; `None` in checkpoints of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<Day, DayFiles>>,
    /// The views by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, ViewState>,
    /// What compactions have done; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compactions: Option<Compactions>,
    /// Which events and rejects are no longer part of the book; `None` where all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
}

/// A view over all entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewState {
    /// Its declaration.
    pub declared: String,
    /// The entry that declares it.
    pub entry: u64,
    /// Whether its files hold all changes up to the newest commit. If not, the next run builds it from the events.
    pub is_current: bool,
    /// Its files by path.
    pub files: BTreeMap<String, ViewFileState>,
    /// Values that could not be computed and counted as NULL.
    #[serde(default, skip_serializing_if = "BadValueCount::is_none")]
    pub bad_values: BadValueCount,
    /// The first day of which it has all changes: it was built when the events of older ones were pruned. `None` where it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_from: Option<Day>,
}

/// A file of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewFileState {
    /// Size in bytes.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// XXH3-64 of all bytes, 16 hexadecimal digits.
    pub xxh3: String,
    /// The generation in whose staging folder it may still be.
    pub generation: String,
}

impl ViewState {
    /// How many groups it has, in how many files of rows.
    pub fn sizes(&self) -> (u64, usize) {
        let is_rows = |path: &&String| path.starts_with(layout::VIEWS);
        let files = self.files.iter().filter(|(path, _)| is_rows(path));
        (files.clone().map(|(_, file)| file.rows).sum(), files.count())
    }

    /// The days for which it has files.
    pub(in crate::book) fn days(&self) -> impl Iterator<Item = Day> {
        let states = self.files.keys().filter_map(|path| ViewPlace::parse(path));
        states.filter(|place| place.kind == ViewFileKind::State).filter_map(|place| place.day)
    }

    /// How many groups and distinct values follow from its files.
    pub fn kept_rows(&self) -> u64 {
        let is_state = |path: &&String| path.starts_with(layout::VIEW_STATES);
        self.files.iter().filter(|(path, _)| is_state(path)).map(|(_, file)| file.rows).sum()
    }

    /// Adds what an entry says of the view.
    fn follow(&mut self, entry: &Entry, said: &ViewEntry) {
        if said.built {
            self.files.clear();
            self.bad_values = BadValueCount::default();
            self.is_current = true;
            self.events_from = said.events_from;
        }
        for AddedFile { path, bytes, rows, xxh3 } in &said.files {
            let file =
                ViewFileState { bytes: *bytes, rows: *rows, xxh3: xxh3.clone(), generation: entry.generation.clone() };
            self.files.insert(path.clone(), file);
        }
        self.bad_values.add(&said.bad_values);
    }
}

/// A topic over all entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// Its kind.
    #[serde(default, skip_serializing_if = "SourceKind::is_kafka")]
    pub source: SourceKind,
    /// Its identity; empty where the source has none.
    pub id: String,
    /// Of a slot: the newest timeline that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    /// Of a slot: the plugin's options with which it was read last, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_options: Option<String>,
    /// Of a slot: the last transactions that were read, where they are known.
    #[serde(default, skip_serializing_if = "RecentTransactions::is_empty")]
    pub recent: RecentTransactions,
    /// The number of partitions known.
    pub partitions: i32,
    /// The partitions that were read or start elsewhere; all others start at 0.
    pub positions: BTreeMap<i32, PartitionState>,
}

/// A partition over all entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// The first offset that is not in the book.
    pub next: i64,
    /// The highest place so far, where records have one.
    pub highest: Option<Place>,
    /// Offsets that were accepted as lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// The leader epoch of the last record in the book, where it is known; no record lies between that one and `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<LeaderEpoch>,
    /// Fields beside lines that could not be read, as far as the versions that wrote the book counted them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable_fields: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A day over all entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayState {
    /// The number of its changes.
    pub changes: u64,
    /// The newest entry that added to it.
    pub entry: u64,
}

impl State {
    /// How many groups and distinct values its views have, of the most that they may have.
    pub fn group_limit(&self, most: u64) -> GroupLimit {
        let mut limit = GroupLimit::new(most, self.views.keys().cloned());
        let current = (0..).zip(self.views.values()).filter(|(_, known)| known.is_current);
        current.for_each(|(number, known)| limit.add(number, known.kept_rows() as i64));
        limit
    }

    /// The state of a book before its first entry.
    pub fn new(book: String, settings: BookSettings) -> State {
        State {
            book,
            settings,
            entries: 0,
            digest: String::new(),
            commit: 0,
            commit_time: None,
            redone_to: 0,
            generation: String::new(),
            topics: BTreeMap::new(),
            days: BTreeMap::new(),
            rejects: Some(BTreeMap::new()),
            files: Some(BTreeMap::new()),
            views: BTreeMap::new(),
            compactions: None,
            pruned: None,
        }
    }

    /// Whether a file of rows was pruned, by its place.
    pub(in crate::book) fn is_pruned(&self, place: &RowsPlace) -> bool {
        self.pruned.is_some_and(|pruned| pruned.covers(place))
    }

    /// Whether the events of a day may not all be there: those that came before it was pruned are gone.
    pub(in crate::book) fn is_pruned_day(&self, day: Day) -> bool {
        self.pruned.is_some_and(|pruned| pruning::is_old(day, pruned.before))
    }

    /// A view that is declared and not built, if there is one: it would miss what is pruned before it is.
    pub fn unbuilt_view(&self) -> Option<&str> {
        self.views.iter().find(|(_, view)| !view.is_current).map(|(name, _)| name.as_str())
    }

    /// The newest entry's number; `None` before the first.
    pub fn newest_entry(&self) -> Option<u64> {
        self.entries.checked_sub(1)
    }

    /// The first offset of a partition that is not in the book; `None` when it has no such partition.
    pub fn next_offset(&self, partition: &Partition) -> Option<i64> {
        Some(self.topics.get(&partition.topic)?.positions.get(&partition.number)?.next)
    }

    /// All partitions with the first offset that is not in the book.
    pub fn next_offsets(&self) -> impl Iterator<Item = (Partition, i64)> + '_ {
        self.topics.iter().flat_map(|(topic, state)| {
            state
                .positions
                .iter()
                .map(|(number, position)| (Partition { topic: topic.clone(), number: *number }, position.next))
        })
    }

    /// Folds in the next entry, whose line has the digest `digest`.
    ///
    /// # Errors
    /// [`BookError::Unsound`] when it breaks a rule; the state is as before.
    pub fn follow(&mut self, entry: &Entry, digest: &str) -> Result<(), BookError> {
        self.check(entry)?;
        self.book.clone_from(&entry.book);
        self.settings.clone_from(&entry.settings);
        self.entries = entry.entry + 1;
        digest.clone_into(&mut self.digest);
        self.commit = entry.commit;
        if !entry.deltas.is_empty() {
            self.commit_time = entry.commit_time;
        }
        self.redone_to = self.redone_to.max(entry.redone_to);
        self.generation.clone_from(&entry.generation);
        for (name, topic) in &entry.topics {
            let known = self.topics.entry(name.clone()).or_insert_with(|| TopicState {
                source: topic.source,
                id: topic.id.clone(),
                timeline: topic.timeline,
                plugin_options: None,
                recent: RecentTransactions::default(),
                partitions: topic.partitions,
                positions: BTreeMap::new(),
            });
            known.timeline = topic.timeline;
            known.partitions = topic.partitions;
            topic.add_transactions(known.plugin_options.as_deref(), &mut known.recent);
            if topic.plugin_options.is_some() {
                known.plugin_options.clone_from(&topic.plugin_options);
            }
            for (number, read) in &topic.positions {
                let before = known.positions.get(number);
                let highest = before.and_then(|before| before.highest).max(read.tally.highest);
                let lost = Lost::after(before.and_then(|before| before.lost), read);
                let leader_epoch = match read.records {
                    // Only offsets without a record were passed.
                    0 => before.and_then(|before| before.leader_epoch),
                    _ => read.leader_epoch,
                };
                let unreadable_fields =
                    before.map_or(0, |before| before.unreadable_fields).saturating_add(read.tally.unreadable_fields);
                let position =
                    PartitionState { next: read.interval.to, highest, lost, leader_epoch, unreadable_fields };
                known.positions.insert(*number, position);
            }
        }
        for Delta { key, count } in &entry.deltas {
            let known = self.days.entry(key.day).or_insert(DayState { changes: 0, entry: entry.entry });
            known.changes += count.unsigned_abs();
            known.entry = entry.entry;
        }
        if let Some(rejects) = &mut self.rejects {
            reject_days::add(rejects, entry);
        }
        if let Some(files) = &mut self.files {
            day_files::add_entry(files, entry);
        }
        compaction::add_entry(&mut self.compactions, entry);
        pruning::add_entry(&mut self.pruned, self.files.as_mut(), entry);
        follow_views(&mut self.views, entry);
        Ok(())
    }
}

/// Adds what an entry says of views to those before.
pub(in crate::book) fn follow_views(views: &mut BTreeMap<String, ViewState>, entry: &Entry) {
    for (name, said) in &entry.views {
        if said.dropped {
            views.remove(name);
        }
        if let Some(declared) = &said.declared {
            let view = ViewState {
                declared: declared.clone(),
                entry: entry.entry,
                is_current: false,
                files: BTreeMap::new(),
                bad_values: BadValueCount::default(),
                events_from: None,
            };
            views.insert(name.clone(), view);
        }
        if let Some(view) = views.get_mut(name) {
            view.follow(entry, said);
        }
    }
    if entry.kind == EntryKind::Commit && !entry.deltas.is_empty() {
        // A run that does not keep it, or a version that knows no views, has added changes.
        for (name, view) in views {
            view.is_current &= entry.views.contains_key(name);
        }
    }
}

/// Offsets of a partition that were gone before they could be read, and accepted as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// What the entries cover that accepted a loss; the offsets lie in there.
    #[serde(flatten)]
    pub within: Interval,
    /// How many they are.
    pub offsets: u64,
}

impl Lost {
    /// What is lost after an entry: one interval for a partition, however often something is lost.
    pub(in crate::book) fn after(before: Option<Lost>, read: &PartitionEntry) -> Option<Lost> {
        if read.lost == 0 {
            return before;
        }
        let known = before.unwrap_or(Lost { within: read.interval, offsets: 0 });
        let within = Interval { from: known.within.from, to: read.interval.to };
        Some(Lost { within, offsets: known.offsets.saturating_add(read.lost) })
    }
}
