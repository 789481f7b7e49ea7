//! Books in memory whose log is swept, and a fold of what is left that is written independently of the book's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use walbook::book::log::entry::{BookSettings, Delta};
use walbook::book::log::{base, commit_log};
use walbook::book::sweep::Sweep;
use walbook::book::{BookError, Committer, State};
use walbook::change::CountKey;
use walbook::store::layout::Table;

use crate::book::world::{self, next};
use crate::compaction::world::commit;
use crate::support::TestDisk;

/// Sweeps all entries below the newest two checkpoints.
pub(crate) fn sweep(committer: &Committer) -> Result<Sweep, BookError> {
    committer.sweeper().with_least(1).sweep(Duration::ZERO, &|| false)
}

/// Commits twice with a checkpoint after each, so that all entries before can be swept.
pub(crate) fn pass_checkpoints(
    disk: &impl TestDisk,
    committer: &mut Committer,
    totals: &mut BTreeMap<CountKey, i64>,
) -> Result<(), BookError> {
    committer.expect_sweep();
    for _ in 0..2 {
        commit(disk, committer, totals)?;
        committer.checkpoint()?;
    }
    Ok(())
}

/// The book as base and entries say it, at any moment.
pub(crate) struct Folded {
    pub(crate) state: State,
    /// The paths of the files that it names.
    pub(crate) named: BTreeSet<String>,
    pub(crate) counts: BTreeMap<CountKey, i64>,
    /// The first entry that was not swept.
    pub(crate) first: u64,
}

/// Folds the newest base and all entries after it.
pub(crate) fn fold(disk: &impl TestDisk) -> Folded {
    let store = disk.process().store();
    let settings = BookSettings { time_zone: String::new(), day_from: String::new() };
    let (state, named, counts) = (State::new(String::new(), settings), BTreeSet::new(), BTreeMap::new());
    let mut folded = Folded { state, named, counts, first: 0 };
    if let Some(base) = base::read_newest(&store).expect("a base that can be read") {
        for table in [Table::Events, Table::Rejects] {
            for day in base.manifests.of(table).map(|(day, _)| day) {
                let manifest = base.manifest(&store, table, day).expect("it can be read").expect("it is there");
                folded.named.extend(manifest.files.into_iter().map(|named| named.file.path));
                folded.counts.extend(manifest.counts.into_iter().map(|Delta { key, count }| (key, count)));
            }
        }
        folded.first = base.state.entries;
        folded.state = base.state;
    }
    while let Some(logged) = commit_log::read_entry(&store, folded.state.entries).expect("a log that can be read") {
        let entry = &logged.entry;
        folded.state.follow(entry, &logged.digest).expect("a sound log");
        folded.named.extend(entry.added.iter().map(|file| file.path.clone()));
        entry.removed.iter().for_each(|path| assert!(folded.named.remove(path), "{path} was named"));
        entry.deltas.iter().for_each(|delta| *folded.counts.entry(delta.key.clone()).or_default() += delta.count);
    }
    let newest = commit_log::numbers(&store).expect("readable").pop();
    assert!(newest < Some(folded.state.entries), "entry {newest:?} does not follow {}", folded.state.entries);
    folded
}

/// Checks that base and entries are the whole log, with all that was acknowledged.
pub(crate) fn check_log(disk: &impl TestDisk, least: &BTreeMap<i32, i64>, context: &str) -> Folded {
    let folded = fold(disk);
    let found = next(&folded.state);
    assert!(least.iter().all(|(partition, to)| found[partition] >= *to), "{context}: {found:?} of {least:?}");
    assert_eq!(folded.counts, world::truth(&found), "{context}: counts of the log");
    folded
}

/// Checks that nothing is left of what was swept.
pub(crate) fn check_swept(disk: &impl TestDisk, context: &str) {
    let store = disk.process().store();
    let base = base::read_newest(&store).expect("readable").unwrap_or_else(|| panic!("{context}: there is a base"));
    let files = disk.files();
    let names = |folder: &str| files.keys().filter(|path| path.starts_with(folder)).cloned().collect::<Vec<_>>();
    let entries = commit_log::numbers(&store).expect("readable");
    assert!(entries.first() > Some(&base.entry()), "{context}: entries {entries:?} after {}", base.entry());
    assert_eq!(names("_walbook/base/").len(), 1, "{context}");
    let manifests: usize = [Table::Events, Table::Rejects].map(|table| base.manifests.of(table).count()).iter().sum();
    assert_eq!(names("_walbook/files/").len(), manifests, "{context}: {:?}", names("_walbook/files/"));
}
