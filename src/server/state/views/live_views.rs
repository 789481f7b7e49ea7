//! The views that the run of this process keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::known_views::KnownViews;
use super::tables::{ViewTable, ViewTables};
use super::uncommitted::UncommittedViews;
use crate::change::{Accumulators, ClosedEpoch, GroupKey};
use crate::query::ReadableView;
use crate::server::state::frames::Changes;

/// A view that a run keeps.
pub(in crate::server) struct KeptView {
    /// The view, with its number in the run.
    pub(in crate::server) view: ReadableView,
    /// The entry that declares it.
    pub(in crate::server) entry: u64,
}

/// The views that a run keeps, at a closed epoch; cheap to clone.
#[derive(Clone, Default)]
pub(in crate::server) struct LiveViews {
    kept: Arc<BTreeMap<String, KeptView>>,
    /// Those in memory.
    pub(in crate::server) tables: ViewTables,
}

impl LiveViews {
    /// The views of a run that begins, by their numbers; `known` are those of its book. Another process may have dropped some of
    /// them meanwhile.
    pub(in crate::server) fn starting_at(declared: &[String], known: &KnownViews, time_zone: &str) -> LiveViews {
        let kept = (0..).zip(declared).filter_map(|(number, declared)| {
            let view = ReadableView::parse(number, declared, time_zone).ok()?;
            let known = known.get(view.name()).filter(|known| known.is_current && known.declared == *declared)?;
            Some((view.name().to_owned(), KeptView { view, entry: known.entry }))
        });
        LiveViews { kept: Arc::new(kept.collect()), tables: ViewTables::default() }
    }

    /// A view that is kept.
    pub(in crate::server) fn get(&self, name: &str) -> Option<&KeptView> {
        self.kept.get(name)
    }

    /// The views after further epochs; the groups that changed of those in memory go to `changed`.
    pub(in crate::server) fn after(
        &self,
        epochs: &[ClosedEpoch],
        known: &KnownViews,
        changed: &mut Changes,
    ) -> LiveViews {
        let tables = match self.tables.is_empty() {
            true => self.tables.clone(),
            false => self.tables.retained(known).after(|name| self.changed(name, epochs), changed),
        };
        LiveViews { kept: Arc::clone(&self.kept), tables }
    }

    /// The changed groups of a view.
    fn changed<'e>(
        &self,
        name: &str,
        epochs: &'e [ClosedEpoch],
    ) -> impl Iterator<Item = (&'e GroupKey, &'e Accumulators)> + use<'e> {
        let number = self.kept.get(name).map(|kept| kept.view.number());
        let groups = epochs.iter().flat_map(|closed| &closed.views).flat_map(|changes| &changes.groups);
        groups.filter(move |(key, _)| Some(key.view()) == number).map(|(key, holds)| (key, holds))
    }

    /// The same without those that were dropped: the book has another view of the name, or none.
    pub(in crate::server) fn without_dropped(&self, known: &KnownViews) -> LiveViews {
        let is_known = |name: &String, kept: &KeptView| known.get(name).is_some_and(|view| view.entry == kept.entry);
        if self.kept.iter().all(|(name, kept)| is_known(name, kept)) {
            return self.clone();
        }
        let kept = self.kept.iter().filter(|(name, kept)| is_known(name, kept));
        let kept = kept.map(|(name, kept)| (name.clone(), KeptView { view: kept.view.clone(), entry: kept.entry }));
        LiveViews { kept: Arc::new(kept.collect()), tables: self.tables.retained(known) }
    }

    /// The same with a view in memory: `table` is of the newest commit, and `uncommitted` has what changed since then.
    pub(in crate::server) fn with_table(
        &self,
        name: &str,
        mut table: ViewTable,
        uncommitted: &UncommittedViews,
    ) -> Option<LiveViews> {
        let number = self.kept.get(name)?.view.number();
        table.groups.set(uncommitted.of_view(number)).ok()?;
        Some(LiveViews { kept: Arc::clone(&self.kept), tables: self.tables.with(name, table) })
    }
}
