//! The rules that each entry must keep to follow the log before it, when it is written and when it is read.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Day, Interval, LeaderEpoch, Tally};

use super::compaction;
use super::entry::{Delta, Entry, EntryKind, PartitionEntry, SourceKind, TopicEntry, ViewEntry};
use super::pruning;
use super::state::State;
use crate::book::BookError;
use crate::book::layout::{FilePlace, Table, ViewPlace};
use crate::change::{CountKey, TableName};
use crate::sql::ViewName;

impl State {
    /// Whether `entry` may follow.
    ///
    /// # Errors
    /// [`BookError::Unsound`] names the rule.
    pub fn check(&self, entry: &Entry) -> Result<(), BookError> {
        self.rules(entry).map_err(|rule| BookError::Unsound { entry: entry.entry, rule })
    }

    fn rules(&self, entry: &Entry) -> Result<(), String> {
        same("format", &entry.format, &entry.format_needed())?;
        same("entry", &entry.entry, &self.entries)?;
        same("previous", &entry.previous, &self.digest)?;
        if self.entries > 0 {
            same("book", &entry.book, &self.book)?;
            same("settings", &entry.settings, &self.settings)?;
        } else {
            same("kind", &entry.kind, &EntryKind::Fence)?;
        }
        holds(entry.redone_to < entry.entry.max(1), || format!("redone_to {} lies ahead", entry.redone_to))?;
        holds(entry.commit_time.is_none() || !entry.deltas.is_empty(), || "a commit time without changes".into())?;
        if entry.kind != EntryKind::Compaction {
            holds(entry.removed.is_empty() && entry.compaction.is_none(), || {
                "files are removed by an entry that merges none".into()
            })?;
        }
        holds(entry.kind == EntryKind::Prune || entry.prune.is_none(), || "it prunes, and is of another kind".into())?;
        for (name, topic) in &entry.topics {
            self.topic_rules(name, topic, entry.kind).map_err(|rule| format!("topic {name:?}: {rule}"))?;
        }
        for (name, said) in &entry.views {
            self.view_rules(name, said, entry.kind).map_err(|rule| format!("view {name:?}: {rule}"))?;
        }
        match entry.kind {
            EntryKind::Views => {
                same("commit", &entry.commit, &self.commit)?;
                let adds = !entry.added.is_empty() || !entry.deltas.is_empty() || !entry.topics.is_empty();
                holds(!adds && !entry.views.is_empty(), || "an entry of views adds rows, or has no views".into())
            }
            EntryKind::Fence => {
                same("commit", &entry.commit, &self.commit)?;
                holds(entry.added.is_empty() && entry.deltas.is_empty() && entry.views.is_empty(), || {
                    "a fence adds rows".into()
                })
            }
            EntryKind::Commit => {
                holds(entry.commit > self.commit, || {
                    format!("commit {} does not lie above {}", entry.commit, self.commit)
                })?;
                // Not for a fence: a checkpoint that its writer did not read may be ahead.
                holds(entry.redone_to >= self.redone_to, || {
                    format!("redone_to {} lies behind {}", entry.redone_to, self.redone_to)
                })?;
                self.row_rules(entry)
            }
            EntryKind::Compaction => compaction::check(self, entry),
            EntryKind::Prune => pruning::check(self, entry),
        }
    }

    fn view_rules(&self, name: &str, said: &ViewEntry, kind: EntryKind) -> Result<(), String> {
        ViewName::parse(name)?;
        let known = self.views.get(name).filter(|_| !said.dropped);
        let ViewEntry { declared, dropped, built, events_from, files, bad_values: _ } = said;
        if kind != EntryKind::Views {
            holds(declared.is_none() && !dropped && !built, || "declared, dropped or built in a commit".into())?;
        }
        holds(events_from.is_none() || *built, || "it has events from some day on, and is not built".into())?;
        holds(!dropped || self.views.contains_key(name), || "dropped, and there is no such view".into())?;
        holds(declared.is_none() || known.is_none(), || "declared, and there is one of this name".into())?;
        if !dropped || declared.is_some() {
            holds(known.is_some() || declared.is_some(), || "there is no such view".into())?;
        }
        let continues = !built && (!files.is_empty() || kind == EntryKind::Commit);
        holds(!continues || known.is_some_and(|known| known.is_current), || {
            "it is continued before it is built".into()
        })?;
        for file in files {
            let is_own = ViewPlace::parse(&file.path).is_some_and(|place| place.view == name);
            holds(is_own, || format!("adds {:?}", file.path))?;
        }
        Ok(())
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
                EntryKind::Commit | EntryKind::Views | EntryKind::Compaction | EntryKind::Prune => {
                    same("timeline", &topic.timeline, &known.timeline)?
                }
            }
            holds(topic.partitions >= known.partitions, || {
                format!("{} partitions, were {}", topic.partitions, known.partitions)
            })?;
        } else {
            holds(kind == EntryKind::Fence, || "new in a commit: only a fence adds topics".into())?;
        }
        transaction_rules(topic)?;
        holds(
            topic.plugin_options.is_none() || (kind == EntryKind::Fence && topic.source == SourceKind::Slot),
            || "plugin options, which only the fence of a slot has".into(),
        )?;
        for (number, read) in &topic.positions {
            let rule = |rule: String| format!("partition {number}: {rule}");
            holds((0..topic.partitions).contains(number), || format!("of {} only", topic.partitions)).map_err(rule)?;
            partition_rules(read, topic.source).map_err(rule)?;
            let from = read.interval.from;
            match known.map(|known| known.positions.get(number)) {
                // A new topic starts where the run asked for.
                None => holds(from >= 0, || format!("starts at {from}")).map_err(rule)?,
                // A partition that appeared later is read from its beginning.
                Some(None) => same("from", &from, &0).map_err(rule)?,
                Some(Some(position)) => same("from", &from, &position.next).map_err(rule)?,
            }
            let before = known.and_then(|known| known.positions.get(number)?.leader_epoch);
            epoch_rules(read, topic.source, before).map_err(rule)?;
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

        holds(entry.deltas.is_sorted_by(|one, next| one.key < next.key), || "deltas are not sorted by key".into())?;
        let mut counted: BTreeMap<Day, u128> = BTreeMap::new();
        for Delta { key: CountKey { day, table, op }, count } in &entry.deltas {
            let TableName { schema, table } = &**table;
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

/// Only what was read of a slot has transactions, and the last one lies in it.
fn transaction_rules(topic: &TopicEntry) -> Result<(), String> {
    let Some(last) = topic.last_transaction else { return Ok(()) };
    let at = last.commit_lsn.as_i64();
    let has_read = |read: &PartitionEntry| read.records > 0 && (read.interval.from..read.interval.to).contains(&at);
    holds(topic.source == SourceKind::Slot && topic.positions.values().any(has_read), || {
        format!("last transaction at {at}, which was not read")
    })
}

fn partition_rules(read: &PartitionEntry, source: SourceKind) -> Result<(), String> {
    let PartitionEntry { interval: Interval { from, to }, records, tally, empty, lost, leader_epoch: _ } = read;
    holds(from <= to, || format!("{from}..{to} runs backwards"))?;
    let Tally { bearing, events, markers, rejects, unreadable_fields: _, highest: _ } = tally;
    same("bearing + markers + rejects", &sum([*bearing, *markers, *rejects]), &u128::from(*records))?;
    let width = u128::try_from(i128::from(*to) - i128::from(*from)).expect("from <= to was checked");
    if source == SourceKind::Slot {
        // Many records share an offset, and most LSNs belong to no record.
        same("empty + lost", &sum([*empty, *lost]), &0)?;
        holds(width > 0 || *records == 0, || format!("{records} records at no offset"))?;
        return same("events, one in each record", events, bearing);
    }
    same("records + empty + lost", &sum([*records, *empty, *lost]), &width)?;
    // An event-bearing record holds at least one change, any other none.
    holds(events >= bearing && (*events == 0 || *bearing > 0), || format!("{events} events in {bearing} records"))
}

/// Only records of Kafka have a leader epoch, and it never falls along a partition.
fn epoch_rules(read: &PartitionEntry, source: SourceKind, before: Option<LeaderEpoch>) -> Result<(), String> {
    let PartitionEntry { interval: Interval { from, to }, records, leader_epoch: Some(last), .. } = read else {
        return Ok(());
    };
    holds(source.is_kafka(), || format!("a {source} has a leader epoch"))?;
    holds(*records > 0 && *from < last.to && last.to <= *to, || {
        format!("the leader epoch of offset {} is not of a record in {from}..{to}", last.to.saturating_sub(1))
    })?;
    let least = before.map_or(0, |before| before.epoch);
    holds(last.epoch >= least, || format!("leader epoch {} comes after {least}", last.epoch))
}

/// Adds numbers from a file, which may be anything.
fn sum(numbers: impl IntoIterator<Item = u64>) -> u128 {
    numbers.into_iter().map(u128::from).sum()
}

fn holds(rule: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if rule { Ok(()) } else { Err(broken()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), String> {
    holds(seen == expected, || format!("{what} is {seen:?}, not {expected:?}"))
}
