//! The machine stops at any operation, and forgets what was not synced.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use walbook::book::BookError;
use walbook::testing::{Fault, MemoryStore};

use super::world::{check_complete, check_visible, run};

/// Two runs: a new book with three commits, and a second start with one.
fn script(store: &MemoryStore, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    run(store, 3, seen)?;
    run(store, 1, seen)?;
    Ok(())
}

/// The script's operations, and whether each changes the disk.
fn operations() -> Vec<(String, bool)> {
    let store = MemoryStore::new();
    script(&store, &mut BTreeMap::new()).expect("nothing strikes");
    let changes = |name: &String| !["list", "read", "look-up"].iter().any(|verb| name.starts_with(verb));
    store.operations().into_iter().map(|name| (name.clone(), changes(&name))).collect()
}

/// What the disk holds after the script was struck at an operation, and what it had acknowledged.
fn struck(number: usize, fault: Fault) -> (MemoryStore, BTreeMap<i32, i64>, Result<(), BookError>) {
    let store = MemoryStore::new();
    store.strike(number, fault);
    let mut seen = BTreeMap::new();
    let ended = script(&store, &mut seen);
    (store, seen, ended)
}

#[test]
fn nothing_strikes() {
    let store = MemoryStore::new();
    let mut seen = BTreeMap::new();
    script(&store, &mut seen).expect("nothing strikes");
    check_complete(&store, &seen);
}

#[test]
fn a_crash_at_any_operation_loses_and_repeats_nothing() {
    for (number, (name, _)) in operations().iter().enumerate().filter(|(_, (_, changes))| *changes) {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let (store, mut seen, _) = struck(number, fault.clone());
            for seed in 0..5 {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                let disk = store.survive(seed);
                let found = std::panic::catch_unwind(|| drop(check_visible(&disk)));
                assert!(found.is_ok(), "after {context}");
                if let Err(error) = run(&disk, 1, &mut seen.clone()) {
                    panic!("the start after {context} failed: {error:?}");
                }
                check_complete(&disk, &seen);
            }
            seen.clear();
        }
    }
}

#[test]
fn a_crash_during_recovery_loses_and_repeats_nothing() {
    for (first, (name, changes)) in operations().into_iter().enumerate() {
        // A stride that is prime to the script's rhythm reaches every kind of place.
        if !changes || first % 7 != 0 {
            continue;
        }
        let (store, seen, _) = struck(first, Fault::CrashAfter);
        let length = {
            let disk = store.survive(2);
            run(&disk, 1, &mut BTreeMap::new()).expect("a start after one crash");
            disk.operations().len()
        };
        for second in (first % 3..length).step_by(3) {
            for seed in 0..3 {
                let disk = store.survive(seed + 2);
                disk.strike(second, Fault::CrashBefore);
                let mut seen = seen.clone();
                drop(run(&disk, 1, &mut seen));
                let disk = disk.survive(seed);
                if let Err(error) = run(&disk, 1, &mut seen) {
                    panic!("crash after {first} ({name}), again before {second}, seed {seed}: {error:?}");
                }
                check_complete(&disk, &seen);
            }
        }
    }
}

#[test]
fn a_full_disk_makes_no_bad_commit_and_the_next_start_goes_on() {
    for (number, (name, _)) in operations().iter().enumerate().filter(|(_, (_, changes))| *changes) {
        let (store, mut seen, ended) = struck(number, Fault::Fail(ErrorKind::StorageFull));
        match ended {
            Err(error) => {
                assert_eq!(error.exit_code(), if is_probe(&error) { 2 } else { 1 }, "{number} {name}: {error}")
            }
            Ok(()) => panic!("operation {number} ({name}) failed and nobody noticed"),
        }
        check_visible(&store);
        let next = store.process();
        run(&next, 1, &mut seen).unwrap_or_else(|error| panic!("the start after {number} ({name}): {error:?}"));
        check_complete(&next, &seen);
    }
}

fn is_probe(error: &BookError) -> bool {
    matches!(error, BookError::Unsuitable { .. })
}

#[test]
fn an_answer_that_was_lost_is_found_out() {
    for (number, (name, _)) in operations().iter().enumerate().filter(|(_, (_, changes))| *changes) {
        let (store, mut seen, ended) = struck(number, Fault::DoneButFailed(ErrorKind::TimedOut));
        // The one operation whose outcome is looked up: the put itself.
        if name.starts_with("link _walbook/log/") {
            assert!(ended.is_ok(), "{number} ({name}): {ended:?}");
        }
        check_visible(&store);
        let next = store.process();
        run(&next, 1, &mut seen).unwrap_or_else(|error| panic!("the start after {number} ({name}): {error:?}"));
        check_complete(&next, &seen);
    }
}
