//! The groups of a view in memory.
//!
//! A server must not read the files of a view for each request, and what a run has read since its newest commit is in none.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::answer::{SelectedRows, ViewQuery};
use super::columns::ViewColumn;
use super::readable_view::ReadableView;
use super::rows_text::append_json;
use super::sorted_groups::{SortedGroups, ViewGroup};
use crate::book::{BookError, Snapshot};
use crate::change::{Accumulators, Day, GroupKey};
use crate::query::{Filter, QueryError};
use crate::views::View;

/// About the bytes of a value in JSON, besides its column's name.
const VALUE_BYTES: usize = 24;

/// All groups of a view at one state; cheap to clone.
#[derive(Clone, Debug)]
pub struct ViewGroups {
    view: Arc<View>,
    pub(super) groups: SortedGroups,
}

impl ViewGroups {
    /// Reads all groups of a view from the files of a snapshot.
    ///
    /// # Errors
    /// [`QueryError::Read`] for files that are missing or not as committed: a run may have replaced them since the snapshot.
    pub fn read(snapshot: &Snapshot, view: &ReadableView) -> Result<ViewGroups, QueryError> {
        let read = snapshot.view_groups(&view.0, &|_| true)?;
        ViewGroups::of(view, &read)
    }

    /// Groups of a view, each once.
    ///
    /// # Errors
    /// As [`ViewGroups::set`].
    pub fn of<'g>(
        view: &ReadableView,
        groups: impl IntoIterator<Item = (&'g GroupKey, &'g Accumulators)>,
    ) -> Result<ViewGroups, QueryError> {
        let groups = SortedGroups::of(grouped(&view.0, groups)?);
        Ok(ViewGroups { view: Arc::clone(&view.0), groups })
    }

    /// Reads the groups of some days again; returns those that changed.
    ///
    /// # Errors
    /// As [`ViewGroups::read`].
    pub fn read_days(
        &mut self,
        snapshot: &Snapshot,
        days: &BTreeSet<Option<Day>>,
    ) -> Result<Vec<Arc<ViewGroup>>, QueryError> {
        let read = snapshot.view_groups(&self.view, &|day| days.contains(&day))?;
        let mut changed = grouped(&self.view, &read)?;
        changed.retain(|group| self.groups.get(group).is_none_or(|known| known.holds != group.holds));
        changed.iter().for_each(|group| self.groups.set(Arc::clone(group)));
        Ok(changed)
    }

    /// Sets what groups of this view hold; returns them. If one occurs twice, the last one is valid.
    ///
    /// # Errors
    /// [`QueryError::Read`] for groups of another view.
    pub fn set<'g>(
        &mut self,
        changed: impl Iterator<Item = (&'g GroupKey, &'g Accumulators)>,
    ) -> Result<Vec<Arc<ViewGroup>>, QueryError> {
        let changed = grouped(&self.view, changed)?;
        changed.iter().for_each(|group| self.groups.set(Arc::clone(group)));
        Ok(changed)
    }

    /// The view.
    pub fn view(&self) -> ReadableView {
        ReadableView(Arc::clone(&self.view))
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Bytes of their keys and of values that are kept packed.
    pub fn packed_bytes(&self) -> usize {
        self.groups.iter(&Filter::default()).map(|group| group.packed_bytes()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows that are asked for.
    ///
    /// # Errors
    /// [`QueryError::NoColumn`] names the columns; [`QueryError::NoViewDays`] for days of a view that has none; [`QueryError::Condition`].
    pub fn rows(&self, query: &ViewQuery) -> Result<SelectedRows, QueryError> {
        query.check(&self.view)?;
        // Of rows in their own order only those that are asked for are computed.
        let in_order = query.order.is_empty() && query.condition.is_none();
        let most = query.limit.filter(|_| in_order).unwrap_or(usize::MAX);
        let groups: Vec<&ViewGroup> = self.groups.iter(&query.days).take(most).map(|group| &**group).collect();
        query.select(&self.view, &self.rows_of(&groups)?)
    }

    /// The present rows of changed groups on the days of a filter as JSON, with commas between them; each once, in order.
    ///
    /// # Errors
    /// As [`ViewGroups::set`].
    pub fn changed_json<'g>(
        &self,
        changed: impl Iterator<Item = &'g Arc<ViewGroup>>,
        days: &Filter,
    ) -> Result<Vec<u8>, QueryError> {
        let mut changed: Vec<Arc<ViewGroup>> = changed.cloned().collect();
        ViewGroup::deduplicate(&mut changed);
        let present = changed.iter().filter_map(|group| self.groups.get(group));
        let present: Vec<&ViewGroup> = present.filter(|group| group.is_on(days)).map(|group| &**group).collect();
        let mut text = Vec::new();
        self.append_json(&present, true, &mut text)?;
        Ok(text)
    }

    pub(super) fn append_json(
        &self,
        groups: &[&ViewGroup],
        is_first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), QueryError> {
        let unprintable = |error: std::io::Error| other_view(&self.view, error.to_string());
        Ok(append_json(&self.rows_of(groups)?, is_first, out).map_err(unprintable)?)
    }

    /// Refuses days of a view that has none, and a range that is none.
    ///
    /// # Errors
    /// [`QueryError::NoViewDays`], [`QueryError::NoDays`].
    pub fn check_days(&self, days: &Filter) -> Result<(), QueryError> {
        ViewQuery { days: days.clone(), ..ViewQuery::default() }.check(&self.view)
    }

    /// About the bytes of a row as JSON.
    pub fn row_bytes(&self) -> usize {
        self.columns().iter().map(|column| column.name.len() + VALUE_BYTES).sum()
    }

    /// The columns of the view.
    pub fn columns(&self) -> Vec<ViewColumn> {
        ViewColumn::of(&self.view)
    }

    fn rows_of(&self, groups: &[&ViewGroup]) -> Result<RecordBatch, QueryError> {
        let groups: Vec<(&GroupKey, &Accumulators)> = groups.iter().map(|group| (&group.key, &group.holds)).collect();
        Ok(self.view.rows_of(&groups).map_err(|reason| other_view(&self.view, reason))?)
    }
}

fn grouped<'g>(
    view: &View,
    groups: impl IntoIterator<Item = (&'g GroupKey, &'g Accumulators)>,
) -> Result<Vec<Arc<ViewGroup>>, QueryError> {
    let groups: Vec<(&GroupKey, &Accumulators)> = groups.into_iter().collect();
    let days = view.days(groups.iter().map(|(key, _)| *key)).map_err(|reason| other_view(view, reason))?;
    let group = |((key, holds), day): ((&GroupKey, &Accumulators), Option<Day>)| {
        Arc::new(ViewGroup { day, key: key.clone(), holds: holds.clone() })
    };
    Ok(groups.into_iter().zip(days).map(group).collect())
}

fn other_view(view: &View, reason: String) -> BookError {
    BookError::View { view: view.name().to_owned(), reason: reason.into() }
}
