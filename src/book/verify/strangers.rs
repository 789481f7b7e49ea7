//! Whether there are files in the book that no entry speaks of.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, ErrorKind};

use twox_hash::XxHash3_64;

use super::report::{Check, Problems};
use crate::book::log::read_entry;
use crate::change::CommitNumber;
use crate::store::Disk;
use crate::store::layout::{FilePlace, LOG, Table, counts_path, day_of_folder, number};

/// The paths that the log speaks of, 8 bytes each.
///
/// A stranger passes for one of a million files once in 10^13 verifications.
#[derive(Default)]
pub(super) struct Known(HashSet<u64>);

impl Known {
    pub(super) fn add(&mut self, path: &str) {
        self.0.insert(XxHash3_64::oneshot(path.as_bytes()));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.remove(&XxHash3_64::oneshot(path.as_bytes()));
    }

    pub(super) fn holds(&self, path: &str) -> bool {
        self.0.contains(&XxHash3_64::oneshot(path.as_bytes()))
    }
}

/// Looks at every name in the folders of the tables and of the log. `newest` is the newest entry of `known`, `commit`
/// its commit.
pub(super) fn verify_strangers(disk: &Disk, known: &Known, newest: u64, commit: CommitNumber) -> Check {
    let mut problems = Problems::default();
    let mut strangers = BTreeSet::new();
    let mut seen = 0u64;
    for table in Table::ALL {
        let looked = for_each_name(disk, table.folder(), &mut |folder| {
            let day = day_of_folder(folder.rsplit('/').next().unwrap_or_default());
            let Some(day) = day.filter(|_| disk.root().join(folder).is_dir()) else {
                strangers.insert(folder.to_owned());
                return Ok(());
            };
            for_each_name(disk, folder, &mut |path| {
                seen += 1;
                let fits = match table {
                    Table::Counts => path == counts_path(day),
                    Table::Events | Table::Rejects => known.holds(path),
                };
                if !fits {
                    strangers.insert(path.to_owned());
                }
                Ok(())
            })
        });
        if let Err(error) = looked {
            problems.add(0, format!("{}: {error}", table.folder()));
        }
    }
    let looked = for_each_name(disk, LOG, &mut |path| {
        seen += 1;
        if number(path.rsplit('/').next().unwrap_or_default()).is_none() {
            strangers.insert(path.to_owned());
        }
        Ok(())
    });
    if let Err(error) = looked {
        problems.add(0, format!("{LOG}: {error}"));
    }
    // What was seen in its place was committed before: the entries that came meanwhile know it.
    let later = |path: &String| FilePlace::parse(path).is_some_and(|place| place.commit > commit);
    let mut next = newest + 1;
    while strangers.iter().any(later) {
        let Ok(Some(logged)) = read_entry(disk, next) else { break };
        for added in &logged.entry.added {
            strangers.remove(&added.path);
        }
        next += 1;
    }
    for path in strangers {
        problems.add(0, format!("{path}: no entry speaks of it"));
    }
    problems.check("strangers", format!("{seen} names in events, rejects, counts and the log"))
}

/// Shows each name in a folder, as a path in the book; a folder that is not there is empty.
fn for_each_name(disk: &Disk, folder: &str, show: &mut dyn FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let listing = match fs::read_dir(disk.root().join(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listing => listing?,
    };
    for entry in listing {
        show(&format!("{folder}/{}", entry?.file_name().to_string_lossy()))?;
    }
    Ok(())
}
