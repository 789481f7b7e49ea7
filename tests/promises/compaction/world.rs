//! Books in memory whose files are real, and what a listing of their folders has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use walbook::book::compact::DayPhase;
use walbook::book::{BookError, CommitOutcome, Committer, Entry};
use walbook::change::{CountKey, Day};
use walbook::query::Event;
use walbook::store::Store;
use walbook::store::layout::{Table, day_of_folder};

use crate::book::world::{self, Content, PARTITIONS, Row, TOPIC, content, next, open, seal_as};
use crate::support::TestDisk;
use crate::support::book_builder::{RejectRow, encode, event_columns, reject_columns};

/// A row as a reader identifies it: table, day, partition, offset, ordinal.
pub(crate) type Identity = (Table, Day, i32, i64, i32);

/// Files as a run writes them, as far as a compaction reads them.
pub(crate) fn as_rows(rows: &[Row]) -> Vec<u8> {
    let events: Vec<Event> = rows
        .iter()
        .filter_map(|(partition, offset, ordinal, key)| {
            let CountKey { table, op, .. } = key.as_ref()?;
            Some(Event {
                topic: TOPIC.to_owned(),
                partition: *partition,
                offset: *offset,
                ordinal: i32::try_from(*ordinal).expect("few changes"),
                kafka_time: Some(*offset),
                schema: table.schema.clone(),
                table: table.table.clone(),
                op: op.as_str().to_owned(),
                data: format!("table {}: {op} at {offset}", table.table),
                ..Event::default()
            })
        })
        .collect();
    if !events.is_empty() {
        return encode(&event_columns(&events.iter().collect::<Vec<_>>()), &[], usize::MAX);
    }
    let rejects: Vec<RejectRow> = rows
        .iter()
        .map(|(partition, offset, ..)| RejectRow {
            topic: TOPIC.to_owned(),
            partition: *partition,
            offset: *offset,
            reason: format!("no change at {offset}"),
        })
        .collect();
    encode(&reject_columns(&rejects.iter().collect::<Vec<_>>()), &[], usize::MAX)
}

/// Commits the next stretch of the source.
pub(crate) fn commit(
    disk: &impl TestDisk,
    committer: &mut Committer,
    totals: &mut BTreeMap<CountKey, i64>,
) -> Result<(), BookError> {
    let contents = seal_as(as_rows, &disk.store(), committer, totals).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => BookError::Fenced { reason: "a worker's folder is gone".into() },
        _ => BookError::Io { tried: "seal", path: "a file".into(), source },
    })?;
    match committer.commit(contents)? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Nothing => panic!("positions moved"),
    }
}

/// All days and tables of the source.
pub(crate) fn all_days() -> [(Table, Day); 3] {
    [(Table::Events, world::day(0)), (Table::Events, world::day(1)), (Table::Rejects, Day::EPOCH)]
}

/// Merges a day, by the run that owns the book.
pub(crate) fn compact(committer: &mut Committer, of: (Table, Day)) -> Result<Option<Arc<Entry>>, BookError> {
    let (compactor, state) = (committer.compactor(), committer.state().clone());
    match compactor.merge_day(&state, &[], of, DayPhase::Closed, &|| false)? {
        Some(merged) => committer.compact(&merged),
        None => Ok(None),
    }
}

/// Starts a run, with all counts.
pub(crate) fn start(disk: &impl TestDisk) -> Result<(Committer, BTreeMap<CountKey, i64>), BookError> {
    let mut committer = open(disk)?;
    let totals = committer.initial_counts()?.into_iter().collect();
    Ok((committer, totals))
}

/// The rows that a listing of all folders has, with how often each is there; files that are no Parquet fail.
pub(crate) fn listed(disk: &impl TestDisk) -> BTreeMap<Identity, usize> {
    let mut listed = BTreeMap::new();
    for (path, bytes) in disk.files() {
        let mut parts = path.split('/');
        let table = match parts.next() {
            Some("events") => Table::Events,
            Some("rejects") => Table::Rejects,
            _ => continue,
        };
        let day = parts.next().and_then(day_of_folder).expect("a day folder");
        let file = SerializedFileReader::new(Bytes::from(bytes)).unwrap_or_else(|error| panic!("{path}: {error}"));
        for row in file.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let ordinal = if table == Table::Events { row.get_int(3).expect("an ordinal") } else { 0 };
            let identity =
                (table, day, row.get_int(1).expect("a number"), row.get_long(2).expect("an offset"), ordinal);
            *listed.entry(identity).or_default() += 1;
        }
    }
    listed
}

/// The loop: all rows of the offsets below `next`.
pub(crate) fn truth(next: &BTreeMap<i32, i64>) -> BTreeSet<Identity> {
    let mut rows = BTreeSet::new();
    for partition in 0..PARTITIONS {
        for offset in 0..next[&partition] {
            match content(partition, offset) {
                Content::Reject => drop(rows.insert((Table::Rejects, Day::EPOCH, partition, offset, 0))),
                Content::Changes(keys) => {
                    let changes = keys.into_iter().zip(0..);
                    rows.extend(changes.map(|(key, ordinal)| (Table::Events, key.day, partition, offset, ordinal)));
                }
                Content::Empty | Content::Marker => {}
            }
        }
    }
    rows
}

/// Checks a listing while a run is under way: each row at most once, and none that is not of the source.
pub(crate) fn check_listing(disk: &impl TestDisk, context: &str) -> BTreeSet<Identity> {
    let listed = listed(disk);
    let doubled: Vec<_> = listed.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{context}: rows that are there twice: {doubled:?}");
    listed.into_keys().collect()
}

/// Starts on the disk as it is found, commits and merges once more, and checks that all is there once.
pub(crate) fn check_recovery<D: TestDisk>(disk: &D, least: &BTreeMap<i32, i64>, context: &str) {
    let recovered = |disk: &D| -> Result<(), BookError> {
        let (mut committer, mut totals) = start(disk)?;
        let found = next(committer.state());
        assert!(least.iter().all(|(partition, to)| found[partition] >= *to), "{context}: {found:?} of {least:?}");
        assert_eq!(check_listing(disk, context), truth(&found), "{context}: after the start");
        commit(disk, &mut committer, &mut totals)?;
        for of in all_days() {
            // A commit may have no rejects.
            let is_merged = compact(&mut committer, of)?.is_some();
            assert!(is_merged || of.0 == Table::Rejects, "{context}: a new file of {of:?} is to be merged");
        }
        assert_eq!(check_listing(disk, context), truth(&next(committer.state())), "{context}: merged again");
        assert!(committer.follow_log()?.is_empty(), "{context}: nobody else has put anything");
        committer.checkpoint()
    };
    recovered(disk).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let after = disk.survive(0);
    let (committer, totals) = start(&after).unwrap_or_else(|error| panic!("{context}, second start: {error:?}"));
    let found = next(committer.state());
    assert_eq!(totals, world::truth(&found), "{context}: counts");
    assert_eq!(check_listing(&after, context), truth(&found), "{context}: after a second start");
    let files = |table: &str| after.files().into_keys().filter(|path| path.starts_with(table)).count();
    assert_eq!((files("events/"), files("rejects/")), (2, 1), "{context}: all days are merged");
}

/// The number of the newest entry of a store.
pub(crate) fn entries(store: &dyn Store) -> u64 {
    walbook::book::log::commit_log::newest(store).expect("a log").map_or(0, |newest| newest + 1)
}
