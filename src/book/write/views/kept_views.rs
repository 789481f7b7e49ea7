//! The views of a run: what their files hold, and the files that a commit replaces.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::io::ErrorKind;

use twox_hash::XxHash3_64;

use crate::book::error::At;
use crate::book::log::entry::{AddedFile, BadValueCount, ViewEntry};
use crate::book::read::view_files;
use crate::book::write::staging::Staging;
use crate::book::{BookError, State, layout};
use crate::change::{Accumulators, Day, GroupKey, GroupValue, ViewChanges};
use crate::sql::ViewName;
use crate::store::layout::ViewPlace;
use crate::views::{View, ViewContents};

/// The most groups and values that are kept between commits, so that their files need not be read again. Parts that have changed
/// longest ago are left out first.
const MOST_CACHED: usize = 500_000;

/// One of the parts into which a view is divided: by the view's number, its day where it has a folder for each.
type Part = (u16, Option<Day>);

/// The views that a run keeps.
#[derive(Default)]
pub(in crate::book) struct KeptViews {
    /// By number.
    pub(in crate::book) views: Vec<View>,
    /// What parts hold, with the number of the entry that has changed it last.
    cached: BTreeMap<Part, (u64, ViewContents)>,
}

impl KeptViews {
    pub(in crate::book) fn new(views: Vec<View>) -> KeptViews {
        KeptViews { views, cached: BTreeMap::new() }
    }

    /// Writes the files that `changes` make new into staging. Every view that is current is in the answer.
    pub(in crate::book) fn stage(
        &mut self,
        staging: &Staging,
        state: &State,
        changes: ViewChanges,
    ) -> Result<BTreeMap<String, ViewEntry>, BookError> {
        let ViewChanges { groups, values, bad_values } = changes;
        let is_kept = |view: &&View| state.views.get(view.name()).is_some_and(|known| known.is_current);
        let mut entries: BTreeMap<String, ViewEntry> =
            self.views.iter().filter(is_kept).map(|view| (view.name().to_owned(), ViewEntry::default())).collect();
        for bad in bad_values {
            let name = self.views.get(usize::from(bad.view)).map(View::name);
            if let Some(entry) = name.and_then(|name| entries.get_mut(name)) {
                entry.bad_values.add(&BadValueCount { count: bad.count, first: bad.first });
            }
        }
        let mut changed: BTreeMap<u16, BTreeMap<GroupKey, Accumulators>> = BTreeMap::new();
        for (key, holds) in groups {
            // The last one is valid.
            changed.entry(key.view()).or_default().insert(key, holds);
        }
        let mut values_of: BTreeMap<GroupKey, Vec<GroupValue>> = BTreeMap::new();
        for value in values {
            values_of.entry(value.group.clone()).or_default().push(value);
        }
        for (number, groups) in changed {
            let Some(name) = self.views.get(usize::from(number)).map(|view| view.name().to_owned()) else { continue };
            let Some(entry) = entries.get_mut(&name) else { continue };
            for part in self.update(staging, state, number, groups, &mut values_of)? {
                let (_, contents) = self.cached.get(&part).expect("it was just updated");
                let view = &self.views[usize::from(number)];
                entry.files.append(&mut write_files(staging, view, part.1, contents)?);
            }
        }
        sync_staged(staging, entries.values())?;
        self.bound_cache(MOST_CACHED);
        Ok(entries)
    }

    /// Leaves out parts until no more than so many groups and values are kept.
    fn bound_cache(&mut self, most: usize) {
        let mut kept: usize = self.cached.values().map(|(_, contents)| contents.size()).sum();
        if kept <= most {
            return;
        }
        // First those that leave no room for any other, then those that changed longest ago.
        let parts = self.cached.iter().map(|(part, (changed, contents))| (contents.size() <= most, *changed, *part));
        let mut parts: Vec<(bool, u64, Part)> = parts.collect();
        parts.sort_unstable();
        for (.., part) in parts {
            if kept <= most {
                break;
            }
            kept -= self.cached.remove(&part).map_or(0, |(_, contents)| contents.size());
        }
    }

    /// Adds changed groups to the contents of their parts; returns these parts.
    fn update(
        &mut self,
        staging: &Staging,
        state: &State,
        number: u16,
        groups: BTreeMap<GroupKey, Accumulators>,
        values_of: &mut BTreeMap<GroupKey, Vec<GroupValue>>,
    ) -> Result<BTreeSet<Part>, BookError> {
        let view = &self.views[usize::from(number)];
        let days = view.days(groups.keys()).map_err(|reason| damaged(view, reason))?;
        let mut parts = BTreeSet::new();
        for ((key, holds), day) in groups.into_iter().zip(days) {
            let part = (number, day);
            if let btree_map::Entry::Vacant(new) = self.cached.entry(part) {
                new.insert((state.entries, view_files::read_part(staging.store(), state, view, day)?));
            }
            let (changed, contents) = self.cached.get_mut(&part).expect("it was just read");
            *changed = state.entries;
            contents.values.extend(values_of.remove(&key).unwrap_or_default());
            contents.groups.insert(key, holds);
            parts.insert(part);
        }
        Ok(parts)
    }
}

/// Makes the names of staged files survive a crash, before an entry names them.
pub(in crate::book) fn sync_staged<'e>(
    staging: &Staging,
    mut entries: impl Iterator<Item = &'e ViewEntry>,
) -> Result<(), BookError> {
    let folder = layout::staging_folder(staging.generation());
    match entries.any(|entry| !entry.files.is_empty()) {
        true => staging.store().sync_folder(&folder).map_err(|error| staging.explain(error, "sync", &folder)),
        false => Ok(()),
    }
}

/// Writes the files of a part into staging.
pub(in crate::book) fn write_files(
    staging: &Staging,
    view: &View,
    day: Option<Day>,
    contents: &ViewContents,
) -> Result<Vec<AddedFile>, BookError> {
    let files = view.encode(contents).map_err(|reason| damaged(view, reason))?;
    let mut added = Vec::new();
    for (kind, bytes, rows) in files {
        let path = ViewPlace { view: view.name().to_owned(), day, kind }.path();
        let xxh3 = format!("{:016x}", XxHash3_64::oneshot(&bytes));
        staging.write(&layout::staged_view_name(&path, &xxh3), &bytes)?;
        added.push(AddedFile { path, bytes: bytes.len() as u64, rows: rows as u64, xxh3 });
    }
    Ok(added)
}

pub(in crate::book) fn damaged(view: &View, reason: String) -> BookError {
    BookError::Damaged { path: layout::view_folder(layout::VIEWS, view.name()), reason }
}

/// Removes the files of views that the book does not have, and those that an earlier view of a name has left.
///
/// A file is first renamed into the run's own staging folder: a suspended run whose folder is gone removes nothing. Names that no view
/// can have are left alone. A reader may still have the files open.
pub(in crate::book) fn remove_unnamed(staging: &Staging, state: &State) -> Result<(), BookError> {
    let store = staging.store();
    let names = |folder: &str| match store.list(folder) {
        // A file stands where a folder should be: no run has made it.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        listed => listed.at("list", folder),
    };
    for below in [layout::VIEWS, layout::VIEW_STATES] {
        for name in names(below)?.into_iter().filter(|name| ViewName::parse(name).is_ok()) {
            let folder = layout::view_folder(below, &name);
            let known = state.views.get(&name);
            for entry in names(&folder)? {
                let path = format!("{folder}/{entry}");
                let paths = match layout::day_of_folder(&entry) {
                    Some(_) => names(&path)?.into_iter().map(|name| format!("{path}/{name}")).collect(),
                    None => vec![path],
                };
                let is_unnamed = |path: &String| {
                    ViewPlace::parse(path).is_some() && known.is_none_or(|known| !known.files.contains_key(path))
                };
                paths.iter().filter(|path| is_unnamed(path)).try_for_each(|path| remove(staging, path))?;
            }
        }
    }
    Ok(())
}

fn remove(staging: &Staging, path: &str) -> Result<(), BookError> {
    let name = format!("removed.{}.inprogress", path.replace('/', "."));
    match staging.store().rename(path, &staging.path(&name)) {
        Ok(()) => staging.remove(&name),
        Err(error) => match staging.explain(error, "remove", path) {
            // Another process may have removed it.
            BookError::Io { source, .. } if source.kind() == ErrorKind::NotFound => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_changed_last_stay_in_the_cache() {
        let contents = |groups: u8| {
            let mut contents = ViewContents::default();
            (0..groups).for_each(|group| {
                contents.groups.insert(GroupKey::new(0, &[group]), Accumulators::default());
            });
            contents
        };
        let mut kept = KeptViews::default();
        for (view, changed, groups) in [(0, 7, 3), (1, 5, 4), (2, 9, 2), (3, 6, 1)] {
            kept.cached.insert((view, None), (changed, contents(groups)));
        }
        let views = |kept: &KeptViews| kept.cached.keys().map(|(view, _)| *view).collect::<Vec<_>>();
        kept.bound_cache(10);
        assert_eq!(views(&kept), [0, 1, 2, 3]);
        kept.bound_cache(6);
        assert_eq!(views(&kept), [0, 2, 3]);
        kept.bound_cache(4);
        assert_eq!(views(&kept), [2]);
        kept.bound_cache(1);
        assert!(kept.cached.is_empty());
    }
}
