//! Making compactions visible: a day's folder is built anew beside the old one and exchanged with it whole, so that a listing at any
//! moment has each row once. Every step may be repeated: what is left to do is decided by what is in the folder.
//!
//! *Why* built in this run's staging folder: the start of a newer run removes it, so a run that was suspended before the exchange
//! cannot undo a later one. *Why* commits' files are placed before: a folder that is built has all files of entries that this run has put.
//!
//! Where folders cannot be exchanged, the merged files are put in place first and the replaced ones moved away directly after.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};

use crate::book::error::At;
use crate::book::layout::{
    MergedPlace, REPLACED, RowsPlace, STAGING, Table, day_folder, file_name, parent, replaced_folder,
    staged_day_folder, staged_merged_name, staged_merged_path, staging_folder,
};
use crate::book::log::entry::{AddedFile, Entry, EntryKind};
use crate::book::log::pruning::Pruned;
use crate::book::missing_file::missing_file;
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::book::{BookError, layout};
use crate::change::Day;

/// What some entries do together to the folder of a table and day.
struct DayChange {
    /// The newest of them.
    entry: u64,
    table: Table,
    day: Day,
    /// The paths of files that are no longer part of the book.
    removed: BTreeSet<String>,
    /// Merged files that still are.
    added: Vec<AddedFile>,
}

/// Copies the names of merged files that are not in their places to this run's staging folder, before those of older runs are removed.
///
/// # Errors
/// [`BookError::Missing`] for a file that is nowhere; [`BookError::Io`].
pub(in crate::book) fn rescue(staging: &Staging, entries: &[Entry]) -> Result<(), BookError> {
    let mut has_any = false;
    for change in changes(entries) {
        // What an older run has put in place may not be durable yet, and its staging folder is removed next.
        sync_day(staging, &change)?;
        for file in &change.added {
            let own = staged_merged_path(staging.generation(), &file.xxh3);
            let store = staging.store();
            if store.exists(&file.path).at("look up", &file.path)? || store.exists(&own).at("look up", &own)? {
                continue;
            }
            let staged = find_staged(staging, file, change.entry)?;
            store.hard_link(&staged, &own).map_err(|error| staging.explain(error, "link", &own))?;
            has_any = true;
        }
    }
    let own = staging_folder(staging.generation());
    if has_any { staging.store().sync_folder(&own).at("sync", &own) } else { Ok(()) }
}

/// The path of a merged file in whichever staging folder it is: a start that was interrupted may have moved it.
fn find_staged(staging: &Staging, file: &AddedFile, entry: u64) -> Result<String, BookError> {
    let store = staging.store();
    for generation in store.list(STAGING).at("list", STAGING)? {
        let staged = staged_merged_path(&generation, &file.xxh3);
        if store.exists(&staged).at("look up", &staged)? {
            return Ok(staged);
        }
    }
    // The start of a newer run removes this run's folder.
    match staging.explain(ErrorKind::NotFound.into(), "find", &file.path) {
        BookError::Io { .. } => {
            let added_by = MergedPlace::parse(&file.path).map_or(entry, |place| place.entry);
            Err(missing_file(store, added_by, &file.path))
        }
        gone => Err(gone),
    }
}

/// Puts the merged files of `entries` in their places and takes the replaced ones away, on a store of objects after `before_removal`. The files of
/// their commits are in place.
///
/// # Errors
/// [`BookError::Missing`] for a merged file that is nowhere; [`BookError::Fenced`]; [`BookError::Io`].
pub(in crate::book) fn place(
    staging: &Staging,
    entries: &[Entry],
    before_removal: &mut dyn FnMut(),
) -> Result<(), BookError> {
    changes(entries).iter().try_for_each(|change| place_day(staging, change, before_removal))
}

/// The net change of each table and day, in the order of the newest entries.
fn changes(entries: &[Entry]) -> Vec<DayChange> {
    let pruned = Pruned::newest_of(entries);
    let mut changes: BTreeMap<(Table, Day), DayChange> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Compaction) {
        let Some(place) = entry.added.first().and_then(|file| RowsPlace::parse(&file.path)) else { continue };
        let (table, day) = (place.table(), place.day());
        let change = changes.entry((table, day)).or_insert_with(|| DayChange {
            entry: entry.entry,
            table,
            day,
            removed: BTreeSet::new(),
            added: Vec::new(),
        });
        change.entry = entry.entry;
        change.removed.extend(entry.removed.iter().cloned());
        change.added.extend(entry.added.iter().cloned());
        let DayChange { removed, added, .. } = change;
        // A merged file that a later entry prunes may have been moved away.
        added.retain(|file| {
            !removed.contains(&file.path) && !pruned.is_some_and(|pruned| pruned.covers_path(&file.path))
        });
    }
    let mut changes: Vec<DayChange> = changes.into_values().collect();
    changes.sort_by_key(|change| change.entry);
    changes
}

/// Makes what is in a day's folder, and its name, survive a crash.
fn sync_day(staging: &Staging, change: &DayChange) -> Result<(), BookError> {
    let folder = day_folder(change.table, change.day);
    [folder.as_str(), parent(&folder)]
        .into_iter()
        .try_for_each(|folder| gone_is_fine(staging.store().sync_folder(folder)).at("sync", folder))
}

fn place_day(staging: &Staging, change: &DayChange, before_removal: &mut dyn FnMut()) -> Result<(), BookError> {
    let folder = day_folder(change.table, change.day);
    let names = gone_is_fine(staging.store().list(&folder)).at("list", &folder)?;
    let names: BTreeSet<String> = names.into_iter().collect();
    let is_placed = change.added.iter().all(|file| names.contains(file_name(&file.path)));
    // A store of objects has no folders to exchange.
    let can_exchange = staging.store().objects().is_none();
    let is_exchanged = !is_placed && can_exchange && exchange(staging, change, &names)?;
    if !is_placed && !is_exchanged {
        place_singly(staging, change)?;
    }
    // Also where a run was killed between placing and this.
    sync_day(staging, change)?;
    if !can_exchange {
        before_removal();
    }
    take_away(staging, change)?;
    change.added.iter().try_for_each(|file| {
        let staged = staged_merged_path(staging.generation(), &file.xxh3);
        gone_is_fine(staging.store().remove_file(&staged)).at("remove", &staged)
    })
}

/// Exchanges the folder by one that has the merged files; `false` where the file system cannot, or the folder has something that
/// is no file.
fn exchange(staging: &Staging, change: &DayChange, names: &BTreeSet<String>) -> Result<bool, BookError> {
    let store = staging.store();
    let folder = day_folder(change.table, change.day);
    let built = staged_day_folder(staging.generation(), change.entry, change.table, change.day);
    gone_is_fine(store.remove_folder(&built)).at("remove", &built)?;
    store.create_folder(&built).map_err(|error| staging.explain(error, "make", &built))?;
    let link = |from: &str, name: &str| store.hard_link(from, &format!("{built}/{name}"));
    for name in names {
        let path = format!("{folder}/{name}");
        if change.removed.contains(&path) {
            continue;
        }
        match link(&path, name) {
            Ok(()) => {}
            // Something foreign, such as a folder.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return abandon(staging, &built),
            Err(error) => return Err(staging.explain(error, "link", &path)),
        }
    }
    for file in change.added.iter().filter(|file| !names.contains(file_name(&file.path))) {
        let staged = find_staged(staging, file, change.entry)?;
        link(&staged, file_name(&file.path)).map_err(|error| staging.explain(error, "link", &staged))?;
    }
    for folder in [built.as_str(), parent(&built)] {
        store.sync_folder(folder).at("sync", folder)?;
    }
    match store.exchange(&built, &folder) {
        Err(error) if error.kind() == ErrorKind::Unsupported => return abandon(staging, &built),
        exchanged => exchanged.map_err(|error| staging.explain(error, "exchange", &folder))?,
    }
    Ok(true)
}

fn abandon(staging: &Staging, built: &str) -> Result<bool, BookError> {
    gone_is_fine(staging.store().remove_folder(built)).at("remove", built)?;
    Ok(false)
}

/// Moves the merged files into the folder, one by one.
fn place_singly(staging: &Staging, change: &DayChange) -> Result<(), BookError> {
    let store = staging.store();
    let folder = day_folder(change.table, change.day);
    store.create_folder(&folder).at("make", &folder)?;
    for file in &change.added {
        if store.exists(&file.path).at("look up", &file.path)? {
            continue;
        }
        let staged = find_staged(staging, file, change.entry)?;
        let own = staged_merged_path(staging.generation(), &file.xxh3);
        if staged != own {
            // What becomes visible comes out of this run's own folder, so that it cannot after the start of another.
            store.hard_link(&staged, &own).map_err(|error| staging.explain(error, "link", &own))?;
        }
        staging.publish(&staged_merged_name(&file.xxh3), &file.path)?;
    }
    Ok(())
}

/// Moves the replaced files to where readers find those that they have listed.
fn take_away(staging: &Staging, change: &DayChange) -> Result<(), BookError> {
    let store = staging.store();
    let (folder, replaced) = (day_folder(change.table, change.day), {
        let DayChange { entry, table, day, .. } = *change;
        replaced_folder(entry, table, day)
    });
    let built = staged_day_folder(staging.generation(), change.entry, change.table, change.day);
    let left: Vec<String> = {
        let names = gone_is_fine(store.list(&folder)).at("list", &folder)?;
        names.into_iter().filter(|name| change.removed.contains(&format!("{folder}/{name}"))).collect()
    };
    let is_exchanged = store.exists(&built).at("look up", &built)?;
    if !is_exchanged && left.is_empty() {
        // A run may have been killed between moving files away and making that durable.
        let mut moved = [replaced.as_str(), folder.as_str(), REPLACED].into_iter();
        return moved.try_for_each(|folder| gone_is_fine(store.sync_folder(folder)).at("sync", folder));
    }
    store.create_folder(REPLACED).at("make", REPLACED)?;
    store.sync_folder(layout::PRIVATE).at("sync", layout::PRIVATE)?;
    if is_exchanged {
        match store.rename(&built, &replaced) {
            // Some of the files were moved there before.
            Err(error) if is_taken(&error) => gone_is_fine(store.remove_folder(&built)).at("remove", &built)?,
            renamed => renamed.map_err(|error| staging.explain(error, "rename", &built))?,
        }
    }
    if !left.is_empty() {
        store.create_folder(&replaced).at("make", &replaced)?;
        for name in left {
            let path = format!("{folder}/{name}");
            gone_is_fine(store.rename(&path, &format!("{replaced}/{name}"))).at("move away", &path)?;
            // After a crash it may have both names, and then a rename leaves both.
            gone_is_fine(store.remove_file(&path)).at("remove", &path)?;
        }
        store.sync_folder(&replaced).at("sync", &replaced)?;
        store.sync_folder(&folder).at("sync", &folder)?;
    }
    store.sync_folder(REPLACED).at("sync", REPLACED)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty)
}
