//! Parts of entries that more than one writer needs.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use crate::book::State;
use crate::book::compact::MergedDay;
use crate::book::log::digested;
use crate::book::log::entry::{Entry, EntryKind, PartitionEntry, SourceKind, TopicEntry, Versions, ViewEntry};
use crate::book::log::pruning::PruneEntry;
use crate::change::{CommittedTransaction, Day, Interval, LeaderEpoch, Partition, Tally};
use crate::store::Store;

/// An entry that says something of views only.
pub(in crate::book) fn entry_of_views(
    store: &dyn Store,
    state: &State,
    generation: String,
    versions: Versions,
    views: BTreeMap<String, ViewEntry>,
) -> Entry {
    Entry {
        format: digested::FORMAT_OF_VIEWS,
        book: state.book.clone(),
        entry: state.entries,
        commit: state.commit,
        previous: state.digest.clone(),
        kind: EntryKind::Views,
        generation,
        redone_to: state.redone_to,
        written_at: write_time(store),
        commit_time: None,
        settings: state.settings.clone(),
        versions,
        topics: BTreeMap::new(),
        added: Vec::new(),
        removed: Vec::new(),
        deltas: Vec::new(),
        views,
        compaction: None,
        prune: None,
    }
}

/// What a commit has read, by topic.
///
/// # Errors
/// The rule that it breaks.
pub(super) fn topics(
    state: &State,
    positions: Vec<(Partition, Interval, Tally)>,
    leader_epochs: &BTreeMap<Partition, LeaderEpoch>,
    last_transactions: &BTreeMap<String, CommittedTransaction>,
) -> Result<BTreeMap<String, TopicEntry>, String> {
    let mut topics = BTreeMap::new();
    for (partition, interval, tally) in positions {
        let leader_epoch = leader_epochs.get(&partition).copied();
        let Partition { topic, number } = partition;
        if interval.from == interval.to {
            continue;
        }
        let known = state.topics.get(&topic).ok_or_else(|| format!("topic {topic:?} is not of this book"))?;
        let records = tally.records();
        // Offsets without a record are those that no record accounts for.
        let empty = match known.source {
            SourceKind::Slot => Some(0),
            SourceKind::Kafka | SourceKind::File => {
                u64::try_from(interval.width()).ok().and_then(|width| width.checked_sub(records))
            }
        };
        let empty = empty.ok_or_else(|| {
            let Interval { from, to } = interval;
            format!("topic {topic:?}: partition {number}: {records} records in {from}..{to}")
        })?;
        let read = PartitionEntry { interval, records, tally, empty, lost: 0, leader_epoch };
        let entry = topics.entry(topic.clone()).or_insert_with(|| TopicEntry {
            source: known.source,
            id: known.id.clone(),
            timeline: known.timeline,
            plugin_options: None,
            last_transaction: last_transactions.get(&topic).copied(),
            partitions: known.partitions,
            positions: BTreeMap::new(),
        });
        // A partition that appeared while running makes the topic that much larger.
        entry.partitions = entry.partitions.max(number.saturating_add(1));
        if entry.positions.insert(number, read).is_some() {
            return Err(format!("topic {topic:?}: partition {number} is there twice"));
        }
    }
    Ok(topics)
}

/// An entry that replaces files of a day by merged ones, on behalf of the generation that owns the book.
pub(in crate::book) fn entry_of_compaction(
    store: &dyn Store,
    state: &State,
    generation: String,
    versions: Versions,
    merged: &MergedDay,
) -> Entry {
    let (added, compaction) = merged.named_by(state.entries);
    let format = digested::FORMAT_OF_COMPACTION;
    let of_views = entry_of_views(store, state, generation, versions, BTreeMap::new());
    let (kind, removed, compaction) = (EntryKind::Compaction, merged.removed().to_vec(), Some(compaction));
    Entry { format, kind, added, removed, compaction, ..of_views }
}

/// An entry that takes the events and rejects of days before `before` out of the book, on behalf of the generation that owns it.
pub(in crate::book) fn entry_of_pruning(
    store: &dyn Store,
    state: &State,
    generation: String,
    versions: Versions,
    before: Day,
) -> Entry {
    let of_views = entry_of_views(store, state, generation, versions, BTreeMap::new());
    let (format, kind, prune) = (digested::FORMAT_OF_PRUNING, EntryKind::Prune, Some(PruneEntry { before }));
    Entry { format, kind, prune, ..of_views }
}

/// Microseconds since 1970-01-01 UTC; 0 for a clock before that.
pub(in crate::book) fn write_time(store: &dyn Store) -> i64 {
    let since = store.write_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
