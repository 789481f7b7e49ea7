//! What versions have, while the book is merged and pruned.

use walbook::store::layout::Table;

use super::world::{Noted, check, note, tables, versions, write};
use crate::book::world::day;
use crate::compaction::world::{commit, compact, start};
use crate::support::MemoryStore;

#[test]
fn each_version_has_the_rows_of_its_entry_while_files_are_merged_and_pruned() {
    let store = MemoryStore::new();
    let mut noted = Noted::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    let mut delta = tables(&store, &committer);
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2, "both tables are made");
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 0, "nothing has changed");
    let mut pruned_at = u64::MAX;
    for round in 0..6 {
        for _ in 0..2 {
            commit(&store, &mut committer, &mut totals).expect("nothing strikes");
            note(&mut noted, &committer);
        }
        match round {
            2 => drop(compact(&mut committer, (Table::Events, day(0))).expect("nothing strikes")),
            4 => {
                pruned_at = committer.prune(day(1)).expect("nothing strikes").expect("there is an older day").entry;
            }
            _ => {}
        }
        note(&mut noted, &committer);
        assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2, "one version for all entries");
    }
    let gone = noted[&pruned_at].clone();
    let is_gone = |entry: u64, (_, of, partition, offset, _): &(_, _, i32, i64, _)| {
        entry >= pruned_at && *of < day(1) && *offset < gone[partition]
    };
    check(&store, &noted, is_gone, "no fault");
    assert_eq!(versions(&store, "events").len(), 7);
    // Another run, which knows nothing but the log, continues.
    drop(delta);
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    note(&mut noted, &committer);
    let mut delta = tables(&store, &committer);
    assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2);
    check(&store, &noted, is_gone, "another run");
}

#[test]
fn checkpoints_stand_for_the_versions_before_them() {
    let store = MemoryStore::new();
    let mut noted = Noted::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    let mut delta = tables(&store, &committer);
    for number in 0..250 {
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
        note(&mut noted, &committer);
        if number % 60 == 59 {
            for of in 0..2 {
                compact(&mut committer, (Table::Events, day(of))).expect("nothing strikes");
            }
        }
        write(&mut delta, &committer).expect("nothing strikes");
        if number == 120 || number == 230 {
            delta = tables(&store, &committer);
        }
    }
    let of_events = versions(&store, "events");
    assert_eq!(of_events.len(), 250);
    let files = walbook::store::Store::list(&store, "events/_delta_log").expect("it is there");
    let checkpoints = files.iter().filter(|name| name.ends_with(".checkpoint.parquet"));
    assert_eq!(
        checkpoints.collect::<Vec<_>>(),
        ["00000000000000000100.checkpoint.parquet", "00000000000000000200.checkpoint.parquet"]
    );
    let last = of_events.last().expect("there are 250");
    let book = &committer.state().book;
    let read = walbook::delta::TableLog::read(&store, "events", book).expect("it is whole");
    assert_eq!(read.files.keys().collect::<Vec<_>>(), last.files.keys().collect::<Vec<_>>());
    assert_eq!((read.version, read.covers), (Some(last.number), Some(last.entry)));
}

#[test]
fn verify_finds_what_is_wrong_with_a_table() {
    let store = MemoryStore::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    let mut delta = tables(&store, &committer);
    assert!(walbook::delta::verify(&store, committer.state()).is_none(), "there is none");
    for _ in 0..2 {
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
        write(&mut delta, &committer).expect("nothing strikes");
    }
    // What the book has later is no fault.
    compact(&mut committer, (Table::Events, day(0))).expect("nothing strikes");
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    let check = walbook::delta::verify(&store, committer.state()).expect("there are tables");
    assert!(check.ok, "{check:?}");
    let kept = store.files().into_keys().find(|path| path.starts_with("events/_delta_files/")).expect("there is one");
    store.damage(&kept, b"short".to_vec()).expect("it is there");
    let check = walbook::delta::verify(&store, committer.state()).expect("there are tables");
    assert!(!check.ok && check.problems.iter().any(|problem| problem.contains(&kept)), "{check:?}");
}
