//! What views hold when a run begins: from their files, or from the events.

use std::collections::BTreeMap;

use tracing::warn;

use super::build_views::build_views;
use super::kept_views::{damaged, sync_staged, write_files};
use super::staging::Staging;
use crate::book::log::entry::{BadValueCount, ViewEntry};
use crate::book::read::view_files;
use crate::book::{BookError, State};
use crate::change::{Accumulators, GroupKey, GroupLimit, GroupValue};
use crate::views::{View, ViewContents};

/// A view of the book, and what it holds when a run begins.
#[derive(Debug)]
pub struct KeptView {
    /// Its name.
    pub name: String,
    /// Its declaration.
    pub declared: String,
    /// The places of accumulators that count distinct values.
    pub distinct: Vec<usize>,
    /// All of its groups.
    pub contents: ViewContents,
}

impl KeptView {
    /// What views hold, as a dataflow begins with it: distinct values are counted there.
    pub fn initial(views: Vec<KeptView>) -> (Vec<(GroupKey, Accumulators)>, Vec<GroupValue>) {
        let (mut groups, mut values) = (Vec::new(), Vec::new());
        for KeptView { contents, distinct, .. } in views {
            groups.extend(contents.groups.into_iter().map(|(key, mut holds)| {
                holds.clear(&distinct);
                (key, holds)
            }));
            values.extend(contents.values);
        }
        (groups, values)
    }
}

impl KeptView {
    /// The groups that views have, in a limit for all of them.
    pub fn group_limit(views: &[KeptView], most: u64) -> GroupLimit {
        let mut limit = GroupLimit::new(most, views.iter().map(|view| view.name.clone()));
        (0..).zip(views).for_each(|(number, view)| limit.add(number, view.contents.size() as i64));
        limit
    }
}

/// All views of the book when a run begins.
pub(super) struct ViewsAtStart {
    /// By name: what an entry must say of those that were built.
    pub(super) built: BTreeMap<String, ViewEntry>,
    /// By number.
    pub(super) views: Vec<View>,
    /// What they hold, by number.
    pub(super) kept: Vec<KeptView>,
}

/// Reads all views of the book, numbered in the order of their names. Those that are not current, or whose files are not as they were
/// written, are built from the events, by this many threads, and their files are staged. No more than `most_groups` are kept in memory.
pub(super) fn views_at_start(
    staging: &Staging,
    state: &State,
    threads: usize,
    most_groups: u64,
) -> Result<ViewsAtStart, BookError> {
    let mut limit = state.group_limit(most_groups);
    limit.check()?;
    let (mut views, mut kept, mut to_build) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (name, known)) in (0..).zip(&state.views) {
        let view = view_files::parse_view(state, number, name, &known.declared)?;
        let contents = match known.is_current {
            true => view_files::read_all(staging.store(), state, &view)
                .inspect_err(|error| warn!(view = name, %error, "building a view again from the events"))
                .ok(),
            false => None,
        };
        if contents.is_none() {
            to_build.push(usize::from(number));
            limit.add(number, if known.is_current { -(known.kept_rows() as i64) } else { 0 });
        }
        let (declared, distinct) = (known.declared.clone(), view.distinct_slots().collect());
        kept.push(KeptView { name: name.clone(), declared, distinct, contents: contents.unwrap_or_default() });
        views.push(view);
    }
    let mut entries = BTreeMap::new();
    if !to_build.is_empty() {
        let wanted: Vec<&View> = to_build.iter().map(|place| &views[*place]).collect();
        let built = build_views(&staging.shared_store(), state, &[], &wanted, threads, &limit)?;
        for (place, contents) in to_build.into_iter().zip(built) {
            entries.insert(views[place].name().to_owned(), stage_built(staging, &views[place], &contents)?);
            kept[place].contents = contents;
        }
        sync_staged(staging, entries.values())?;
    }
    Ok(ViewsAtStart { built: entries, views, kept })
}

/// Writes all files of a view into staging.
fn stage_built(staging: &Staging, view: &View, contents: &ViewContents) -> Result<ViewEntry, BookError> {
    let bad = view.bad_values(&contents.bad_values);
    let mut files = Vec::new();
    for (day, part) in contents.clone().by_day(view).map_err(|reason| damaged(view, reason))? {
        files.append(&mut write_files(staging, view, day, &part)?);
    }
    let bad_values = BadValueCount { count: bad.count, first: bad.first };
    Ok(ViewEntry { built: true, files, bad_values, ..ViewEntry::default() })
}
