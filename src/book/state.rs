//! The log folded up to an entry, and the rules that each entry must keep to follow it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::change::{CommitNumber, Day, Interval, Partition, Place, Tally};

use super::entry::{BookSettings, Delta, Entry, EntryKind, PartitionEntry, SourceKind, TopicEntry};
use super::layout::{FilePlace, Table};
use super::{BookError, Lost, digested};

/// Everything the log says, but for the counts by key: those stand in the counts files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The book's identity.
    pub book: String,
    /// What is fixed for the book.
    pub settings: BookSettings,
    /// The number of entries: also the next one's number.
    pub entries: u64,
    /// SHA-256 of the newest entry; empty before the first.
    pub digest: String,
    /// The number of the newest commit; 0 before the first.
    pub commit: CommitNumber,
    /// The newest entry whose files are known to be in place.
    pub redone_to: u64,
    /// The generation that wrote the newest entry.
    pub generation: String,
    /// The topics by name.
    pub topics: BTreeMap<String, TopicState>,
    /// The days that have changes.
    pub days: BTreeMap<Day, DayState>,
}

/// What the log says of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// What kind of place it is.
    #[serde(default, skip_serializing_if = "SourceKind::is_kafka")]
    pub source: SourceKind,
    /// What it is known again by; empty where the source has nothing.
    pub id: String,
    /// Of a slot: the newest timeline that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    /// The number of partitions known.
    pub partitions: i32,
    /// The partitions that were read or have a start of their own; all others start at 0.
    pub positions: BTreeMap<i32, PartitionState>,
}

/// What the log says of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// The first offset that is not in the book.
    pub next: i64,
    /// The highest place seen, where records tell it.
    pub highest: Option<Place>,
    /// What was accepted as lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// What the log says of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayState {
    /// The number of changes on it.
    pub changes: u64,
    /// The newest entry that added to it.
    pub entry: u64,
}

impl State {
    /// The state of a book before its first entry.
    pub fn new(book: String, settings: BookSettings) -> State {
        State {
            book,
            settings,
            entries: 0,
            digest: String::new(),
            commit: 0,
            redone_to: 0,
            generation: String::new(),
            topics: BTreeMap::new(),
            days: BTreeMap::new(),
        }
    }

    /// The newest entry's number; `None` before the first.
    pub fn newest_entry(&self) -> Option<u64> {
        self.entries.checked_sub(1)
    }

    /// The first offset of a partition that is not in the book; `None` when the book knows nothing of the partition.
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
        self.redone_to = self.redone_to.max(entry.redone_to);
        self.generation.clone_from(&entry.generation);
        for (name, topic) in &entry.topics {
            let known = self.topics.entry(name.clone()).or_insert_with(|| TopicState {
                source: topic.source,
                id: topic.id.clone(),
                timeline: topic.timeline,
                partitions: topic.partitions,
                positions: BTreeMap::new(),
            });
            known.timeline = topic.timeline;
            known.partitions = topic.partitions;
            for (number, read) in &topic.positions {
                let before = known.positions.get(number);
                let highest = before.and_then(|before| before.highest).max(read.tally.highest);
                let lost = Lost::after(before.and_then(|before| before.lost), read);
                known.positions.insert(*number, PartitionState { next: read.interval.to, highest, lost });
            }
        }
        for Delta(day, _, _, _, count) in &entry.deltas {
            let known = self.days.entry(*day).or_insert(DayState { changes: 0, entry: entry.entry });
            known.changes += count.unsigned_abs();
            known.entry = entry.entry;
        }
        Ok(())
    }

    /// Whether `entry` may follow; the same rules hold when an entry is read and when it is written.
    ///
    /// # Errors
    /// [`BookError::Unsound`] names the rule.
    pub fn check(&self, entry: &Entry) -> Result<(), BookError> {
        self.rules(entry).map_err(|rule| BookError::Unsound { entry: entry.entry, rule })
    }

    fn rules(&self, entry: &Entry) -> Result<(), String> {
        same("format", &entry.format, &digested::FORMAT)?;
        same("entry", &entry.entry, &self.entries)?;
        same("previous", &entry.previous, &self.digest)?;
        if self.entries > 0 {
            same("book", &entry.book, &self.book)?;
            same("settings", &entry.settings, &self.settings)?;
        } else {
            same("kind", &entry.kind, &EntryKind::Fence)?;
        }
        holds(entry.redone_to < entry.entry.max(1), || format!("redone_to {} lies ahead", entry.redone_to))?;
        holds(entry.removed.is_empty(), || "files are removed, which this format does not know".into())?;
        for (name, topic) in &entry.topics {
            self.topic_rules(name, topic, entry.kind).map_err(|rule| format!("topic {name:?}: {rule}"))?;
        }
        match entry.kind {
            EntryKind::Fence => {
                same("commit", &entry.commit, &self.commit)?;
                holds(entry.added.is_empty() && entry.deltas.is_empty(), || "a fence adds rows".into())
            }
            EntryKind::Commit => {
                holds(entry.commit > self.commit, || {
                    format!("commit {} does not lie above {}", entry.commit, self.commit)
                })?;
                // Not of a fence: a checkpoint that its writer did not read may know more.
                holds(entry.redone_to >= self.redone_to, || {
                    format!("redone_to {} lies behind {}", entry.redone_to, self.redone_to)
                })?;
                self.row_rules(entry)
            }
        }
    }

    fn topic_rules(&self, name: &str, topic: &TopicEntry, kind: EntryKind) -> Result<(), String> {
        let known = self.topics.get(name);
        source_rules(topic)?;
        if let Some(known) = known {
            same("source", &topic.source, &known.source)?;
            same("id", &topic.id, &known.id)?;
            match kind {
                EntryKind::Fence => holds(topic.timeline >= known.timeline, || {
                    format!("timeline {:?}, was {:?}", topic.timeline, known.timeline)
                })?,
                EntryKind::Commit => same("timeline", &topic.timeline, &known.timeline)?,
            }
            holds(topic.partitions >= known.partitions, || {
                format!("{} partitions, were {}", topic.partitions, known.partitions)
            })?;
        } else {
            holds(kind == EntryKind::Fence, || "new in a commit: only a fence adds topics".into())?;
        }
        for (number, read) in &topic.positions {
            let rule = |rule: String| format!("partition {number}: {rule}");
            holds((0..topic.partitions).contains(number), || format!("of {} only", topic.partitions)).map_err(rule)?;
            partition_rules(read, topic.source).map_err(rule)?;
            let from = read.interval.from;
            match known.map(|known| known.positions.get(number)) {
                // A new topic starts where it was asked to.
                None => holds(from >= 0, || format!("starts at {from}")).map_err(rule)?,
                // A partition that appeared later is read from its beginning.
                Some(None) => same("from", &from, &0).map_err(rule)?,
                Some(Some(position)) => same("from", &from, &position.next).map_err(rule)?,
            }
            if kind == EntryKind::Fence {
                holds(read.interval.width() == 0, || "a fence reads records".into()).map_err(rule)?;
            }
        }
        Ok(())
    }

    fn row_rules(&self, entry: &Entry) -> Result<(), String> {
        let positions = || entry.topics.values().flat_map(|topic| topic.positions.values());
        holds(positions().any(|read| read.interval.width() > 0), || "a commit reads nothing".into())?;
        let events = sum(positions().map(|read| read.tally.events));
        let rejects = sum(positions().map(|read| read.tally.rejects));

        let mut rows: BTreeMap<Table, u128> = BTreeMap::new();
        let mut by_day: BTreeMap<Day, u128> = BTreeMap::new();
        let mut paths = BTreeSet::new();
        for file in &entry.added {
            let place = FilePlace::parse(&file.path).ok_or_else(|| format!("adds {:?}", file.path))?;
            holds(self.commit < place.commit && place.commit <= entry.commit, || {
                format!("adds {:?}, which is named by a commit that is not this one", file.path)
            })?;
            holds(paths.insert(&file.path), || format!("adds {:?} twice", file.path))?;
            holds(file.rows > 0, || format!("adds {:?} without rows", file.path))?;
            *rows.entry(place.table).or_default() += u128::from(file.rows);
            if place.table == Table::Events {
                *by_day.entry(place.day).or_default() += u128::from(file.rows);
            }
        }
        same("rows of events files", &rows.get(&Table::Events).copied().unwrap_or(0), &events)?;
        same("rows of rejects files", &rows.get(&Table::Rejects).copied().unwrap_or(0), &rejects)?;

        holds(entry.deltas.is_sorted_by(|one, next| key(one) < key(next)), || "deltas are not sorted by key".into())?;
        let mut counted: BTreeMap<Day, u128> = BTreeMap::new();
        for Delta(day, schema, table, op, count) in &entry.deltas {
            holds(*count > 0, || format!("delta {count} of {day} {schema:?}.{table:?} {op}"))?;
            *counted.entry(*day).or_default() += u128::from(count.unsigned_abs());
        }
        for (day, added) in &counted {
            let before = self.days.get(day).map_or(0, |known| known.changes);
            // Counts are int64 in their files.
            holds(u128::from(before) + added <= i64::MAX as u128, || {
                format!("more changes on {day} than can be counted")
            })?;
        }
        same("deltas by day", &counted, &by_day)
    }
}

/// A slot always has a timeline, and nothing else has one; only Kafka has several partitions.
fn source_rules(topic: &TopicEntry) -> Result<(), String> {
    let TopicEntry { source, timeline, partitions, .. } = topic;
    holds(timeline.is_some() == (*source == SourceKind::Slot), || format!("a {source} has timeline {timeline:?}"))?;
    holds(source.is_kafka() || *partitions == 1, || format!("a {source} has {partitions} partitions"))
}

fn partition_rules(read: &PartitionEntry, source: SourceKind) -> Result<(), String> {
    let PartitionEntry { interval: Interval { from, to }, records, tally, empty, lost } = read;
    holds(from <= to, || format!("{from}..{to} runs backwards"))?;
    let Tally { bearing, events, markers, rejects, highest: _ } = tally;
    same("bearing + markers + rejects", &sum([*bearing, *markers, *rejects]), &u128::from(*records))?;
    let width = u128::try_from(i128::from(*to) - i128::from(*from)).expect("from <= to was checked");
    if source == SourceKind::Slot {
        // Many records share an offset, and most LSNs are nobody's.
        same("empty + lost", &sum([*empty, *lost]), &0)?;
        holds(width > 0 || *records == 0, || format!("{records} records at no offset"))?;
        return same("events, one in each record", events, bearing);
    }
    same("records + empty + lost", &sum([*records, *empty, *lost]), &width)?;
    // An event-bearing record holds at least one change, any other none.
    holds(events >= bearing && (*events == 0 || *bearing > 0), || format!("{events} events in {bearing} records"))
}

fn key(Delta(day, schema, table, op, _): &Delta) -> (&Day, &str, &str, usize) {
    (day, schema, table, op.index())
}

/// Sums of numbers from a file, which may be anything.
fn sum(numbers: impl IntoIterator<Item = u64>) -> u128 {
    numbers.into_iter().map(u128::from).sum()
}

fn holds(rule: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if rule { Ok(()) } else { Err(broken()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), String> {
    holds(seen == expected, || format!("{what} is {seen:?}, not {expected:?}"))
}
