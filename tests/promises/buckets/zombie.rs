//! A run is suspended at any request while another takes the book over, and resumes.

use std::collections::BTreeMap;

use walbook::book::BookError;
use walbook::change::Classified as _;

use crate::book::world::{check_complete, check_visible, commit, open, run};
use crate::support::script::Sleeper;
use crate::support::{Fault, MemoryBucket, TestDisk as _};

/// The run that will sleep: it finds a book with an entry to be redone, and commits twice.
fn sleeper(bucket: &MemoryBucket) -> Result<(), BookError> {
    run(bucket, 2, &mut BTreeMap::new()).map(drop)
}

/// A book whose first run ended between its entry and its files.
fn half_redone() -> MemoryBucket {
    let bucket = MemoryBucket::new();
    run(&bucket, 1, &mut BTreeMap::new()).expect("nothing strikes");
    let operations = {
        let trial = MemoryBucket::new();
        run(&trial, 1, &mut BTreeMap::new()).expect("nothing strikes");
        let again = trial.process();
        run(&again, 1, &mut BTreeMap::new()).expect("nothing strikes");
        again.operations()
    };
    let places = |name: &String| ["copy events/", "complete-upload events/"].iter().any(|verb| name.starts_with(verb));
    let process = bucket.process();
    process.strike(operations.iter().rposition(places).expect("files are placed"), Fault::CrashBefore);
    assert!(run(&process, 1, &mut BTreeMap::new()).is_err(), "it ends");
    bucket.process()
}

#[test]
fn a_suspended_run_is_fenced_wherever_it_resumes() {
    let trial = half_redone();
    sleeper(&trial).expect("nothing strikes");
    let operations = trial.operations();
    let puts = |name: &String| name.starts_with("put-new _walbook/log/");
    let fence_put = operations.iter().position(puts).expect("it fences");
    let last_put = operations.iter().rposition(puts).expect("it commits");

    let is_alike = |(number, name): &(usize, &String)| name.starts_with("put-part _walbook/") && number % 16 != 0;
    for (number, name) in operations.iter().enumerate().filter(|request| !is_alike(request)) {
        let context = format!("asleep before request {number} ({name})");
        let bucket = half_redone();
        let sleeping = Sleeper::before(&bucket, number, &context, sleeper).asleep();
        let awake = bucket.process();
        let mut seen = BTreeMap::new();
        let mut successor = open(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let mut totals = successor.initial_counts().expect("counts").into_iter().collect();
        commit(&awake, &mut successor, &mut totals, &mut seen).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&bucket, &seen);

        let ended = sleeping.wake();
        check_visible(&bucket);
        let disturbed = commit(&awake, &mut successor, &mut totals, &mut seen);
        match (number > fence_put, &ended) {
            // It owned the book, so it can only be fenced; what needs no more of the store than it has done may end well.
            (true, Err(error)) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
            (true, Ok(())) => assert!(number > last_put, "{context}: it went on"),
            // It had not owned the book yet: it is the newest run now, and the other one is fenced.
            (false, Ok(())) => assert_eq!(disturbed.as_ref().expect_err(&context).exit_code(), 4, "{context}"),
            (false, Err(error)) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
        }
        if number > fence_put {
            disturbed.unwrap_or_else(|error| panic!("{context}: the successor was disturbed: {error:?}"));
        }
        run(&bucket.process(), 1, &mut seen).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&bucket, &seen);
    }
}
