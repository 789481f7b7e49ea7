//! What views hold when a run begins: from their files, or from the events.

use std::collections::BTreeMap;

use tracing::warn;

use super::build_views::build_views;
use super::kept_views::{damaged, sync_staged, write_files};
use crate::book::log::entry::{BadValueCount, ViewEntry};
use crate::book::read::view_files;
use crate::book::write::staging::Staging;
use crate::book::{BookError, State};
use crate::change::{Accumulators, Day, GroupKey, GroupLimit, GroupValue, with_causes};
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
pub(in crate::book::write) struct ViewsAtStart {
    /// By name: what an entry must say of those that were built.
    pub(in crate::book::write) built: BTreeMap<String, ViewEntry>,
    /// By number.
    pub(in crate::book::write) views: Vec<View>,
    /// What they hold, by number.
    pub(in crate::book::write) kept: Vec<KeptView>,
}

/// Reads all views of the book, numbered in the order of their names. Those that are not current, or whose files are not as they were
/// written, are built from the events, by this many threads, and their files are staged. No more than `most_groups` are kept in memory.
///
/// `rebuilds`: all are built from the events, whatever their files hold, but for what they have of days whose events were pruned.
pub(in crate::book::write) fn views_at_start(
    staging: &Staging,
    state: &State,
    rebuilds: bool,
    threads: usize,
    most_groups: u64,
) -> Result<ViewsAtStart, BookError> {
    let mut limit = state.group_limit(most_groups);
    limit.check()?;
    let (mut views, mut kept, mut to_build) = (Vec::new(), Vec::new(), Vec::new());
    let mut entries = BTreeMap::new();
    for (number, (name, known)) in (0..).zip(&state.views) {
        let view = view_files::parse_view(state, number, name, &known.declared)?;
        let mut contents = match known.is_current && !rebuilds {
            true => read_if_whole(staging, state, &view)?,
            false => None,
        };
        if contents.is_none() && known.is_current && state.pruned.is_some() && !view.has_days() {
            // No events are left from which it could be built.
            let held = read_pruned(staging, state, &view, None)?;
            let built = ViewEntry { events_from: known.events_from, ..stage_built(staging, &view, &held)? };
            entries.insert(name.clone(), ViewEntry { bad_values: known.bad_values.clone(), ..built });
            contents = Some(held);
        }
        if contents.is_none() {
            to_build.push(usize::from(number));
            limit.add(number, if known.is_current { -(known.kept_rows() as i64) } else { 0 });
        }
        let (declared, distinct) = (known.declared.clone(), view.distinct_slots().collect());
        kept.push(KeptView { name: name.clone(), declared, distinct, contents: contents.unwrap_or_default() });
        views.push(view);
    }
    if !to_build.is_empty() {
        let wanted: Vec<&View> = to_build.iter().map(|place| &views[*place]).collect();
        let built = build_views(&staging.shared_store(), state, &[], &wanted, threads, &limit)?;
        for (place, contents) in to_build.into_iter().zip(built) {
            let view = &views[place];
            let (contents, built) = with_pruned_days(staging, state, view, contents)?;
            entries.insert(view.name().to_owned(), built);
            kept[place].contents = contents;
        }
    }
    if !entries.is_empty() {
        sync_staged(staging, entries.values())?;
    }
    Ok(ViewsAtStart { built: entries, views, kept })
}

/// What the files of a view hold; `None` where they are not as they were written.
fn read_if_whole(staging: &Staging, state: &State, view: &View) -> Result<Option<ViewContents>, BookError> {
    match view_files::read_all(staging.store(), state, view) {
        Ok(contents) => Ok(Some(contents)),
        // What cannot be read now may be whole.
        Err(error @ BookError::Io { .. }) => Err(error),
        Err(error) => {
            warn!(view = view.name(), %error, "building a view again from the events");
            Ok(None)
        }
    }
}

/// Adds to what was built from the events what the view's files hold of days whose events were pruned, and stages all of it.
fn with_pruned_days(
    staging: &Staging,
    state: &State,
    view: &View,
    built: ViewContents,
) -> Result<(ViewContents, ViewEntry), BookError> {
    let Some(pruned) = &state.pruned else {
        let said = stage_built(staging, view, &built)?;
        return Ok((built, said));
    };
    let Some(known) = state.views.get(view.name()).filter(|known| known.is_current) else {
        let said = ViewEntry { events_from: Some(pruned.before), ..stage_built(staging, view, &built)? };
        return Ok((built, said));
    };
    let mut contents = ViewContents::default();
    for (day, part) in built.by_day(view).map_err(|reason| damaged(view, reason))? {
        // What came late to such days is in the files too.
        if !day.is_some_and(|day| state.is_pruned_day(day)) {
            contents.merge(part);
        }
    }
    for day in known.days().filter(|day| state.is_pruned_day(*day)) {
        contents.merge(read_pruned(staging, state, view, Some(day))?);
    }
    let said = stage_built(staging, view, &contents)?;
    let (events_from, bad_values) = (known.events_from, known.bad_values.clone());
    Ok((contents, ViewEntry { events_from, bad_values, ..said }))
}

/// What a view holds that cannot be built again: its events were pruned.
fn read_pruned(staging: &Staging, state: &State, view: &View, day: Option<Day>) -> Result<ViewContents, BookError> {
    view_files::read_part(staging.store(), state, view, day).map_err(|error| match error {
        error @ BookError::Io { .. } => error,
        error => BookError::View {
            view: view.name().to_owned(),
            reason: format!(
                "{}: the events of that time were pruned, so it cannot be built again. Put the file back, or drop the view \
                 (walbook view drop) and create it again: it has changes of the days that are left then",
                with_causes(&error)
            )
            .into(),
        },
    })
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
