//! The machine stops at any operation, and forgets what was not synced.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use crate::support::script::{self, looks, operations_of};
use crate::support::{Fault, MemoryStore, Strikes};
use walbook::book::log::commit_log;
use walbook::book::{BookError, CommitContents};
use walbook::change::{Classified, Interval, Partition, Tally};

use super::world::{TOPIC, check_complete, check_recovery, check_visible, next, open, run};

/// Two runs: a new book with three commits, and a second start with one.
fn script(store: &MemoryStore, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    run(store, 3, seen)?;
    run(store, 1, seen)?;
    Ok(())
}

/// The script's operations that change the disk, by number.
fn changing() -> Vec<(usize, String)> {
    operations_of(MemoryStore::new(), script).into_iter().filter(|(_, name)| !looks(name)).collect()
}

/// What the disk holds after the script was struck at an operation, and what it had acknowledged.
fn struck(number: usize, fault: Fault) -> (MemoryStore, BTreeMap<i32, i64>, Result<(), BookError>) {
    script::struck(MemoryStore::new(), number, fault, script)
}

#[test]
fn a_run_without_faults_is_complete() {
    let store = MemoryStore::new();
    let mut seen = BTreeMap::new();
    script(&store, &mut seen).expect("nothing strikes");
    check_complete(&store, &seen);
}

#[test]
fn a_power_cut_at_any_operation_loses_and_repeats_nothing() {
    for (number, name) in changing() {
        for (fault, seeds) in [(Fault::CrashBefore, 0..1), (Fault::CrashAfter, 0..4)] {
            let (store, seen, _) = struck(number, fault.clone());
            for seed in seeds {
                let context = format!("{fault:?} operation {number} ({name}), seed {seed}");
                let disk = store.survive(seed);
                let found = std::panic::catch_unwind(|| drop(check_visible(&disk)));
                assert!(found.is_ok(), "after {context}");
                check_recovery(&disk, seen.clone(), &context);
            }
        }
    }
}

#[test]
fn a_commit_without_files_survives_a_power_cut() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let tally = Tally { markers: 9, ..Tally::default() };
    let read = (Partition { topic: TOPIC.into(), number: 0 }, Interval { from: 0, to: 9 }, tally);
    let contents = CommitContents { commit: 1, positions: vec![read], ..CommitContents::default() };
    committer.commit(contents).expect("nothing strikes");
    let committer = open(&store.survive(0)).expect("the book is there");
    assert_eq!((committer.state().commit, next(committer.state())[&0]), (1, 9));
}

#[test]
fn what_a_reader_was_shown_survives_a_power_cut() {
    // The first sync after an entry's name is made; a start also syncs what it has only read.
    let changing = changing();
    let mut linked = false;
    let syncs = changing.iter().filter(|(_, name)| {
        linked |= name.starts_with("link _walbook/log/");
        name == "sync-folder _walbook/log" && std::mem::take(&mut linked)
    });
    for number in syncs.map(|(number, _)| *number).skip(1) {
        // The writer stops between the entry's name and the sync that makes it durable.
        let (store, ..) = struck(number, Fault::CrashBefore);
        let newest = commit_log::newest(&store.process()).expect("a log").expect("an entry");
        let entry = |store: &MemoryStore| commit_log::read_entry(store, newest).expect("a log that can be read");
        assert_eq!(entry(&store.survive(0)), None, "before entry {newest} is shown");
        let shown = entry(&store.process()).expect("it is visible");
        commit_log::ensure_durable(&store.process(), &shown.entry).expect("the disk works");
        assert_eq!(entry(&store.survive(0)), Some(shown), "after entry {newest} was shown");
    }
}

#[test]
fn a_kill_at_any_operation_loses_and_repeats_nothing() {
    for (number, name) in changing() {
        let (store, seen, _) = struck(number, Fault::CrashBefore);
        check_visible(&store);
        // Nothing is forgotten yet: what the dead run has not synced is the next one's to make durable.
        check_recovery(&store.process(), seen, &format!("a kill before operation {number} ({name})"));
    }
}

#[test]
fn a_power_cut_during_recovery_loses_and_repeats_nothing() {
    let mut struck_again = Strikes::default();
    for (first, name) in changing().into_iter().step_by(5) {
        let (store, seen, _) = struck(first, Fault::CrashAfter);
        let length = {
            let disk = store.survive(2);
            run(&disk, 1, &mut BTreeMap::new()).expect("a start after one crash");
            disk.operations().len()
        };
        // Strides that are prime to each other reach every kind of pair.
        for second in (first % 3..length).step_by(3) {
            let seed = second as u64 % 4;
            let disk = store.survive(2);
            disk.strike(second, Fault::CrashBefore);
            let mut seen = seen.clone();
            drop(run(&disk, 1, &mut seen));
            struck_again.count(&disk);
            let context = format!("power cuts after {first} ({name}) and before {second} of the start, seed {seed}");
            check_recovery(&disk.survive(seed), seen, &context);
        }
    }
    struck_again.assert_most_hit();
}

#[test]
fn a_full_disk_makes_no_bad_commit_and_the_next_start_resumes() {
    for (number, name) in changing() {
        let (store, seen, ended) = struck(number, Fault::Fail(ErrorKind::StorageFull));
        match ended {
            Err(BookError::Unsuitable { .. }) => {}
            Err(error) => assert_eq!(error.exit_code(), 1, "{number} ({name}): {error}"),
            // An emptied folder that stays is no harm.
            Ok(()) => assert!(name.starts_with("remove-folder"), "{number} ({name}) failed and nobody noticed"),
        }
        check_visible(&store);
        check_recovery(&store.process(), seen, &format!("a full disk at {number} ({name})"));
    }
}

#[test]
fn a_lost_answer_of_the_file_system_is_noticed() {
    for (number, name) in changing() {
        let (store, seen, ended) = struck(number, Fault::DoneButFailed(ErrorKind::TimedOut));
        // The one operation whose outcome is looked up: the put itself.
        if name.starts_with("link _walbook/log/") {
            assert!(ended.is_ok(), "{number} ({name}): {ended:?}");
        }
        check_visible(&store);
        check_recovery(&store.process(), seen, &format!("a lost answer at {number} ({name})"));
    }
}
