//! Whether the book has files that no entry names.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use super::paths::{ReferencedPaths, RemovedPaths};
use super::report::{Check, Problems};
use crate::book::log::commit_log::read_entry;
use crate::change::CommitNumber;
use crate::store::layout::{
    DELTA_FILES, DELTA_LOG, LOG, RowsPlace, Table, counts_path, day_of_folder, file_name, number,
};
use crate::store::{BookStore, Store};

/// Checks every name in the folders of the tables and of the log. `newest` is the newest entry of `referenced`, `commit`
/// its commit.
pub(super) fn verify_unreferenced_files(
    store: &BookStore,
    referenced: &ReferencedPaths,
    removed: &RemovedPaths,
    newest: u64,
    commit: CommitNumber,
) -> Check {
    let mut problems = Problems::default();
    let mut unreferenced = BTreeSet::new();
    let mut seen = 0u64;
    for table in Table::ALL {
        let looked = for_each_name(store, table.folder(), &mut |folder| {
            if is_of_delta(folder) {
                return Ok(());
            }
            let day = day_of_folder(folder.rsplit('/').next().unwrap_or_default());
            let Some(day) = day.filter(|_| store.location().directory().is_none_or(|root| root.join(folder).is_dir()))
            else {
                unreferenced.insert(folder.to_owned());
                return Ok(());
            };
            for_each_name(store, folder, &mut |path| {
                seen += 1;
                let fits = match table {
                    Table::Counts => path == counts_path(day),
                    Table::Events | Table::Rejects => {
                        let is_of_book = referenced.holds(path) && !removed.is_pruned(path);
                        is_of_book || removed.may_be_in_place(path)
                    }
                };
                if !fits {
                    unreferenced.insert(path.to_owned());
                }
                Ok(())
            })
        });
        if let Err(error) = looked {
            problems.add(0, format!("{}: {error}", table.folder()));
        }
    }
    let looked = for_each_name(store, LOG, &mut |path| {
        seen += 1;
        if number(path.rsplit('/').next().unwrap_or_default()).is_none() {
            unreferenced.insert(path.to_owned());
        }
        Ok(())
    });
    if let Err(error) = looked {
        problems.add(0, format!("{LOG}: {error}"));
    }
    // Files of commits after `newest` are named by entries that were added meanwhile.
    let later = |path: &String| match RowsPlace::parse(path) {
        Some(RowsPlace::Committed(place)) => place.commit > commit,
        Some(RowsPlace::Merged(place)) => place.entry > newest,
        None => false,
    };
    let mut next = newest + 1;
    while unreferenced.iter().any(later) {
        let Ok(Some(logged)) = read_entry(store, next) else { break };
        for added in &logged.entry.added {
            unreferenced.remove(&added.path);
        }
        next += 1;
    }
    for path in unreferenced {
        problems.add(0, format!("{path}: no entry names it"));
    }
    problems.check("unreferenced", format!("{seen} names in events, rejects, counts and the log"))
}

/// Whether a folder of a table is a part of its Delta table, which names its files itself.
fn is_of_delta(folder: &str) -> bool {
    [DELTA_LOG, DELTA_FILES].contains(&file_name(folder))
}

/// Passes each name in a folder to `show`, as a path in the book; a missing folder is empty.
fn for_each_name(store: &BookStore, folder: &str, show: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let listing = match store.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listing => listing?,
    };
    for name in listing {
        show(&format!("{folder}/{name}"))?;
    }
    Ok(())
}
