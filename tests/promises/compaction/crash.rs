//! The machine stops, or another run takes the book over, at any operation of a compaction.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use walbook::book::BookError;
use walbook::change::Classified as _;

use super::world::{Identity, all_days, check_listing, check_recovery, commit, compact, listed, start, truth};
use crate::book::world::next;
use crate::support::script::{self, Sleeper, hands_over, looks, operations_of};
use crate::support::{Fault, MemoryStore, Strikes};

/// A run that commits, merges all days, commits, and merges all again; `seen` has what was acknowledged.
fn script(store: &MemoryStore, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(store)?;
    for _ in 0..2 {
        commit(store, &mut committer, &mut totals)?;
        commit(store, &mut committer, &mut totals)?;
        *seen = next(committer.state());
        for of in all_days() {
            assert!(compact(&mut committer, of)?.is_some(), "there are two files at least");
        }
    }
    committer.checkpoint()
}

fn disk(can_exchange: bool) -> MemoryStore {
    let store = MemoryStore::new();
    if !can_exchange {
        store.forbid_exchange();
    }
    store
}

/// The disk when the script was struck at an operation, and what it had acknowledged.
fn struck(number: usize, fault: Fault, can_exchange: bool) -> (MemoryStore, BTreeMap<i32, i64>, Result<(), BookError>) {
    script::struck(disk(can_exchange), number, fault, script)
}

/// The operations of the script that change the disk, from its first merge on.
fn changing(can_exchange: bool) -> Vec<(usize, String)> {
    let operations = operations_of(disk(can_exchange), script);
    let first = operations.iter().position(|(_, name)| name.contains("merging-")).expect("it merges");
    operations.into_iter().skip(first).filter(|(_, name)| !looks(name) && !hands_over(name)).collect()
}

#[test]
fn a_run_without_faults_merges_every_day_into_one_file() {
    for can_exchange in [true, false] {
        let store = disk(can_exchange);
        let mut seen = BTreeMap::new();
        script(&store, &mut seen).expect("nothing strikes");
        assert_eq!(check_listing(&store, "merged"), truth(&seen));
        check_recovery(&store, &seen, "no fault");
    }
}

#[test]
fn a_power_cut_at_any_operation_of_a_compaction_loses_and_repeats_nothing() {
    for can_exchange in [true, false] {
        for (number, name) in changing(can_exchange) {
            for (fault, seeds) in [(Fault::CrashBefore, 0..1), (Fault::CrashAfter, 0..4)] {
                let (store, seen, _) = struck(number, fault.clone(), can_exchange);
                for seed in seeds {
                    let context =
                        format!("{fault:?} operation {number} ({name}), seed {seed}, exchange {can_exchange}");
                    let disk = store.survive(seed);
                    if can_exchange {
                        check_listing(&disk, &context);
                    }
                    check_recovery(&disk, &seen, &context);
                }
            }
        }
    }
}

#[test]
fn a_listing_at_any_operation_of_a_compaction_has_every_committed_row_once() {
    for (number, name) in changing(true) {
        let (store, seen, _) = struck(number, Fault::CrashBefore, true);
        let context = format!("a kill before operation {number} ({name})");
        let rows = check_listing(&store, &context);
        let missing: BTreeSet<Identity> = truth(&seen).difference(&rows).copied().collect();
        assert!(missing.is_empty(), "{context}: {missing:?}");
        check_recovery(&store.process(), &seen, &context);
    }
}

#[test]
fn a_kill_where_folders_cannot_be_exchanged_loses_and_repeats_nothing() {
    for (number, name) in changing(false) {
        let (store, seen, _) = struck(number, Fault::CrashBefore, false);
        let context = format!("a kill before operation {number} ({name})");
        // For a moment a row may be there twice, never not at all.
        let rows: BTreeSet<Identity> = listed(&store).into_keys().collect();
        assert!(truth(&seen).is_subset(&rows), "{context}");
        let disk = store.process();
        disk.forbid_exchange();
        check_recovery(&disk, &seen, &context);
    }
}

#[test]
fn a_power_cut_during_recovery_from_one_loses_and_repeats_nothing() {
    let mut struck_again = Strikes::default();
    let placing = |name: &str| ["link", "exchange", "rename", "remove"].iter().any(|verb| name.starts_with(verb));
    for (first, name) in changing(true).into_iter().filter(|(_, name)| placing(name)).step_by(3) {
        let (store, seen, _) = struck(first, Fault::CrashAfter, true);
        let length = {
            let disk = store.survive(2);
            drop(start(&disk).expect("a start after one crash"));
            disk.operations().len()
        };
        for second in (first % 3..length).step_by(3) {
            let disk = store.survive(2);
            disk.strike(second, Fault::CrashBefore);
            drop(start(&disk));
            struck_again.count(&disk);
            let context = format!("power cuts after {first} ({name}) and before {second} of the start");
            check_recovery(&disk.survive(second as u64 % 4), &seen, &context);
        }
    }
    struck_again.assert_most_hit();
}

#[test]
fn a_full_disk_makes_no_bad_compaction_and_the_next_start_resumes() {
    for (number, name) in changing(true) {
        let (store, seen, ended) = struck(number, Fault::Fail(ErrorKind::StorageFull), true);
        if let Err(error) = ended {
            assert_eq!(error.exit_code(), 1, "{number} ({name}): {error}");
        }
        let context = format!("a full disk at {number} ({name})");
        check_listing(&store, &context);
        check_recovery(&store.process(), &seen, &context);
    }
}

#[test]
fn a_suspended_run_undoes_no_compaction_wherever_it_resumes() {
    let begin = || {
        let store = MemoryStore::new();
        let (mut committer, mut totals) = start(&store).expect("nothing strikes");
        for _ in 0..2 {
            commit(&store, &mut committer, &mut totals).expect("nothing strikes");
        }
        store
    };
    // The sleeper takes the book over and merges; its operations come at the same numbers each time.
    let sleeper = |store: &MemoryStore| -> Result<(), BookError> {
        let (mut committer, mut totals) = start(store)?;
        all_days().into_iter().try_for_each(|of| compact(&mut committer, of).map(drop))?;
        commit(store, &mut committer, &mut totals)
    };
    let operations = {
        let trial = begin();
        let process = trial.process();
        sleeper(&process).expect("nothing strikes");
        process.operations()
    };
    let fence = operations.iter().position(|name| name.starts_with("link _walbook/log/")).expect("it fences");
    let last_put = operations.iter().rposition(|name| name.starts_with("link _walbook/log/")).expect("it puts");
    for (number, name) in operations.iter().enumerate().skip(fence + 1).filter(|(_, name)| !name.starts_with("write")) {
        let context = format!("asleep before operation {number} ({name})");
        let disk = begin();
        let sleeping = Sleeper::before(&disk, number, &context, sleeper).asleep();
        let awake = disk.process();
        let (mut successor, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        commit(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        for of in all_days() {
            compact(&mut successor, of).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
        commit(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let expected = truth(&next(successor.state()));
        assert_eq!(check_listing(&disk, &context), expected, "{context}: before it resumes");
        match sleeping.wake() {
            Err(error) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
            Ok(()) => assert!(number > last_put, "{context}: it went on"),
        }
        assert_eq!(check_listing(&disk, &context), expected, "{context}: after it resumed");
        commit(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: disturbed: {error:?}"));
        check_recovery(&disk.process(), &next(successor.state()), &context);
    }
}
