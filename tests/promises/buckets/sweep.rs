//! The process ends, sleeps or gets wrong answers at the requests of a sweep of the log.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use walbook::book::BookError;
use walbook::book::sweep::Sweep;
use walbook::change::Classified as _;

use crate::book::world::next;
use crate::compaction::world::{all_days, check_listing, check_recovery, commit, compact, start, truth};
use crate::support::script::{self, Sleeper, looks, operations_of};
use crate::support::{Fault, MemoryBucket, TestDisk as _};
use crate::sweep::world::{check_log, check_swept, pass_checkpoints, sweep};

/// Some objects of a sweep are sent in parts, others are not.
fn bucket() -> MemoryBucket {
    MemoryBucket::with_part_bytes(1500)
}

/// A run that commits, merges, and sweeps twice; `seen` has what was acknowledged.
fn script(bucket: &MemoryBucket, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(bucket)?;
    for _ in 0..2 {
        commit(bucket, &mut committer, &mut totals)?;
        commit(bucket, &mut committer, &mut totals)?;
        compact(&mut committer, all_days()[0])?;
        pass_checkpoints(bucket, &mut committer, &mut totals)?;
        *seen = next(committer.state());
        assert!(matches!(sweep(&committer)?, Sweep::Swept { .. }), "there are entries to sweep");
    }
    committer.checkpoint()
}

/// The requests of the script that change something for a sweep.
fn changing() -> Vec<(usize, String)> {
    let is_of_sweep = |name: &str| {
        let is_manifest = name.contains(".day=") && name.contains(".json.inprogress");
        let is_removal = name.starts_with("delete _walbook/log/");
        name.contains("_walbook/base") || name.contains("_walbook/files") || is_removal || is_manifest
    };
    let requests = operations_of(bucket(), script).into_iter();
    requests.filter(|(_, name)| !looks(name) && is_of_sweep(name)).collect()
}

/// The bucket when the script was struck at a request, and what it had acknowledged.
fn struck(number: usize, fault: Fault) -> (MemoryBucket, BTreeMap<i32, i64>, Result<(), BookError>) {
    script::struck(bucket(), number, fault, script)
}

#[test]
fn a_run_without_faults_sweeps_what_it_may() {
    let bucket = bucket();
    let mut seen = BTreeMap::new();
    script(&bucket, &mut seen).expect("nothing strikes");
    let folded = check_log(&bucket, &seen, "no fault");
    assert!(folded.first > 0 && !folded.named.is_empty(), "entries are gone");
    check_swept(&bucket, "no fault");
    assert_eq!(check_listing(&bucket, "no fault"), truth(&seen));
    check_recovery(&bucket.process(), &seen, "no fault");
    let puts = changing().into_iter().filter(|(_, name)| name.starts_with("put-new _walbook/base/")).count();
    assert_eq!(puts, 2, "a base is put if there is none");
}

#[test]
fn a_kill_at_any_request_of_a_sweep_is_completed_by_the_next_one() {
    for (number, name) in changing() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let context = format!("{fault:?} request {number} ({name})");
            let (bucket, seen, _) = struck(number, fault);
            check_log(&bucket, &seen, &context);
            let again = bucket.process();
            let (mut committer, mut totals) = start(&again).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            pass_checkpoints(&again, &mut committer, &mut totals)
                .unwrap_or_else(|error| panic!("{context}: {error:?}"));
            let swept = sweep(&committer).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert!(matches!(swept, Sweep::Swept { .. }), "{context}: {swept:?}");
            check_log(&bucket, &seen, &context);
            check_swept(&bucket, &context);
            drop(committer);
            check_recovery(&bucket.process(), &seen, &context);
        }
    }
}

#[test]
fn a_wrong_answer_to_the_put_of_a_base_is_looked_up() {
    for (number, name) in changing().into_iter().filter(|(_, name)| name.starts_with("put-new _walbook/base/")) {
        for fault in [
            Fault::DoneButFailed(ErrorKind::TimedOut),
            Fault::DoneButFailed(ErrorKind::AlreadyExists),
            Fault::Fail(ErrorKind::AlreadyExists),
        ] {
            let context = format!("{fault:?} at {number} ({name})");
            let (bucket, seen, ended) = struck(number, fault);
            ended.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            check_swept(&bucket, &context);
            check_log(&bucket, &seen, &context);
        }
    }
}

/// A run that takes the book over, sweeps and commits.
fn sleeper(bucket: &MemoryBucket) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(bucket)?;
    pass_checkpoints(bucket, &mut committer, &mut totals)?;
    sweep(&committer)?;
    commit(bucket, &mut committer, &mut totals)
}

/// A book that was swept once.
fn swept_book() -> MemoryBucket {
    let bucket = bucket();
    let (mut committer, mut totals) = start(&bucket).expect("nothing strikes");
    for _ in 0..2 {
        commit(&bucket, &mut committer, &mut totals).expect("nothing strikes");
    }
    pass_checkpoints(&bucket, &mut committer, &mut totals).expect("nothing strikes");
    assert!(matches!(sweep(&committer), Ok(Sweep::Swept { .. })));
    bucket.process()
}

/// Nothing but the number stops a put of an entry here: the staging folder of a run that was fenced is gone, but its request needs none.
#[test]
fn a_run_that_was_fenced_and_whose_entries_were_swept_changes_nothing() {
    let all = {
        let bucket = swept_book();
        sleeper(&bucket).expect("nothing strikes");
        bucket.operations()
    };
    let puts = |name: &String| name.starts_with("put-new _walbook/log/");
    let fence = all.iter().position(puts).expect("it fences");
    let last_put = all.iter().rposition(puts).expect("it commits");
    let looks = |name: &str| ["list", "get", "put-part"].iter().any(|verb| name.starts_with(verb));
    for (number, name) in all.iter().enumerate().skip(fence + 1).filter(|(_, name)| !looks(name)) {
        let context = format!("asleep before request {number} ({name})");
        let bucket = swept_book();
        let sleeping = Sleeper::before(&bucket, number, &context, sleeper).asleep();
        let awake = bucket.process();
        let (mut successor, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        for _ in 0..2 {
            pass_checkpoints(&awake, &mut successor, &mut totals)
                .unwrap_or_else(|error| panic!("{context}: {error:?}"));
            sweep(&successor).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
        let seen = next(successor.state());
        check_log(&bucket, &seen, &context);
        match sleeping.wake() {
            Err(error) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
            Ok(()) => assert!(number > last_put, "{context}: it went on"),
        }
        check_log(&bucket, &seen, &context);
        commit(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: disturbed: {error:?}"));
        pass_checkpoints(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        sweep(&successor).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_swept(&bucket, &context);
        let seen = next(successor.state());
        check_log(&bucket, &seen, &context);
        drop(successor);
        check_recovery(&bucket.process(), &seen, &context);
    }
}
