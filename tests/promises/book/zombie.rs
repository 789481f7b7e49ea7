//! A run is suspended at any operation while another takes the book over, and resumes.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use crate::support::script::Sleeper;
use crate::support::{Fault, MemoryStore, Strikes};
use walbook::book::BookError;
use walbook::change::Classified;
use walbook::store::{Store as _, layout};

use super::world::{check_complete, check_visible, commit, open, run};

/// The run that will sleep: it finds a book with an entry to be redone, and commits three times.
fn sleeper(store: &MemoryStore) -> Result<(), BookError> {
    run(store, 3, &mut BTreeMap::new()).map(drop)
}

/// A book whose first run stopped between its entry and its files.
fn half_redone() -> MemoryStore {
    let store = MemoryStore::new();
    run(&store, 1, &mut BTreeMap::new()).expect("nothing strikes");
    let process = store.process();
    let operations = {
        let trial = store.survive(1);
        run(&trial, 1, &mut BTreeMap::new()).expect("nothing strikes");
        trial.operations()
    };
    let placed = operations.iter().rposition(|name| name.starts_with("rename events/")).expect("files are placed");
    process.strike(placed, Fault::CrashBefore);
    assert!(run(&process, 1, &mut BTreeMap::new()).is_err(), "it stops");
    store.survive(1)
}

#[test]
fn a_suspended_run_is_fenced_wherever_it_resumes() {
    let trial = half_redone();
    sleeper(&trial).expect("nothing strikes");
    let operations = trial.operations();
    let fence_put = operations.iter().position(|name| name.starts_with("link _walbook/log/")).expect("it fences");
    let last_put = operations.iter().rposition(|name| name.starts_with("link _walbook/log/")).expect("it commits");

    for (number, name) in operations.iter().enumerate() {
        let context = format!("asleep before operation {number} ({name})");
        let disk = half_redone();
        let sleeping = Sleeper::before(&disk, number, &context, sleeper).asleep();

        // The successor starts and commits once while the other is suspended, and once more after it resumed.
        let awake = disk.process();
        let mut seen = BTreeMap::new();
        let mut successor = open(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let mut totals = successor.initial_counts().expect("counts").into_iter().collect();
        commit(&awake, &mut successor, &mut totals, &mut seen).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&disk, &seen);

        let ended = sleeping.wake();
        check_visible(&disk);
        if number > fence_put {
            // It owned the book, so it can only be fenced; what needs no more of the disk than it has done may end well.
            match &ended {
                Err(error) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
                Ok(()) => assert!(number > last_put, "{context}: it went on"),
            }
            commit(&awake, &mut successor, &mut totals, &mut seen)
                .unwrap_or_else(|error| panic!("{context}: the successor was disturbed: {error:?}"));
        } else if ended.is_ok() {
            // It had not owned the book yet: it is the newest run now, and the other one is fenced.
            let error = commit(&awake, &mut successor, &mut totals, &mut seen).expect_err(&context);
            assert_eq!(error.exit_code(), 4, "{context}: {error:?}");
        } else {
            let error = ended.expect_err("it is not ok");
            assert_eq!(error.exit_code(), 4, "{context}: {error:?}");
        }
        run(&disk.process(), 1, &mut seen).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&disk, &seen);
    }
}

#[test]
fn a_file_that_is_made_while_staging_is_swept_is_swept_too() {
    let start = |store: &MemoryStore| run(store, 1, &mut BTreeMap::new());
    let trial = half_redone();
    start(&trial).expect("nothing strikes");
    let sweeps = |name: &String| name.starts_with("remove-folder") && name.ends_with(".swept");
    let swept = trial.operations().iter().position(sweeps).expect("it sweeps");
    let store = half_redone();
    store.strike(swept, Fault::Fail(ErrorKind::DirectoryNotEmpty));
    let committer = start(&store).expect("it is tried again");
    assert_eq!(store.list(layout::STAGING).expect("readable"), [committer.generation()]);
}

/// The sleeper wakes in the middle of the other's start.
#[test]
fn a_run_that_resumes_during_a_takeover_disturbs_nothing() {
    let trial = half_redone();
    sleeper(&trial).expect("nothing strikes");
    let operations = trial.operations();
    let first_commit =
        operations.iter().position(|name| name.starts_with("create _walbook/staging/") && name.contains("events."));
    let first_commit = first_commit.expect("it commits");
    // Only operations that change the disk can disturb the successor.
    let changes = |number: &usize| {
        ["link", "rename", "remove", "sync ", "make"].iter().any(|verb| operations[*number].starts_with(verb))
    };
    let mut struck = Strikes::default();
    for number in (first_commit..operations.len()).filter(changes).step_by(2) {
        for second in (number % 3..60).step_by(3) {
            let context = format!("asleep before {number} ({}), the successor's start at {second}", operations[number]);
            let disk = half_redone();
            let sleeping = Sleeper::before(&disk, number, &context, sleeper).counted(&mut struck);
            let starts = |store: &MemoryStore| run(store, 1, &mut BTreeMap::new()).map(drop);
            let starting = Sleeper::before(&disk, second, &context, starts);
            let slept = sleeping.wake();
            check_visible(&disk);
            let started = starting.wake();
            if let Err(error) = &slept {
                assert_eq!(error.exit_code(), 4, "{context}: {error:?}");
            }
            started.unwrap_or_else(|error| panic!("{context}: the newest run must win: {error:?}"));
            check_complete(&disk, &BTreeMap::new());
            run(&disk.survive(0), 1, &mut BTreeMap::new()).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
    }
    struck.assert_most_hit();
}
