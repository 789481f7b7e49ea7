//! Whether entries follow each other, and add up.
//!
//! Written independently of the writer's rules: two programs must agree that a log is right.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::Lost;
use crate::book::log::base::Base;
use crate::book::log::commit_log::LoggedEntry;
use crate::book::log::compaction;
use crate::book::log::compaction::{CompactionEntry, Compactions, RowSum};
use crate::book::log::days::day_files::{DayFiles, add_entry};
use crate::book::log::days::reject_days;
use crate::book::log::entry::{BookSettings, Delta, Entry, EntryKind, PartitionEntry, SourceKind, TopicEntry};
use crate::book::log::pruning;
use crate::book::log::pruning::Pruned;
use crate::book::log::state::follow_views;
use crate::book::{DayState, PartitionState, State, TopicState, ViewState};
use crate::change::{CommitNumber, Day, LeaderEpoch, Partition, Place};

/// The log up to some entry.
#[derive(Default)]
pub(super) struct Chain {
    before: Option<Before>,
    generations: BTreeSet<String>,
    next_offsets: BTreeMap<Partition, i64>,
    /// By partition: the highest place so far.
    highest: BTreeMap<Partition, Place>,
    /// By partition: offsets that were accepted as lost.
    lost: BTreeMap<Partition, Lost>,
    /// By partition: the leader epoch of the last record, where it is known.
    leader_epochs: BTreeMap<Partition, LeaderEpoch>,
    /// By partition: fields beside lines that could not be read.
    unreadable_fields: BTreeMap<Partition, u64>,
    /// By topic: all but its positions.
    topics: BTreeMap<String, TopicState>,
    days: BTreeMap<Day, DayState>,
    /// By day of Kafka's timestamp: the number of rejects.
    rejects: BTreeMap<Day, u64>,
    files: BTreeMap<Day, DayFiles>,
    compactions: Option<Compactions>,
    views: BTreeMap<String, ViewState>,
    pruned: Option<Pruned>,
    /// The highest commit time of the newest entry that adds changes.
    commit_time: Option<i64>,
    /// Sums over all entries.
    pub(super) sums: LogSums,
}

struct Before {
    digest: String,
    book: String,
    settings: BookSettings,
    generation: String,
    number: u64,
    commit: CommitNumber,
    redone_to: u64,
}

/// Records and changes of the whole log.
#[derive(Default)]
pub(super) struct LogSums {
    pub(super) records: u64,
    pub(super) bearing: u64,
    pub(super) events: u64,
    pub(super) markers: u64,
    pub(super) rejects: u64,
    pub(super) unreadable_fields: u64,
    pub(super) empty: u64,
    pub(super) lost: u64,
}

impl Chain {
    /// The log up to a base.
    pub(super) fn after(base: &Base) -> Chain {
        let state = &base.state;
        let mut chain = Chain {
            days: state.days.clone(),
            rejects: state.rejects.clone().unwrap_or_default(),
            files: state.files.clone().unwrap_or_default(),
            compactions: state.compactions.clone(),
            views: state.views.clone(),
            pruned: state.pruned,
            commit_time: state.commit_time,
            generations: BTreeSet::from([state.generation.clone()]),
            before: Some(Before {
                digest: state.digest.clone(),
                book: state.book.clone(),
                settings: state.settings.clone(),
                generation: state.generation.clone(),
                number: base.entry(),
                commit: state.commit,
                redone_to: state.redone_to,
            }),
            ..Chain::default()
        };
        for (topic, known) in &state.topics {
            for (number, position) in &known.positions {
                let partition = || Partition { topic: topic.clone(), number: *number };
                chain.next_offsets.insert(partition(), position.next);
                chain.unreadable_fields.insert(partition(), position.unreadable_fields);
                chain.highest.extend(position.highest.map(|highest| (partition(), highest)));
                chain.lost.extend(position.lost.map(|lost| (partition(), lost)));
                chain.leader_epochs.extend(position.leader_epoch.map(|last| (partition(), last)));
            }
            chain.topics.insert(topic.clone(), TopicState { positions: BTreeMap::new(), ..known.clone() });
        }
        base.read.values().flat_map(BTreeMap::values).for_each(|read| chain.sums.add(read));
        chain
    }

    /// Adds the next entry; returns what is wrong with its links, and with its numbers.
    pub(super) fn add(&mut self, logged: &LoggedEntry) -> (Vec<String>, Vec<String>) {
        let entry = &logged.entry;
        let links = self.wrong_links(entry);
        let mut numbers = Vec::new();
        for (topic, read) in &entry.topics {
            numbers.extend(self.wrong_topic(topic, read, entry.kind));
            for (number, position) in &read.positions {
                let partition = Partition { topic: topic.clone(), number: *number };
                numbers.extend(self.wrong_position(&partition, position, entry.kind, read.source));
                numbers.extend(self.wrong_leader_epoch(&partition, position, read.source));
                self.sums.add(position);
                if let Some(lost) = Lost::after(self.lost.get(&partition).copied(), position) {
                    self.lost.insert(partition.clone(), lost);
                }
                let unreadable_fields = self.unreadable_fields.entry(partition.clone()).or_default();
                *unreadable_fields = unreadable_fields.saturating_add(position.tally.unreadable_fields);
                self.next_offsets.insert(partition, position.interval.to);
            }
        }
        numbers.extend(wrong_sums(entry));
        if !entry.deltas.is_empty() {
            self.commit_time = entry.commit_time;
        }
        for Delta { key, count } in &entry.deltas {
            let known = self.days.entry(key.day).or_insert(DayState { changes: 0, entry: 0 });
            known.changes = known.changes.saturating_add(count.unsigned_abs());
            known.entry = entry.entry;
        }
        reject_days::add(&mut self.rejects, entry);
        add_entry(&mut self.files, entry);
        compaction::add_entry(&mut self.compactions, entry);
        follow_views(&mut self.views, entry);
        pruning::add_entry(&mut self.pruned, Some(&mut self.files), entry);
        self.generations.insert(entry.generation.clone());
        self.before = Some(Before {
            digest: logged.digest.clone(),
            book: entry.book.clone(),
            settings: entry.settings.clone(),
            generation: entry.generation.clone(),
            number: entry.entry,
            commit: entry.commit,
            redone_to: entry.redone_to,
        });
        (links, numbers)
    }

    /// The newest commit's number so far.
    pub(super) fn commit(&self) -> CommitNumber {
        self.before.as_ref().map_or(0, |before| before.commit)
    }

    /// What a checkpoint of the newest entry must hold; `None` before the first.
    pub(super) fn state(&self) -> Option<State> {
        let before = self.before.as_ref()?;
        let mut state = State {
            entries: before.number + 1,
            digest: before.digest.clone(),
            commit: before.commit,
            commit_time: self.commit_time,
            // It is written after the entry is redone.
            redone_to: before.number,
            generation: before.generation.clone(),
            days: self.days.clone(),
            rejects: Some(self.rejects.clone()),
            files: Some(self.files.clone()),
            compactions: self.compactions.clone(),
            views: self.views.clone(),
            pruned: self.pruned,
            ..State::new(before.book.clone(), before.settings.clone())
        };
        state.topics.clone_from(&self.topics);
        for (partition, next) in &self.next_offsets {
            let (highest, lost) = (self.highest.get(partition).copied(), self.lost.get(partition).copied());
            let leader_epoch = self.leader_epochs.get(partition).copied();
            let unreadable_fields = self.unreadable_fields.get(partition).copied().unwrap_or(0);
            let position = PartitionState { next: *next, highest, lost, leader_epoch, unreadable_fields };
            state.topics.get_mut(&partition.topic)?.positions.insert(partition.number, position);
        }
        Some(state)
    }

    /// The highest places of an entry's partitions before it; then adds its own.
    pub(super) fn replace_highest(&mut self, entry: &Entry) -> BTreeMap<Partition, Place> {
        let mut before = BTreeMap::new();
        for (topic, read) in &entry.topics {
            for (number, position) in &read.positions {
                let Some(place) = position.tally.highest else { continue };
                let partition = Partition { topic: topic.clone(), number: *number };
                let highest = self.highest.get(&partition).copied();
                before.extend(highest.map(|highest| (partition.clone(), highest)));
                self.highest.insert(partition, highest.map_or(place, |highest| highest.max(place)));
            }
        }
        before
    }

    /// The number of partitions.
    pub(super) fn partitions(&self) -> usize {
        self.next_offsets.len()
    }

    fn wrong_links(&self, entry: &Entry) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(before) = &self.before else {
            if entry.entry == 0 && (!entry.previous.is_empty() || entry.kind != EntryKind::Fence) {
                wrong.push("it is the first, but not a fence without a predecessor".to_owned());
            }
            return wrong;
        };
        // After a gap the link and the generation cannot be compared.
        let adjoins = entry.entry == before.number + 1;
        if adjoins && entry.previous != before.digest {
            wrong.push(format!(
                "its previous is {}, entry {} has digest {}",
                entry.previous, before.number, before.digest
            ));
        }
        if entry.book != before.book {
            wrong.push(format!("it is of book {}, the entry before of {}", entry.book, before.book));
        }
        if entry.settings != before.settings {
            wrong.push("its time zone or day rule differs from the entry before".to_owned());
        }
        if entry.redone_to < before.redone_to || entry.redone_to >= entry.entry {
            wrong.push(format!("its redone_to is {}, the entry before has {}", entry.redone_to, before.redone_to));
        }
        match entry.kind {
            EntryKind::Fence => {
                if self.generations.contains(&entry.generation) {
                    wrong.push(format!("it opens generation {} again", entry.generation));
                }
                if adjoins && entry.commit != before.commit {
                    wrong.push(format!("it is a fence with commit {}, not {}", entry.commit, before.commit));
                }
            }
            EntryKind::Views => {
                if adjoins && (entry.generation != before.generation || entry.commit != before.commit) {
                    wrong.push("it changes generation or commit, and says something of views only".to_owned());
                }
            }
            EntryKind::Compaction => {
                if adjoins && (entry.generation != before.generation || entry.commit != before.commit) {
                    wrong.push("it changes generation or commit, and merges files only".to_owned());
                }
                if !entry.topics.is_empty() || !entry.deltas.is_empty() {
                    wrong.push("it reads or counts, and merges files only".to_owned());
                }
            }
            EntryKind::Prune => {
                if adjoins && (entry.generation != before.generation || entry.commit != before.commit) {
                    wrong.push("it changes generation or commit, and prunes only".to_owned());
                }
                if !entry.topics.is_empty() || !entry.deltas.is_empty() || !entry.added.is_empty() {
                    wrong.push("it reads, counts or adds, and prunes only".to_owned());
                }
                match entry.prune {
                    None => wrong.push("it prunes, and has no day".to_owned()),
                    Some(prune) if self.pruned.is_some_and(|before| before.before > prune.before) => {
                        wrong.push(format!("it prunes days before {}, an entry before it later ones", prune.before));
                    }
                    Some(_) => {}
                }
            }
            EntryKind::Commit => {
                if adjoins && entry.generation != before.generation {
                    wrong.push(format!(
                        "generation {} wrote it, but {} holds the fence",
                        entry.generation, before.generation
                    ));
                }
                if entry.commit <= before.commit {
                    wrong.push(format!("its commit {} is not above {}", entry.commit, before.commit));
                }
            }
        }
        wrong
    }

    /// Adds a topic of an entry; returns how it differs from earlier entries.
    fn wrong_topic(&mut self, name: &str, read: &TopicEntry, kind: EntryKind) -> Option<String> {
        let TopicEntry { source, id, timeline, plugin_options, partitions, positions: _, last_transaction: _ } = read;
        let (source, timeline, partitions) = (*source, *timeline, *partitions);
        if timeline.is_some() != (source == SourceKind::Slot) {
            return Some(format!("{name} is a {source} with timeline {timeline:?}"));
        }
        let before = self.topics.get(name);
        let known = before.and_then(|before| before.plugin_options.clone());
        let mut recent = before.map(|before| before.recent.clone()).unwrap_or_default();
        read.add_transactions(known.as_deref(), &mut recent);
        let plugin_options = plugin_options.clone().or(known);
        let (id_now, positions) = (id.clone(), BTreeMap::new());
        let now = TopicState { source, id: id_now, timeline, plugin_options, recent, partitions, positions };
        let before = self.topics.insert(name.to_owned(), now)?;
        if source != before.source {
            Some(format!("{name} is a {source}, it was a {}", before.source))
        } else if *id != before.id {
            Some(format!("{name} has id {id:?}, it had {:?}", before.id))
        } else if timeline < before.timeline || (kind == EntryKind::Commit && timeline != before.timeline) {
            Some(format!("{name} is on timeline {timeline:?}, it was on {:?}", before.timeline))
        } else {
            None
        }
    }

    /// Adds the leader epoch of an entry's last record; returns how it contradicts those before.
    fn wrong_leader_epoch(
        &mut self,
        partition: &Partition,
        position: &PartitionEntry,
        source: SourceKind,
    ) -> Option<String> {
        let before = match (position.leader_epoch, position.records) {
            (Some(last), _) => self.leader_epochs.insert(partition.clone(), last),
            // What was known is not that of the last record any more.
            (None, 1..) => self.leader_epochs.remove(partition),
            (None, 0) => None,
        };
        let last = position.leader_epoch?;
        let in_interval = position.interval.from < last.to && last.to <= position.interval.to;
        let wrong = if source != SourceKind::Kafka || last.epoch < 0 || position.records == 0 || !in_interval {
            format!("has leader epoch {} of offset {}, which was not read", last.epoch, last.to.saturating_sub(1))
        } else if let Some(before) = before.filter(|before| before.epoch > last.epoch) {
            format!("has leader epoch {} after {}", last.epoch, before.epoch)
        } else {
            return None;
        };
        Some(format!("partition {} of {} {wrong}", partition.number, partition.topic))
    }

    fn wrong_position(
        &self,
        partition: &Partition,
        position: &PartitionEntry,
        kind: EntryKind,
        source: SourceKind,
    ) -> Option<String> {
        let Partition { topic, number } = partition;
        let (interval, tally) = (position.interval, &position.tally);
        let width = i128::from(interval.to) - i128::from(interval.from);
        let accounted = i128::from(position.records) + i128::from(position.empty) + i128::from(position.lost);
        let read = i128::from(tally.bearing) + i128::from(tally.markers) + i128::from(tally.rejects);
        let wrong = if self.next_offsets.get(partition).is_some_and(|next| *next != interval.from) {
            format!("begins at offset {}, but {} was read", interval.from, self.next_offsets[partition])
        } else if interval.from < 0 || width < 0 || (kind == EntryKind::Fence && width != 0) {
            format!("has the interval {}..{}", interval.from, interval.to)
        } else if source != SourceKind::Slot && width != accounted {
            format!("has {width} offsets, but {accounted} are accounted for")
        } else if source == SourceKind::Slot && (position.empty > 0 || position.lost > 0) {
            format!(
                "has {} offsets without a record, which a slot does not count",
                accounted - i128::from(position.records)
            )
        } else if source == SourceKind::Slot && (tally.events != tally.bearing || (width == 0 && position.records > 0))
        {
            format!("has {} changes in {} records of {width} offsets", tally.events, position.records)
        } else if i128::from(position.records) != read {
            format!("has {} records, but {read} with changes, markers and rejects", position.records)
        } else if tally.events < tally.bearing || (tally.bearing == 0 && tally.events > 0) {
            format!("has {} changes in {} records", tally.events, tally.bearing)
        } else {
            return None;
        };
        Some(format!("partition {number} of {topic} {wrong}"))
    }
}

impl LogSums {
    fn add(&mut self, position: &PartitionEntry) {
        let tally = &position.tally;
        let sums = [
            (&mut self.records, position.records),
            (&mut self.bearing, tally.bearing),
            (&mut self.events, tally.events),
            (&mut self.markers, tally.markers),
            (&mut self.rejects, tally.rejects),
            (&mut self.unreadable_fields, tally.unreadable_fields),
            (&mut self.empty, position.empty),
            (&mut self.lost, position.lost),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
    }
}

fn wrong_sums(entry: &Entry) -> Vec<String> {
    let positions = || entry.topics.values().flat_map(|read| read.positions.values());
    let events: u128 = positions().map(|position| u128::from(position.tally.events)).sum();
    let rejects: u128 = positions().map(|position| u128::from(position.tally.rejects)).sum();
    let deltas: i128 = entry.deltas.iter().map(|delta| i128::from(delta.count)).sum();
    let rows = |table: &str| -> u128 {
        let files = entry.added.iter().filter(|file| file.path.starts_with(table));
        files.map(|file| u128::from(file.rows)).sum()
    };
    let (event_rows, reject_rows) = (rows("events/"), rows("rejects/"));
    let mut wrong = Vec::new();
    if i128::try_from(events) != Ok(deltas) {
        wrong.push(format!("it has {events} changes, its deltas add up to {deltas}"));
    }
    if let Some(CompactionEntry { removed, added, .. }) = &entry.compaction {
        let mut row_sum = RowSum::default();
        added.iter().for_each(|file| row_sum.add(file.row_sum));
        let (before, after) = ((removed.rows.into(), removed.row_sum), (event_rows + reject_rows, row_sum));
        if before != after {
            wrong.push(format!(
                "it removes {} rows of sum {}, and adds {} of sum {}",
                before.0, before.1, after.0, after.1
            ));
        }
    }
    // An entry that removes files writes their rows again.
    if entry.removed.is_empty() && events != event_rows {
        wrong.push(format!("it has {events} changes, its files of events {event_rows} rows"));
    }
    if entry.removed.is_empty() && rejects != reject_rows {
        wrong.push(format!("it has {rejects} rejects, its files of rejects {reject_rows} rows"));
    }
    if entry.deltas.iter().any(|delta| delta.count <= 0) {
        wrong.push("a delta is not positive".to_owned());
    }
    let keys: BTreeSet<_> = entry.deltas.iter().map(|delta| &delta.key).collect();
    if keys.len() != entry.deltas.len() {
        wrong.push("a key has two deltas".to_owned());
    }
    wrong
}
