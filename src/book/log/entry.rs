//! One commit as data, and its exact form on disk.
//!
//! An entry is a file `_walbook/log/<number, 20 digits>.json` of two lines: the entry as one JSON object, then
//! `{"sha256":"<hex digest of the first line without its line end>"}`. `previous` is the digest of the entry before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::compaction::CompactionEntry;
use super::digested;
use super::pruning::PruneEntry;
use crate::book::layout::{staged_merged_path, staged_path};

use crate::change::{
    CommitNumber, CommittedTransaction, CountKey, Day, Interval, LeaderEpoch, RecentTransactions, TableName, Tally,
};

/// One entry of the commit log. Number 0 makes the book; a *fence* opens a generation, a *commit* adds rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this form.
    pub format: u32,
    /// The book's identity, a UUID.
    pub book: String,
    /// The entry's place in the log, from 0 without gaps.
    pub entry: u64,
    /// The number of the newest commit, this one's if it is one: files are named by it.
    pub commit: CommitNumber,
    /// SHA-256 of the entry before; empty in the first.
    pub previous: String,
    /// Fence or commit.
    pub kind: EntryKind,
    /// The run that wrote it, by the name of its staging folder.
    pub generation: String,
    /// The newest entry whose files are known to be in place.
    pub redone_to: u64,
    /// Microseconds since 1970-01-01 UTC by the writer's clock; information only.
    pub written_at: i64,
    /// The highest commit time of the changes it adds, in microseconds since 1970-01-01 UTC; `None` where no record has one,
    /// and in entries of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_time: Option<i64>,
    /// The book's fixed settings.
    pub settings: BookSettings,
    /// The versions that wrote it; information only.
    pub versions: Versions,
    /// By topic: what was read. A fence has the topics that are new to the book, with empty intervals where they start.
    pub topics: BTreeMap<String, TopicEntry>,
    /// Files that this entry makes part of the book.
    pub added: Vec<AddedFile>,
    /// Files that this entry takes out of the book.
    pub removed: Vec<String>,
    /// How many changes were added by day, schema, table and operation; sorted, each positive.
    pub deltas: Vec<Delta>,
    /// By name: what happens to views. A commit names every view that it brings to its end, also one that does not change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, ViewEntry>,
    /// Of a compaction: the rows of the files that it removes, and those of the files that it adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compaction: Option<CompactionEntry>,
    /// Of an entry that prunes: which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneEntry>,
}

impl Entry {
    /// The format that its contents need.
    pub(in crate::book) fn format_needed(&self) -> u32 {
        let has_views = self.kind == EntryKind::Views || !self.views.is_empty();
        let is_partial = self.views.values().any(|said| said.events_from.is_some());
        if self.kind == EntryKind::Prune || self.prune.is_some() || is_partial {
            digested::FORMAT_OF_PRUNING
        } else if self.kind == EntryKind::Compaction || self.compaction.is_some() || !self.removed.is_empty() {
            digested::FORMAT_OF_COMPACTION
        } else if has_views {
            digested::FORMAT_OF_VIEWS
        } else {
            digested::FORMAT
        }
    }

    /// Where a file that it adds stands until it is put in its place.
    pub(in crate::book) fn staged_path(&self, file: &AddedFile) -> String {
        match &self.compaction {
            Some(compaction) => staged_merged_path(&compaction.staged_by, &file.xxh3),
            None => staged_path(&self.generation, &file.path),
        }
    }

    /// Whether it adds files of rejects.
    pub fn adds_rejects(&self) -> bool {
        self.topics.values().flat_map(|topic| topic.positions.values()).any(|read| read.tally.rejects > 0)
    }
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// Opens a generation: runs of older generations can no longer write.
    Fence,
    /// Adds files and counts.
    Commit,
    /// Declares, drops or builds views, and adds nothing else. Any process may put one that only declares or drops.
    Views,
    /// Replaces files of one day and table by others with the same rows, and says nothing else. Any process may put one; the run
    /// that owns the book puts its files in their places.
    Compaction,
    /// Takes the events and rejects of old days out of the book, and says nothing else. Any process may put one; the run that
    /// owns the book takes the files away.
    Prune,
}

/// One view in an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewEntry {
    /// Its declaration, where the entry declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// Whether the entry drops it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// Whether the files are all of its files: it was computed from all events of the book.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub built: bool,
    /// Of one that was built: the first day of which all events were there, if older ones were pruned and the view has nothing of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_from: Option<Day>,
    /// Files that replace those of their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<AddedFile>,
    /// Values that could not be computed and counted as NULL, of the changes that the entry adds to it.
    #[serde(default, skip_serializing_if = "BadValueCount::is_none")]
    pub bad_values: BadValueCount,
}

/// How many values could not be computed, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadValueCount {
    /// How many.
    pub count: u64,
    /// The first one: its expression, its value, and what is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<(String, String, String)>,
}

impl BadValueCount {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Adds later ones.
    pub fn add(&mut self, later: &BadValueCount) {
        self.count = self.count.saturating_add(later.count);
        if self.first.is_none() {
            self.first.clone_from(&later.first);
        }
    }
}

/// Settings that are fixed when a book is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSettings {
    /// IANA name of the zone that turns an instant into a day.
    pub time_zone: String,
    /// Which instant decides the day: `auto`, `commit` or `kafka`.
    pub day_from: String,
}

/// The versions that wrote an entry; recorded, never compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// walbook's version.
    pub walbook: String,
    /// The parser's version, which grows when the same bytes would give other rows.
    pub parser: u32,
    /// The time-zone data's version.
    pub tzdata: String,
}

/// The kind of a topic, which decides what offsets mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A topic of Kafka: each offset holds one record or none.
    #[default]
    Kafka,
    /// A replication slot: a record is one change, its offset the transaction's end LSN, its ordinal the place in the
    /// transaction. Records share offsets, and most LSNs belong to no record: gaps are not counted.
    Slot,
    /// A file, or standard input: a record's offset is that of its first byte; bytes that begin no record are empty.
    File,
}

impl SourceKind {
    /// Whether this is Kafka, the default of entries that name no source.
    pub fn is_kafka(&self) -> bool {
        *self == SourceKind::Kafka
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SourceKind::Kafka => "Kafka topic",
            SourceKind::Slot => "replication slot",
            SourceKind::File => "file",
        })
    }
}

/// One topic in an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicEntry {
    /// Its kind.
    #[serde(default, skip_serializing_if = "SourceKind::is_kafka")]
    pub source: SourceKind,
    /// Its identity: the UUID that Kafka gives, a slot's system identifier, a file's fingerprint; empty where the source has
    /// none.
    pub id: String,
    /// Of a slot: the timeline that was read. A fence records a newer one by naming the topic again, without positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    /// Of a slot, in a fence: the plugin's options with which the run reads it, if they are others than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_options: Option<String>,
    /// Of a slot: the last transaction in what was read; `None` where there is none, and in entries of versions that did not
    /// write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transaction: Option<CommittedTransaction>,
    /// The number of partitions known when it was written.
    pub partitions: i32,
    /// By partition: what was read.
    pub positions: BTreeMap<i32, PartitionEntry>,
}

impl TopicEntry {
    /// Adds its last transaction to those of the entries before, which were read with the options `known`.
    pub(in crate::book) fn add_transactions(&self, known: Option<&str>, recent: &mut RecentTransactions) {
        // With other options a server repeats other transactions: it cannot be recognized by these.
        if known.is_some() && self.plugin_options.as_deref().is_some_and(|options| known != Some(options)) {
            recent.clear();
        }
        match self.last_transaction {
            Some(last) => recent.push(last),
            // Which transactions were read is not known: the last one before must not pass for the last of all.
            None if self.positions.values().any(|read| read.records > 0) => recent.clear(),
            None => {}
        }
    }
}

/// One partition in an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEntry {
    /// The offsets this entry covers; `from` is the last entry's `to`.
    #[serde(flatten)]
    pub interval: Interval,
    /// Records read: bearing + markers + rejects.
    pub records: u64,
    /// Their kinds.
    #[serde(flatten)]
    pub tally: Tally,
    /// Offsets without a record: transaction markers, compaction; of a file the bytes that begin none.
    pub empty: u64,
    /// Offsets accepted as lost.
    pub lost: u64,
    /// Of a Kafka topic: the leader epoch of the last record in the interval. Absent where there is no record, where brokers
    /// have no leader epochs, and in entries of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<LeaderEpoch>,
}

impl PartitionEntry {
    /// A partition that is not read yet, and where reading begins.
    pub fn start(offset: i64) -> PartitionEntry {
        let interval = Interval { from: offset, to: offset };
        PartitionEntry { interval, records: 0, tally: Tally::default(), empty: 0, lost: 0, leader_epoch: None }
    }
}

/// A file that an entry adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFile {
    /// Path in the book: `events/day=2026-11-22/c0000000412-w003-0.parquet`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of rows.
    pub rows: u64,
    /// XXH3-64 of all bytes, 16 hexadecimal digits.
    pub xxh3: String,
}

/// How many changes of one key an entry adds; a JSON array of five: day, schema, table, operation, number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta {
    /// The key.
    pub key: CountKey,
    /// The number of changes added.
    pub count: i64,
}

impl Serialize for Delta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Delta { key: CountKey { day, table, op }, count } = self;
        (day, &table.schema, &table.table, op, count).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Delta, D::Error> {
        let (day, schema, table, op, count) = Deserialize::deserialize(deserializer)?;
        Ok(Delta { key: CountKey { day, table: Arc::new(TableName { schema, table }), op }, count })
    }
}
