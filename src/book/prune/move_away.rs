//! Making an entry that prunes visible: the day folders of what it takes out of the book are moved to the replaced files. Every step
//! may be repeated: what is left to do is decided by what is in the folders.

use std::io::ErrorKind;

use crate::book::BookError;
use crate::book::concurrently::concurrently;
use crate::book::error::At;
use crate::book::layout::{
    self, REPLACED, RowsPlace, STAGING, Table, day_folder, day_of_folder, replaced_folder, staged_day_folder,
    staging_folder,
};
use crate::book::log::entry::Entry;
use crate::book::log::pruning::{Pruned, is_old};
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::change::Day;
use crate::store::Store;

/// The files of a day's folder that were pruned.
#[derive(Debug)]
pub(super) struct PrunedDay {
    table: Table,
    day: Day,
    names: Vec<String>,
    /// Whether there is nothing else in the folder.
    is_all: bool,
}

/// Takes the files away that the newest entry of this kind among `entries` prunes; all other files of these entries are in place.
///
/// # Errors
/// [`BookError::Fenced`]; [`BookError::Io`].
pub(in crate::book) fn move_pruned_files(staging: &Staging, entries: &[Entry]) -> Result<(), BookError> {
    let Some(pruned) = Pruned::newest_of(entries) else { return Ok(()) };
    let store = staging.store();
    let days = files_in_place(store, &pruned)?;
    if !days.is_empty() {
        store.create_folder(REPLACED).at("make", REPLACED)?;
        store.sync_folder(layout::PRIVATE).at("sync", layout::PRIVATE)?;
    }
    for day in &days {
        move_day(staging, day, pruned.entry)?;
    }
    // Also where a run was killed between moving folders and this.
    let own = staging_folder(staging.generation());
    let folders = [own.as_str(), Table::Events.folder(), Table::Rejects.folder(), REPLACED];
    folders.into_iter().try_for_each(|folder| gone_is_fine(store.sync_folder(folder)).at("sync", folder))
}

/// Makes durable what a run that was killed has moved into its staging folder, before that is removed.
///
/// # Errors
/// [`BookError::Io`].
pub(in crate::book) fn sync_moved_files(staging: &Staging, entries: &[Entry]) -> Result<(), BookError> {
    if Pruned::newest_of(entries).is_none() {
        return Ok(());
    }
    let store = staging.store();
    store.list(STAGING).at("list", STAGING)?.into_iter().try_for_each(|generation| {
        let folder = staging_folder(&generation);
        gone_is_fine(store.sync_folder(&folder)).at("sync", &folder)
    })
}

/// The files that were pruned and are still in their places.
pub(super) fn files_in_place(store: &dyn Store, pruned: &Pruned) -> Result<Vec<PrunedDay>, BookError> {
    let mut days = Vec::new();
    for table in [Table::Events, Table::Rejects] {
        let folders = gone_is_fine(store.list(table.folder())).at("list", table.folder())?;
        for day in folders.iter().filter_map(|name| day_of_folder(name)).filter(|day| is_old(*day, pruned.before)) {
            let folder = day_folder(table, day);
            let all = gone_is_fine(store.list(&folder)).at("list", &folder)?;
            let number = all.len();
            let is_pruned = |name: &String| {
                RowsPlace::parse(&format!("{folder}/{name}")).is_some_and(|place| pruned.covers(&place))
            };
            let names: Vec<String> = all.into_iter().filter(is_pruned).collect();
            if !names.is_empty() {
                days.push(PrunedDay { table, day, is_all: names.len() == number, names });
            }
        }
    }
    Ok(days)
}

/// Moves a day's folder away whole, so that a listing has all of its rows or none; where something else is in it, or the file system cannot,
/// its files one by one. An object store has no folders that could be moved.
fn move_day(staging: &Staging, of: &PrunedDay, entry: u64) -> Result<(), BookError> {
    let store = staging.store();
    let (folder, replaced) = (day_folder(of.table, of.day), replaced_folder(entry, of.table, of.day));
    if of.is_all && store.objects().is_none() && !store.exists(&replaced).at("look up", &replaced)? {
        // Through this run's own staging folder: a run that was suspended before this finds that folder gone, and moves nothing of what a
        // newer one has put there since. Readers look there too.
        let moved = staged_day_folder(staging.generation(), entry, of.table, of.day);
        match store.rename(&folder, &moved) {
            Ok(()) => return store.rename(&moved, &replaced).map_err(|error| staging.explain(error, "rename", &moved)),
            // Such as a folder of a lower layer of an overlay.
            Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::Unsupported) => {}
            Err(error) => return Err(staging.explain(error, "move away", &folder)),
        }
    }
    store.create_folder(&replaced).at("make", &replaced)?;
    concurrently(store, &of.names, |name| {
        let path = format!("{folder}/{name}");
        gone_is_fine(store.rename(&path, &format!("{replaced}/{name}"))).at("move away", &path)?;
        // After a crash it may have both names, and then a rename leaves both.
        gone_is_fine(store.remove_file(&path)).at("remove", &path)
    })?;
    for folder in [&replaced, &folder] {
        store.sync_folder(folder).at("sync", folder)?;
    }
    Ok(())
}
