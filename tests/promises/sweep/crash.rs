//! The machine stops, or a file system fails, at any operation of a sweep.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use walbook::book::BookError;
use walbook::book::sweep::Sweep;
use walbook::change::Classified as _;

use super::world::{check_log, check_swept, pass_checkpoints, sweep};
use crate::book::world::next;
use crate::compaction::world::{all_days, check_listing, check_recovery, commit, compact, start, truth};
use crate::support::script::{self, hands_over, looks, operations_of};
use crate::support::{Fault, MemoryStore, Strikes};

/// A run that commits, merges, and sweeps twice; `seen` has what was acknowledged.
fn script(store: &MemoryStore, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(store)?;
    for _ in 0..2 {
        commit(store, &mut committer, &mut totals)?;
        commit(store, &mut committer, &mut totals)?;
        compact(&mut committer, all_days()[0])?;
        compact(&mut committer, all_days()[2])?;
        pass_checkpoints(store, &mut committer, &mut totals)?;
        *seen = next(committer.state());
        assert!(matches!(sweep(&committer)?, Sweep::Swept { .. }), "there are entries to sweep");
    }
    committer.checkpoint()
}

/// The disk when the script was struck at an operation, and what it had acknowledged.
fn struck(number: usize, fault: Fault) -> (MemoryStore, BTreeMap<i32, i64>, Result<(), BookError>) {
    script::struck(MemoryStore::new(), number, fault, script)
}

/// The operations of the script that change the disk, from its first sweep on.
fn changing() -> Vec<(usize, String)> {
    let is_manifest = |name: &str| name.contains(".day=") && name.ends_with(".json.inprogress");
    let is_of_sweep = |name: &str| {
        name.contains("_walbook/base")
            || name.contains("_walbook/files")
            || name.contains("/base-")
            || name.starts_with("remove _walbook/log/")
            || is_manifest(name)
    };
    let is_struck = |name: &str| !looks(name) && !hands_over(name) && is_of_sweep(name);
    operations_of(MemoryStore::new(), script).into_iter().filter(|(_, name)| is_struck(name)).collect()
}

#[test]
fn a_run_without_faults_sweeps_what_it_may() {
    let store = MemoryStore::new();
    let mut seen = BTreeMap::new();
    script(&store, &mut seen).expect("nothing strikes");
    let folded = check_log(&store, &seen, "no fault");
    // One fence, eight commits, four merges; the last two commits and what follows the first one's checkpoint stay.
    assert_eq!((folded.first, folded.state.entries), (11, 13));
    check_swept(&store, "no fault");
    assert_eq!(check_listing(&store, "no fault"), truth(&seen));
    check_recovery(&store, &seen, "no fault");
    // An older version stops at the checkpoints.
    let checkpoints: Vec<String> = store
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("_walbook/checkpoint/"))
        .map(|(_, bytes)| String::from_utf8(bytes).expect("JSON"))
        .collect();
    assert!(checkpoints.iter().all(|text| text.starts_with(r#"{"format":4,"#)), "{checkpoints:?}");
}

#[test]
fn a_commit_lists_no_folder_however_much_was_swept() {
    let store = MemoryStore::new();
    script(&store, &mut BTreeMap::new()).expect("nothing strikes");
    let process = store.process();
    let (mut committer, mut totals) = start(&process).expect("nothing strikes");
    let before = process.operations().len();
    commit(&process, &mut committer, &mut totals).expect("nothing strikes");
    let operations = process.operations().split_off(before);
    assert!(operations.len() > 10 && !operations.iter().any(|name| name.starts_with("list")), "{operations:?}");
}

#[test]
fn a_power_cut_at_any_operation_of_a_sweep_loses_and_repeats_nothing() {
    for (number, name) in changing() {
        for (fault, seeds) in [(Fault::CrashBefore, vec![0]), (Fault::CrashAfter, vec![0, 1, 2 + number as u64])] {
            let (store, seen, _) = struck(number, fault.clone());
            for seed in seeds {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                let disk = store.survive(seed);
                check_log(&disk, &seen, &context);
                check_listing(&disk, &context);
                check_recovery(&disk, &seen, &context);
            }
        }
    }
}

#[test]
fn a_kill_at_any_operation_of_a_sweep_is_completed_by_the_next_one() {
    for (number, name) in changing() {
        let (store, seen, _) = struck(number, Fault::CrashBefore);
        let context = format!("a kill before operation {number} ({name})");
        check_log(&store, &seen, &context);
        let sweep_again = |store: &MemoryStore, context: &str| {
            let (mut committer, mut totals) = start(store).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            pass_checkpoints(store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            let swept = sweep(&committer).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert!(matches!(swept, Sweep::Swept { .. }), "{context}: {swept:?}");
            check_log(store, &seen, context);
            check_swept(store, context);
        };
        sweep_again(&store.process(), &context);
        // What the killed run had not made durable the next one must have.
        let after = store.survive(0);
        check_log(&after, &seen, &context);
        check_recovery(&after, &seen, &context);
    }
}

#[test]
fn a_power_cut_after_the_checkpoint_of_a_run_that_follows_a_killed_sweep_loses_nothing() {
    for (number, name) in changing() {
        let (store, seen, _) = struck(number, Fault::CrashBefore);
        let context =
            format!("a kill before operation {number} ({name}), and a power cut after the next run's checkpoints");
        let disk = store.process();
        let (mut committer, mut totals) = start(&disk).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        pass_checkpoints(&disk, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        for seed in [0, number as u64] {
            check_log(&disk.survive(seed), &seen, &context);
            check_recovery(&disk.survive(seed), &seen, &context);
        }
    }
}

#[test]
fn a_power_cut_during_the_sweep_after_a_kill_loses_nothing() {
    let mut strikes = Strikes::default();
    let removing = |name: &str| ["link", "sync-folder", "rename", "remove"].iter().any(|verb| name.starts_with(verb));
    for (first, name) in changing().into_iter().filter(|(_, name)| removing(name)).step_by(6) {
        let (store, seen, _) = struck(first, Fault::CrashBefore);
        let again = |disk: &MemoryStore| -> Result<(), BookError> {
            let (mut committer, mut totals) = start(disk)?;
            pass_checkpoints(disk, &mut committer, &mut totals)?;
            sweep(&committer).map(drop)
        };
        let length = {
            // A disk of its own for the trial.
            let (store, ..) = struck(first, Fault::CrashBefore);
            let disk = store.process();
            again(&disk).expect("nothing strikes");
            disk.operations().len()
        };
        drop(store);
        for second in (length.saturating_sub(30)..length).step_by(3) {
            let (store, ..) = struck(first, Fault::CrashBefore);
            let disk = store.process();
            disk.strike(second, Fault::CrashAfter);
            drop(again(&disk));
            strikes.count(&disk);
            let context = format!("a kill before {first} ({name}), a power cut after {second} of the next run");
            for seed in [0, second as u64] {
                check_log(&disk.survive(seed), &seen, &context);
                check_recovery(&disk.survive(seed), &seen, &context);
            }
        }
    }
    strikes.assert_most_hit();
}

#[test]
fn a_run_whose_sweep_failed_goes_on_and_sweeps_later() {
    for kind in [ErrorKind::StorageFull, ErrorKind::TimedOut] {
        for (number, name) in changing() {
            let context = format!("{kind:?} at {number} ({name})");
            let store = MemoryStore::new();
            let fault = match kind {
                ErrorKind::TimedOut => Fault::DoneButFailed(kind),
                _ => Fault::Fail(kind),
            };
            store.strike(number, fault);
            let mut seen = BTreeMap::new();
            let (mut committer, mut totals) = start(&store).expect("not struck yet");
            for _ in 0..2 {
                let mut go_on = || -> Result<(), BookError> {
                    for _ in 0..2 {
                        commit(&store, &mut committer, &mut totals)?;
                    }
                    compact(&mut committer, all_days()[0])?;
                    compact(&mut committer, all_days()[2])?;
                    pass_checkpoints(&store, &mut committer, &mut totals)
                };
                // Some operations of a checkpoint are those of a sweep; then the run ends.
                if go_on().is_err() {
                    break;
                }
                seen = next(committer.state());
                if let Err(error) = sweep(&committer) {
                    assert_eq!(error.exit_code(), 1, "{context}: {error:?}");
                    check_log(&store, &seen, &context);
                    sweep(&committer).unwrap_or_else(|error| panic!("{context}, again: {error:?}"));
                    // An older base or manifest that could not be removed goes with the next ones.
                    if !name.starts_with("remove _walbook/base") && !name.starts_with("remove _walbook/files") {
                        check_swept(&store, &context);
                    }
                    check_log(&store.survive(0), &seen, &context);
                }
            }
            check_recovery(&store.process(), &seen, &context);
        }
    }
}
