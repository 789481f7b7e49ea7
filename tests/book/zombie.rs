//! A run sleeps at any operation while another takes the book, and wakes.

use std::collections::BTreeMap;
use std::thread;

use walbook::book::BookError;
use walbook::testing::{Fault, MemoryStore, Pause};

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
fn a_sleeping_run_is_fenced_wherever_it_wakes() {
    let trial = half_redone();
    sleeper(&trial).expect("nothing strikes");
    let operations = trial.operations();
    let fence_put = operations.iter().position(|name| name.starts_with("link _walbook/log/")).expect("it fences");
    let last_put = operations.iter().rposition(|name| name.starts_with("link _walbook/log/")).expect("it commits");

    for (number, name) in operations.iter().enumerate() {
        let context = format!("asleep before operation {number} ({name})");
        let disk = half_redone();
        let sleeping = disk.process();
        let pause = Pause::new();
        sleeping.strike(number, Fault::Sleep(pause.clone()));
        let thread = thread::spawn({
            let pause = pause.clone();
            move || {
                let ended = sleeper(&sleeping);
                pause.pass();
                ended
            }
        });
        pause.wait();

        // The successor starts and commits once while the other sleeps, and once more after it woke.
        let awake = disk.process();
        let mut seen = BTreeMap::new();
        let mut successor = open(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let mut totals = successor.initial_counts().expect("counts").into_iter().collect();
        commit(&awake, &mut successor, &mut totals, &mut seen).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&disk, &seen);

        pause.wake();
        let ended = thread.join().unwrap_or_else(|_| panic!("{context}: it panicked"));
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
