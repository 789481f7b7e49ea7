//! Old versions go, and with them the files that no kept version names, whenever the machine stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use walbook::book::{BookError, Committer};
use walbook::delta::{DeltaTables, TableLog};
use walbook::store::layout::Table;

use super::world::{Noted, Version, counts, events, failed, note, write};
use crate::book::world;
use crate::book::world::day;
use crate::compaction::world::{commit, compact, start, truth};
use crate::support::script::struck;
use crate::support::{Fault, MemoryStore};

/// Tables that keep nothing longer than they must, with a checkpoint every three versions.
fn impatient(store: &MemoryStore, committer: &Committer) -> DeltaTables {
    DeltaTables::new(Arc::new(store.clone()), committer.generation(), Some(Duration::ZERO)).with_checkpoint_interval(3)
}

fn script(store: &MemoryStore) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(store)?;
    let mut delta = impatient(store, &committer);
    for round in 0..8 {
        commit(store, &mut committer, &mut totals)?;
        if round == 4 {
            compact(&mut committer, (Table::Events, day(0)))?;
        }
        write(&mut delta, &committer).map_err(failed)?;
    }
    Ok(())
}

/// By path below the folder of the table.
type Paths = BTreeSet<String>;

/// The files of each version that can be read, from the oldest checkpoint on.
fn kept_versions(store: &MemoryStore, table: &str) -> BTreeMap<u64, Paths> {
    let prefix = format!("{table}/_delta_log/");
    let files = store.files();
    let of_log = || files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&prefix)?, bytes)));
    let number = |name: &str| name[..20].parse::<u64>().expect("a version");
    let json: BTreeMap<u64, &Vec<u8>> =
        of_log().filter(|(name, _)| name.ends_with(".json")).map(|(name, bytes)| (number(name), bytes)).collect();
    let mut kept = BTreeMap::new();
    let mut paths = Paths::new();
    let mut next = 0;
    // Versions before it may be gone in part.
    if let Some((name, bytes)) = of_log().find(|(name, _)| name.ends_with(".checkpoint.parquet")) {
        let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).expect("Parquet");
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            if let Ok(path) = row.get_group(1).and_then(|add| add.get_string(0)) {
                paths.insert(path.clone());
            }
        }
        kept.insert(number(name), paths.clone());
        next = number(name) + 1;
    }
    while let Some(bytes) = json.get(&next) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).expect("JSON");
            let path = |kind: &str| action[kind]["path"].as_str().map(str::to_owned);
            paths.extend(path("add"));
            if let Some(path) = path("remove") {
                assert!(paths.remove(&path), "{path} was there");
            }
        }
        kept.insert(next, paths.clone());
        next += 1;
    }
    kept
}

/// Checks that every version that can be read has its files; returns their names, and the names that are there.
fn check_files(store: &MemoryStore, table: &str, context: &str) -> (Paths, Paths) {
    let files = store.files();
    let named: Paths = kept_versions(store, table).into_values().flatten().collect();
    for path in &named {
        assert!(files.contains_key(&format!("{table}/{path}")), "{context}: {table}/{path} is gone");
    }
    let there = files.keys().filter_map(|path| path.strip_prefix(&format!("{table}/"))).map(str::to_owned);
    (named, there.filter(|path| path.starts_with("_delta_files/")).collect())
}

/// Checks that the newest versions have the rows of the book.
fn check_newest(store: &MemoryStore, committer: &Committer, context: &str) {
    let mut noted = Noted::new();
    note(&mut noted, committer);
    let next = noted.into_values().next().expect("it was noted");
    let newest = |table: &str| {
        let log =
            TableLog::read(store, table, &committer.state().book).unwrap_or_else(|error| panic!("{context}: {error}"));
        let files = log.files.iter().map(|(path, add)| (path.clone(), serde_json::to_value(add).expect("JSON")));
        Version { number: log.version.expect("one"), entry: log.covers.expect("one"), files: files.collect() }
    };
    let mut expected = truth(&next);
    expected.retain(|row| row.0 == Table::Events);
    assert_eq!(events(store, &newest("events")), expected, "{context}");
    assert_eq!(counts(store, &newest("counts")).len(), world::truth(&next).len(), "{context}");
}

#[test]
fn old_versions_go_and_what_kept_ones_name_stays() {
    let store = MemoryStore::new();
    script(&store).expect("nothing strikes");
    for table in ["events", "counts"] {
        let versions: Vec<u64> = kept_versions(&store, table).into_keys().collect();
        assert_eq!(versions, [6, 7], "{table}");
        let (named, there) = check_files(&store, table, table);
        assert_eq!(there, named, "{table}");
        let logs = store.files().keys().filter(|path| path.starts_with(&format!("{table}/_delta_log/"))).count();
        assert_eq!(logs, 4, "two versions, a checkpoint, and the hint to it");
    }
}

#[test]
fn a_crash_while_old_versions_go_takes_no_file_that_is_needed() {
    let operations = {
        let store = MemoryStore::new();
        script(&store).expect("nothing strikes");
        store.operations()
    };
    let is_of_vacuum = |name: &String| {
        let is_change = ["remove", "link", "rename", "sync"].iter().any(|verb| name.starts_with(verb));
        is_change && (name.contains("checkpoint") || (name.starts_with("remove") && name.contains("_delta_")))
    };
    let of_vacuum: Vec<(usize, String)> =
        operations.into_iter().enumerate().filter(|(_, name)| is_of_vacuum(name)).collect();
    assert!(of_vacuum.len() > 30, "{of_vacuum:?}");
    for (number, name) in of_vacuum {
        for (fault, seeds) in [(Fault::CrashBefore, 0..2), (Fault::CrashAfter, 0..3)] {
            let (crashed, (), _) = struck(MemoryStore::new(), number, fault.clone(), |store, ()| script(store));
            for seed in seeds {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                let store = crashed.survive(seed);
                for table in ["events", "counts"] {
                    check_files(&store, table, &context);
                }
                let (mut committer, mut totals) = start(&store).unwrap_or_else(|error| panic!("{context}: {error}"));
                let mut delta = impatient(&store, &committer);
                for _ in 0..4 {
                    write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error}"));
                    commit(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
                }
                write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error}"));
                check_newest(&store, &committer, &context);
                for table in ["events", "counts"] {
                    check_files(&store, table, &context);
                }
            }
        }
    }
}

#[test]
fn what_was_pruned_goes_also_where_few_versions_are_put() {
    let store = MemoryStore::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    let patient = |store: &MemoryStore, committer: &Committer| {
        DeltaTables::new(Arc::new(store.clone()), committer.generation(), Some(Duration::ZERO))
    };
    let mut delta = patient(&store, &committer);
    for _ in 0..3 {
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
        write(&mut delta, &committer).expect("nothing strikes");
    }
    committer.prune(day(1)).expect("nothing strikes").expect("there is an older day");
    write(&mut delta, &committer).expect("nothing strikes");
    let of_day = |store: &MemoryStore| {
        let folder = format!("events/_delta_files/day={}/", day(0));
        store.files().into_keys().filter(|path| path.starts_with(&folder)).count()
    };
    assert!(of_day(&store) > 0, "older versions name them");
    // Another run looks at its start: no version has to be put.
    let (committer, _) = start(&store).expect("nothing strikes");
    write(&mut patient(&store, &committer), &committer).expect("nothing strikes");
    assert_eq!(of_day(&store), 0);
    check_files(&store, "events", "pruned");
}
