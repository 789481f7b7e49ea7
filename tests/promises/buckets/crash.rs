//! The process ends at any request, with the request done or not, or the store fails at it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use walbook::book::BookError;
use walbook::change::Classified as _;

use crate::book::world::{check_complete, check_recovery, check_visible, run};
use crate::support::script::{self, looks, operations_of};
use crate::support::{Fault, MemoryBucket, TestDisk as _};

/// Two runs: a new book with two commits, and a second start with one.
pub(super) fn script(bucket: &MemoryBucket, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    run(bucket, 2, seen)?;
    run(bucket, 1, seen)?;
    Ok(())
}

/// The script's requests, by number.
pub(super) fn requests() -> Vec<(usize, String)> {
    // Checkpoints have many parts, which are all alike.
    let is_alike = |(number, name): &(usize, String)| name.starts_with("put-part _walbook/") && number % 16 != 0;
    operations_of(MemoryBucket::new(), script).into_iter().filter(|request| !is_alike(request)).collect()
}

/// Those that change something.
pub(super) fn changing() -> Vec<(usize, String)> {
    requests().into_iter().filter(|(_, name)| !looks(name)).collect()
}

/// What the bucket holds after the script was struck at a request, and what it had acknowledged.
pub(super) fn struck(number: usize, fault: Fault) -> (MemoryBucket, BTreeMap<i32, i64>, Result<(), BookError>) {
    script::struck(MemoryBucket::new(), number, fault, script)
}

#[test]
fn a_run_without_faults_is_complete_and_leaves_nothing_behind() {
    let bucket = MemoryBucket::new();
    let mut seen = BTreeMap::new();
    script(&bucket, &mut seen).expect("nothing strikes");
    check_complete(&bucket, &seen);
    let staged: Vec<String> = bucket.files().into_keys().filter(|path| path.starts_with("_walbook/staging/")).collect();
    assert!(matches!(&staged[..], [own] if own.ends_with("/.generation")), "{staged:?}");
    let requests = bucket.operations();
    let has = |verb: &str| requests.iter().any(|name| name.starts_with(verb));
    assert!(has("copy events/") && has("complete-upload events/"), "files are small and large: {requests:?}");
}

#[test]
fn a_kill_at_any_request_loses_and_repeats_nothing() {
    for (number, name) in requests() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let context = format!("{fault:?} request {number} ({name})");
            let (bucket, seen, _) = struck(number, fault);
            let found = catch_unwind(AssertUnwindSafe(|| drop(check_visible(&bucket))));
            assert!(found.is_ok(), "after {context}");
            check_recovery(&bucket.process(), seen, &context);
        }
    }
}

#[test]
fn a_kill_during_recovery_loses_and_repeats_nothing() {
    for (first, name) in changing().into_iter().step_by(7) {
        let length = {
            let (bucket, ..) = struck(first, Fault::CrashAfter);
            let again = bucket.process();
            run(&again, 1, &mut BTreeMap::new()).expect("a start after one crash");
            again.operations().len()
        };
        for second in (first % 5..length).step_by(5) {
            let (bucket, mut seen, _) = struck(first, Fault::CrashAfter);
            let again = bucket.process();
            again.strike(second, Fault::CrashBefore);
            drop(run(&again, 1, &mut seen));
            let context = format!("kills after {first} ({name}) and before {second} of the start");
            check_recovery(&bucket.process(), seen, &context);
        }
    }
}

#[test]
fn a_store_that_fails_makes_no_bad_commit_and_the_next_start_resumes() {
    for (number, name) in requests() {
        let context = format!("a failure at {number} ({name})");
        let (bucket, seen, ended) = struck(number, Fault::Fail(ErrorKind::ConnectionReset));
        if let Err(error) = &ended {
            assert!([1, 2].contains(&error.exit_code()), "{context}: {error:?}");
        }
        check_visible(&bucket);
        check_recovery(&bucket.process(), seen, &context);
    }
}
