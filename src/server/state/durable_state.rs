//! The book at its newest entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counts::CountsSnapshot;
use super::views::{KnownViews, ViewTable, ViewTables};
use crate::book::log::days::reject_days;
use crate::book::log::entry::{EntryKind, SourceKind};
use crate::book::log::{base, commit_log};
use crate::book::{Compactions, CompleteTo, Entry, FileTotals, Lost, PartitionState, Pruned, State};
use crate::change::{Day, Partition};
use crate::query::{CountId, Totals};
use crate::store::BookStore;

/// How many entries are read back for the newest commit.
const LOOK_BACK: u64 = 32;

/// The book at its newest entry.
#[derive(Clone)]
pub(in crate::server) struct DurableState {
    /// The counts.
    pub(in crate::server) counts: Arc<CountsSnapshot>,
    /// The book's identity.
    pub(in crate::server) id: String,
    /// Its day rule: `auto`, `commit` or `kafka`.
    pub(in crate::server) day_from: String,
    /// The generation that wrote the newest entry.
    pub(in crate::server) generation: String,
    /// The newest entry's number.
    pub(in crate::server) entry: u64,
    /// When the newest commit was made, in microseconds since 1970-01-01 UTC by its writer's clock.
    pub(in crate::server) committed_at: Option<i64>,
    /// How many changes the newest commit added.
    pub(in crate::server) changes: Option<u64>,
    /// When the book was made, by its first writer's clock.
    pub(in crate::server) made_at: Option<i64>,
    /// By topic: what kind of source it is.
    pub(in crate::server) sources: BTreeMap<String, SourceKind>,
    /// By partition: what was accepted as lost.
    pub(in crate::server) lost: BTreeMap<Partition, Lost>,
    /// Fields beside lines that could not be read.
    pub(in crate::server) unreadable_fields: u64,
    /// All files of events and rejects, where the log says it.
    pub(in crate::server) files: Option<FileTotals>,
    /// What compactions have done.
    pub(in crate::server) compactions: Option<Compactions>,
    /// Which events and rejects are gone.
    pub(in crate::server) pruned: Option<Pruned>,
    /// Its views.
    pub(in crate::server) views: KnownViews,
    /// Those in memory, of a book that another process writes.
    pub(in crate::server) tables: ViewTables,
}

/// When a book was made whose first entry was swept.
fn made_at(book: &BookStore) -> Option<i64> {
    base::read_newest(book).ok().flatten().map(|base| base.made_at)
}

/// What entries hold that the folded log does not.
struct CommitFacts {
    committed_at: Option<i64>,
    changes: Option<u64>,
    made_at: Option<i64>,
}

impl DurableState {
    /// The book at an entry. What the folded log does not hold is read from its newest entries; what cannot be read of them
    /// stays unknown.
    pub(in crate::server) fn read(
        book: &BookStore,
        state: &State,
        totals: Totals,
        rejects: BTreeMap<Day, u64>,
    ) -> DurableState {
        let newest = state.newest_entry().unwrap_or(0);
        let read = |number| commit_log::read_entry(book, number).ok().flatten().map(|logged| logged.entry);
        let mut entries = (newest.saturating_sub(LOOK_BACK)..=newest).rev().map_while(read);
        let commit = entries.find(|entry| entry.kind == EntryKind::Commit);
        let facts = CommitFacts {
            committed_at: commit.as_ref().map(|commit| commit.written_at),
            changes: commit.as_ref().map(changes),
            made_at: made_at(book).or_else(|| read(0).map(|entry| entry.written_at)),
        };
        DurableState::new(state, totals, facts, Arc::new(rejects), &KnownViews::default())
    }

    /// The book after further entries, and the counts that changed.
    pub(in crate::server) fn after(&self, entries: &[Entry], state: &State) -> (DurableState, Vec<CountId>) {
        let mut totals = self.counts.totals.clone();
        let cells = entries.iter().flat_map(|entry| add_deltas(&mut totals, entry)).collect();
        let commit = entries.iter().rev().find(|entry| entry.kind == EntryKind::Commit);
        let facts = CommitFacts {
            committed_at: commit.map(|commit| commit.written_at).or(self.committed_at),
            changes: commit.map(changes).or(self.changes),
            made_at: self.made_at,
        };
        let mut rejects = Arc::clone(&self.counts.rejects);
        for entry in entries.iter().filter(|entry| entry.adds_rejects()) {
            reject_days::add(Arc::make_mut(&mut rejects), entry);
        }
        (DurableState::new(state, totals, facts, rejects, &self.views), cells)
    }

    /// The same with the views of a later entry.
    pub(in crate::server) fn with_views_of(&self, log: &State) -> DurableState {
        DurableState { views: KnownViews::at(log, &self.views), ..self.clone() }
    }

    /// The same with a view in memory, given its groups at this entry.
    pub(in crate::server) fn with_view_table(&self, name: &str, table: ViewTable) -> DurableState {
        DurableState { tables: self.tables.with(name, table), ..self.clone() }
    }

    fn new(
        state: &State,
        totals: Totals,
        facts: CommitFacts,
        rejects: Arc<BTreeMap<Day, u64>>,
        views_before: &KnownViews,
    ) -> DurableState {
        let CommitFacts { committed_at, changes, made_at } = facts;
        let (complete_to, time_zone) = (CompleteTo::new(state), state.settings.time_zone.clone());
        DurableState {
            counts: Arc::new(CountsSnapshot { totals, complete_to, time_zone, rejects }),
            id: state.book.clone(),
            day_from: state.settings.day_from.clone(),
            generation: state.generation.clone(),
            entry: state.newest_entry().unwrap_or(0),
            committed_at,
            changes,
            made_at,
            sources: state.topics.iter().map(|(name, topic)| (name.clone(), topic.source)).collect(),
            lost: lost(state),
            unreadable_fields: positions(state).map(|(_, position)| position.unreadable_fields).sum(),
            files: state.files.as_ref().map(|files| FileTotals::of(files.values())),
            compactions: state.compactions.clone(),
            pruned: state.pruned,
            views: KnownViews::at(state, views_before),
            tables: ViewTables::default(),
        }
    }
}

fn changes(commit: &Entry) -> u64 {
    commit.deltas.iter().map(|delta| delta.count.unsigned_abs()).sum()
}

fn lost(state: &State) -> BTreeMap<Partition, Lost> {
    positions(state).filter_map(|(partition, position)| Some((partition, position.lost?))).collect()
}

fn positions(state: &State) -> impl Iterator<Item = (Partition, &PartitionState)> {
    state.topics.iter().flat_map(|(topic, known)| {
        known.positions.iter().map(|(number, position)| (Partition { topic: topic.clone(), number: *number }, position))
    })
}

fn add_deltas(totals: &mut Totals, entry: &Entry) -> Vec<CountId> {
    entry.deltas.iter().map(|delta| totals.add(&delta.key, delta.count.unsigned_abs())).collect()
}

#[cfg(test)]
impl DurableState {
    /// A book that holds these counts and nothing else of interest.
    pub(in crate::server) fn holding(totals: &Totals) -> DurableState {
        let settings =
            crate::book::log::entry::BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let facts = CommitFacts { committed_at: None, changes: None, made_at: None };
        DurableState::new(
            &State::new(String::new(), settings),
            totals.clone(),
            facts,
            Arc::default(),
            &KnownViews::default(),
        )
    }
}
