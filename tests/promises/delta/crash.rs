//! The machine stops, or another run takes the book over, at any operation of a run that writes Delta tables.

use walbook::book::BookError;
use walbook::store::layout::Table;

use super::world::{Noted, check, failed, note, tables, versions, write};
use crate::book::world::day;
use crate::compaction::world::{commit, compact, start};
use crate::support::script::{Sleeper, operations_of, struck};
use crate::support::{Fault, MemoryStore};

/// A run that commits, merges, and writes the tables in between.
fn script(store: &MemoryStore, noted: &mut Noted) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(store)?;
    let mut delta = tables(store, &committer);
    for round in 0..3 {
        commit(store, &mut committer, &mut totals)?;
        note(noted, &committer);
        if round == 2 {
            compact(&mut committer, (Table::Events, day(0)))?;
        }
        write(&mut delta, &committer).map_err(failed)?;
    }
    Ok(())
}

/// Starts on the disk as it is found, and checks every version that is there.
fn check_recovery(store: &MemoryStore, noted: &Noted, context: &str) {
    let mut noted = noted.clone();
    let (mut committer, mut totals) = start(store).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    note(&mut noted, &committer);
    let mut delta = tables(store, &committer);
    write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    commit(store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    note(&mut noted, &committer);
    assert_eq!(write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error:?}")), 2, "{context}");
    check(store, &noted, |_, _| false, context);
    let newest = versions(store, "events").pop().expect("there is one");
    assert_eq!(Some(newest.entry), committer.state().newest_entry(), "{context}");
    check(&store.survive(1), &noted, |_, _| false, context);
}

/// The operations on the tables.
fn operations() -> Vec<(usize, String)> {
    let of_delta = |name: &str| name.contains("delta") && !name.starts_with("look-up") && !name.starts_with("list");
    operations_of(MemoryStore::new(), script).into_iter().filter(|(_, name)| of_delta(name)).collect()
}

#[test]
fn a_crash_at_any_operation_puts_each_row_once() {
    let operations = operations();
    assert!(operations.len() > 40, "{operations:?}");
    for (number, name) in operations {
        for (fault, seeds) in [(Fault::CrashBefore, 0..2), (Fault::CrashAfter, 0..3)] {
            let (store, noted, _) = struck(MemoryStore::new(), number, fault.clone(), script);
            for seed in seeds {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                check_recovery(&store.survive(seed), &noted, &context);
            }
            // A kill, after which the disk has all.
            check_recovery(&store.process(), &noted, &format!("killed at {number} ({name})"));
        }
    }
}

#[test]
fn a_suspended_run_changes_no_table_wherever_it_resumes() {
    for (number, name) in operations() {
        let context = format!("asleep before operation {number} ({name})");
        let disk = MemoryStore::new();
        let sleeping = Sleeper::before(&disk, number, &context, |store| {
            let mut noted = Noted::new();
            let _ = script(store, &mut noted);
            noted
        });
        let sleeping = sleeping.asleep();
        let awake = disk.process();
        let mut own = Noted::new();
        let (mut committer, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        note(&mut own, &committer);
        let mut delta = tables(&awake, &committer);
        write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        commit(&awake, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        note(&mut own, &committer);
        write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let before = versions(&disk, "events").len();
        let mut noted = sleeping.wake();
        noted.append(&mut own);
        assert_eq!(versions(&disk, "events").len(), before, "{context}: it has put nothing");
        check(&disk, &noted, |_, _| false, &context);
    }
}
