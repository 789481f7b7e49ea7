//! The machine stops, or another run takes the book over, at any operation of a run that prunes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use walbook::book::{BookError, Committer};
use walbook::change::{Classified as _, CommitNumber};
use walbook::store::Store as _;
use walbook::store::layout::{REPLACED, Table};

use crate::book::world::{self, next};
use crate::compaction::world::{Identity, check_listing, commit, compact, start, truth};
use crate::support::script::{self, Sleeper, hands_over, looks, operations_of};
use crate::support::{Fault, MemoryStore, Strikes};

/// Positions by commit.
type Positions = BTreeMap<CommitNumber, BTreeMap<i32, i64>>;

fn commit_and_note(
    store: &MemoryStore,
    committer: &mut Committer,
    totals: &mut BTreeMap<walbook::change::CountKey, i64>,
    seen: &mut Positions,
) -> Result<(), BookError> {
    commit(store, committer, totals)?;
    seen.insert(committer.state().commit, next(committer.state()));
    Ok(())
}

/// A run that commits and prunes the first of two days, commits, merges and prunes what came late.
fn script(store: &MemoryStore, seen: &mut Positions) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(store)?;
    for round in 0..2 {
        commit_and_note(store, &mut committer, &mut totals, seen)?;
        commit_and_note(store, &mut committer, &mut totals, seen)?;
        if round == 1 {
            assert!(compact(&mut committer, (Table::Events, world::day(0)))?.is_some(), "there are two files");
        }
        assert!(committer.prune(world::day(1))?.is_some(), "there is an older day");
    }
    commit_and_note(store, &mut committer, &mut totals, seen)?;
    committer.checkpoint()
}

/// The rows that the folders must have.
fn kept(committer: &Committer, seen: &Positions) -> BTreeSet<Identity> {
    let mut rows = truth(&next(committer.state()));
    if let Some(pruned) = committer.state().pruned {
        let gone = &seen[&pruned.commit];
        rows.retain(|(_, day, partition, offset, _)| {
            *day >= world::day(1) || *day == walbook::change::Day::EPOCH || *offset >= gone[partition]
        });
    }
    rows
}

/// Starts on the disk as it is found, commits and prunes once more, and checks that all that must be there is, once.
fn check_recovery(store: &MemoryStore, seen: &Positions, context: &str) {
    let mut seen = seen.clone();
    let recovered = |store: &MemoryStore| -> Result<(), BookError> {
        let (mut committer, mut totals) = start(store)?;
        let found = next(committer.state());
        let least = seen.values().next_back().cloned().unwrap_or_default();
        assert!(least.iter().all(|(partition, to)| found[partition] >= *to), "{context}: {found:?} of {least:?}");
        seen.insert(committer.state().commit, found);
        assert_eq!(check_listing(store, context), kept(&committer, &seen), "{context}: after the start");
        commit_and_note(store, &mut committer, &mut totals, &mut seen)?;
        assert!(committer.prune(world::day(1))?.is_some(), "{context}: the new rows are of both days");
        assert_eq!(check_listing(store, context), kept(&committer, &seen), "{context}: pruned again");
        committer.checkpoint()
    };
    let mut recovered = recovered;
    recovered(store).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let after = store.survive(0);
    let (committer, totals) = start(&after).unwrap_or_else(|error| panic!("{context}, second start: {error:?}"));
    assert_eq!(totals, world::truth(&next(committer.state())), "{context}: counts have all days");
    assert_eq!(check_listing(&after, context), kept(&committer, &seen), "{context}: after a second start");
}

fn struck(number: usize, fault: Fault) -> (MemoryStore, Positions, Result<(), BookError>) {
    script::struck(MemoryStore::new(), number, fault, script)
}

/// The operations of the script that change the disk, from its first prune on.
fn changing() -> Vec<(usize, String)> {
    let operations = operations_of(MemoryStore::new(), script);
    let moved = operations.iter().position(|(_, name)| name.contains("_walbook/replaced")).expect("it prunes");
    let is_put = |(_, name): &(usize, String)| name.starts_with("link _walbook/log/");
    let first = operations[..moved].iter().rposition(is_put).expect("an entry").saturating_sub(3);
    operations.into_iter().skip(first).filter(|(_, name)| !looks(name) && !hands_over(name)).collect()
}

#[test]
fn a_run_without_faults_keeps_what_is_not_old() {
    let store = MemoryStore::new();
    let mut seen = Positions::new();
    script(&store, &mut seen).expect("nothing strikes");
    check_recovery(&store, &seen, "no fault");
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_is_not_old() {
    for (number, name) in changing() {
        for (fault, seeds) in [(Fault::CrashBefore, 0..1), (Fault::CrashAfter, 0..4)] {
            let (store, seen, _) = struck(number, fault.clone());
            for seed in seeds {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                let disk = store.survive(seed);
                check_listing(&disk, &context);
                check_recovery(&disk, &seen, &context);
            }
        }
    }
}

#[test]
fn a_power_cut_during_recovery_from_one_loses_nothing_that_is_not_old() {
    let mut struck_again = Strikes::default();
    let placing = |name: &str| ["link", "rename", "remove"].iter().any(|verb| name.starts_with(verb));
    for (first, name) in changing().into_iter().filter(|(_, name)| placing(name)) {
        let (store, seen, _) = struck(first, Fault::CrashAfter);
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
fn a_kill_or_a_full_disk_at_any_operation_loses_nothing_that_is_not_old() {
    for (number, name) in changing() {
        for fault in [Fault::CrashBefore, Fault::Fail(ErrorKind::StorageFull)] {
            let (store, seen, ended) = struck(number, fault.clone());
            if let (Fault::Fail(_), Err(error)) = (&fault, ended) {
                assert_eq!(error.exit_code(), 1, "{number} ({name}): {error}");
            }
            let context = format!("{fault:?} at operation {number} ({name})");
            check_listing(&store, &context);
            check_recovery(&store.process(), &seen, &context);
        }
    }
}

#[test]
fn a_suspended_run_takes_nothing_away_wherever_it_resumes() {
    let begin = || {
        let (store, mut seen) = (MemoryStore::new(), Positions::new());
        let (mut committer, mut totals) = start(&store).expect("nothing strikes");
        for _ in 0..2 {
            commit_and_note(&store, &mut committer, &mut totals, &mut seen).expect("nothing strikes");
        }
        (store, seen)
    };
    // The sleeper takes the book over and prunes; its operations come at the same numbers each time.
    let sleeper = |store: &MemoryStore| -> Result<(), BookError> {
        let (mut committer, mut totals) = start(store)?;
        committer.prune(world::day(1))?;
        commit(store, &mut committer, &mut totals)
    };
    let operations = {
        let (trial, _) = begin();
        let process = trial.process();
        sleeper(&process).expect("nothing strikes");
        process.operations()
    };
    let fence = operations.iter().position(|name| name.starts_with("link _walbook/log/")).expect("it fences");
    let last_put = operations.iter().rposition(|name| name.starts_with("link _walbook/log/")).expect("it puts");
    for (number, name) in operations.iter().enumerate().skip(fence + 1).filter(|(_, name)| !name.starts_with("write")) {
        let context = format!("asleep before operation {number} ({name})");
        let (disk, mut seen) = begin();
        let sleeping = Sleeper::before(&disk, number, &context, sleeper).asleep();
        let awake = disk.process();
        let (mut successor, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        seen.insert(successor.state().commit, next(successor.state()));
        // It sleeps so long that the files that were pruned are removed.
        for name in awake.list(REPLACED).unwrap_or_default() {
            awake.remove_folder(&format!("{REPLACED}/{name}")).expect("it was just listed");
        }
        commit_and_note(&awake, &mut successor, &mut totals, &mut seen)
            .unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let expected = kept(&successor, &seen);
        assert_eq!(check_listing(&disk, &context), expected, "{context}: before it resumes");
        match sleeping.wake() {
            Err(error) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
            Ok(()) => assert!(number > last_put, "{context}: it went on"),
        }
        assert_eq!(check_listing(&disk, &context), expected, "{context}: after it resumed");
        check_recovery(&disk.process(), &seen, &context);
    }
}
