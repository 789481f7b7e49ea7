//! Where a file of rows is: in its place, in staging, or, replaced by a compaction meanwhile, among the files kept for a while.

use std::io::{self, ErrorKind};

use crate::book::layout::{
    MergedPlace, REPLACED, RowsPlace, STAGING, Table, file_name, replaced_entry, replaced_suffix, staging_folder,
};
use crate::change::Day;
use crate::store::Store;

/// Opens a file at the first path at which it is. `staged` is where it is until it is put in its place, if it may still be there.
///
/// # Errors
/// `NotFound` when it is nowhere.
pub(in crate::book) fn first_found<T>(
    store: &dyn Store,
    path: &str,
    staged: Option<&str>,
    mut open: impl FnMut(&str) -> io::Result<T>,
) -> io::Result<T> {
    // The place again after staging: the file may have been moved in between.
    for tried in [Some(path), staged, Some(path)].into_iter().flatten() {
        if let Some(found) = unless_absent(open(tried))? {
            return Ok(found);
        }
    }
    let Some(place) = RowsPlace::parse(path) else { return open(path) };
    for (_, folder) in replaced_folders(store, place.table(), place.day())?.into_iter().rev() {
        if let Some(found) = unless_absent(open(&format!("{folder}/{}", file_name(path))))? {
            return Ok(found);
        }
    }
    if let Some(staged) = staged.filter(|_| MergedPlace::parse(path).is_some()) {
        // A start moves merged files to its own staging folder before it puts them in their places.
        for generation in names_in(store, STAGING)? {
            let moved = format!("{}/{}", staging_folder(&generation), file_name(staged));
            if let Some(found) = unless_absent(open(&moved))? {
                return Ok(found);
            }
        }
    }
    open(path)
}

/// The folders of replaced files of a table and day, with the entries that replaced them, in the order of these. Right after the exchange
/// such a folder is still in staging, where the new one was before it.
pub(in crate::book) fn replaced_folders(store: &dyn Store, table: Table, day: Day) -> io::Result<Vec<(u64, String)>> {
    let suffix = replaced_suffix(table, day);
    let mut folders = Vec::new();
    let staging = names_in(store, STAGING)?.into_iter().map(|generation| staging_folder(&generation));
    // Staging first: what is moved away meanwhile is found at its new place.
    for parent in staging.chain([REPLACED.to_owned()]) {
        let names = names_in(store, &parent)?.into_iter().filter(|name| name.ends_with(&suffix));
        folders.extend(names.filter_map(|name| Some((replaced_entry(&name)?, format!("{parent}/{name}")))));
    }
    folders.sort_unstable();
    Ok(folders)
}

fn names_in(store: &dyn Store, folder: &str) -> io::Result<Vec<String>> {
    Ok(unless_absent(store.list(folder))?.unwrap_or_default())
}

fn unless_absent<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
