//! A small reader of Delta tables that shares no code with the writer, and what the tables of a book must have.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use walbook::book::{BookError, Committer};
use walbook::change::Day;
use walbook::delta::{DeltaError, DeltaTables, Written};
use walbook::store::layout::{Table, day_of_folder};

use crate::book::world;
use crate::compaction::world::{Identity, truth};
use crate::support::TestDisk;

/// A version: its number, the entry that it covers, and its files.
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) entry: u64,
    pub(crate) files: BTreeMap<String, Value>,
}

/// The Delta tables of a run.
pub(crate) fn tables(disk: &impl TestDisk, committer: &Committer) -> DeltaTables {
    DeltaTables::new(disk.store().shared(), committer.generation(), None)
}

/// Brings the tables to the newest entry; nothing else moves.
pub(crate) fn write(tables: &mut DeltaTables, committer: &Committer) -> Result<usize, DeltaError> {
    match tables.bring_to(committer.state())? {
        Written::Versions(versions) => Ok(versions),
        Written::Moved => panic!("nothing moves meanwhile"),
    }
}

/// A failure of the book or of the tables, which a test treats alike.
pub(crate) fn failed(error: DeltaError) -> BookError {
    match error {
        DeltaError::Book(error) => error,
        DeltaError::Io { tried, path, source } => BookError::Io { tried, path, source },
        damaged @ DeltaError::Damaged { .. } => panic!("{damaged}"),
    }
}

/// All versions of a table, by reading every JSON file from the first on.
pub(crate) fn versions(disk: &impl TestDisk, table: &str) -> Vec<Version> {
    let prefix = format!("{table}/_delta_log/");
    let files = disk.files();
    let logged = files.iter().filter(|(path, _)| path.starts_with(&prefix) && path.ends_with(".json"));
    let (mut known, mut entry, mut all) = (BTreeMap::new(), 0, Vec::new());
    for (place, (path, bytes)) in logged.enumerate() {
        let number: u64 = path[prefix.len()..].trim_end_matches(".json").parse().expect("a version");
        assert_eq!(number, place as u64, "{path}: versions follow each other");
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).expect("JSON");
            if let Some(add) = action.get("add") {
                let path = add["path"].as_str().expect("a path").to_owned();
                assert!(known.insert(path.clone(), add.clone()).is_none(), "{path} is added twice");
            }
            if let Some(remove) = action.get("remove") {
                assert!(known.remove(remove["path"].as_str().expect("a path")).is_some(), "{remove} was there");
            }
            if let Some(txn) = action.get("txn") {
                let newer = txn["version"].as_u64().expect("a number");
                assert!(number == 0 || newer > entry, "{path}: each version covers more");
                entry = newer;
            }
        }
        all.push(Version { number, entry, files: known.clone() });
    }
    all
}

/// The bytes of a version's files; each has the size and the number of rows that the version says.
pub(crate) fn contents(
    disk: &impl TestDisk,
    table: &str,
    version: &Version,
) -> Vec<(Day, SerializedFileReader<Bytes>)> {
    let files = disk.files();
    let read = version.files.iter().map(|(path, add)| {
        let bytes = files.get(&format!("{table}/{path}")).unwrap_or_else(|| panic!("{table}/{path} is missing"));
        assert_eq!(add["size"], bytes.len(), "{path}");
        let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).expect("Parquet");
        let stats: Value = serde_json::from_str(add["stats"].as_str().expect("a text")).expect("JSON");
        assert_eq!(stats["numRecords"], reader.metadata().file_metadata().num_rows(), "{path}");
        let day = add["partitionValues"]["day"].as_str().expect("a day");
        assert!(path.split('/').any(|folder| day_of_folder(folder).is_some_and(|of| of.to_string() == day)), "{path}");
        (day.parse().expect("a day"), reader)
    });
    read.collect()
}

/// The rows of a version of the events.
pub(crate) fn events(disk: &impl TestDisk, version: &Version) -> BTreeSet<Identity> {
    let mut rows = BTreeSet::new();
    for (day, reader) in contents(disk, "events", version) {
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let identity = (
                Table::Events,
                day,
                row.get_int(1).expect("a partition"),
                row.get_long(2).expect("an offset"),
                row.get_int(3).expect("an ordinal"),
            );
            assert!(rows.insert(identity), "{identity:?} is there twice");
        }
    }
    rows
}

/// The rows of a version of the counts: day, schema, table, operation.
pub(crate) fn counts(disk: &impl TestDisk, version: &Version) -> BTreeMap<(Day, String, String, String), i64> {
    let mut rows = BTreeMap::new();
    for (day, reader) in contents(disk, "counts", version) {
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let text = |column| row.get_string(column).expect("a text").clone();
            assert!(rows.insert((day, text(0), text(1), text(2)), row.get_long(3).expect("a count")).is_none());
        }
    }
    rows
}

/// What the book has at each entry that a test has noted: the first unread offsets.
pub(crate) type Noted = BTreeMap<u64, BTreeMap<i32, i64>>;

/// Notes the newest entry.
pub(crate) fn note(noted: &mut Noted, committer: &Committer) {
    noted.insert(committer.state().newest_entry().expect("an entry"), world::next(committer.state()));
}

/// Checks that each version has the rows of the book at its entry, without those that `is_gone` says of an entry.
pub(crate) fn check(disk: &impl TestDisk, noted: &Noted, is_gone: impl Fn(u64, &Identity) -> bool, context: &str) {
    for version in versions(disk, "events") {
        let next = noted.range(..=version.entry).next_back().map(|(_, next)| next);
        let mut expected = next.map(truth).unwrap_or_default();
        expected.retain(|row| row.0 == Table::Events && !is_gone(version.entry, row));
        assert_eq!(events(disk, &version), expected, "{context}: events at version {}", version.number);
    }
    for version in versions(disk, "counts") {
        let next = noted.range(..=version.entry).next_back().map(|(_, next)| next);
        let expected: BTreeMap<_, _> = next.map(world::truth).unwrap_or_default().into_iter().collect();
        let expected = expected.into_iter().map(|(key, count)| {
            ((key.day, key.table.schema.clone(), key.table.table.clone(), key.op.as_str().to_owned()), count)
        });
        assert_eq!(counts(disk, &version), expected.collect(), "{context}: counts at version {}", version.number);
    }
}
