//! Answers that are not true: of requests that were done all the same, and of conflicts that were none.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::crash::{changing, struck};
use crate::book::world::{check_complete, check_recovery, check_visible};
use crate::support::{Fault, TestDisk as _};

/// Whether a request's outcome is looked up when the answer is an error.
fn is_looked_up(name: &str) -> bool {
    let is_put = name.starts_with("put-new _walbook/log/") || name.contains(" counts/");
    is_put || name.starts_with("complete-upload events/") || name.starts_with("complete-upload rejects/")
}

#[test]
fn a_lost_answer_loses_and_repeats_nothing() {
    for (number, name) in changing() {
        let context = format!("a lost answer at {number} ({name})");
        let (bucket, seen, ended) = struck(number, Fault::DoneButFailed(ErrorKind::TimedOut));
        if is_looked_up(&name) {
            ended.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            check_complete(&bucket, &seen);
        }
        check_visible(&bucket);
        check_recovery(&bucket.process(), seen, &context);
    }
}

/// S3 answers 409 to a put by condition when another request for the key is under way; a client shows it as if the key were taken.
#[test]
fn a_conflict_that_was_none_is_no_fence() {
    let mut struck_any = false;
    for (number, name) in changing() {
        if !is_looked_up(&name) || name.starts_with("complete") {
            continue;
        }
        struck_any = true;
        let context = format!("a conflict at {number} ({name})");
        let (bucket, seen, ended) = struck(number, Fault::Fail(ErrorKind::AlreadyExists));
        ended.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&bucket, &seen);
    }
    assert!(struck_any, "entries and counts are put by condition");
}

/// A request that was sent again meets what it has put itself.
#[test]
fn a_put_that_meets_itself_is_no_fence() {
    for (number, name) in changing().into_iter().filter(|(_, name)| name.starts_with("put-new _walbook/log/")) {
        let context = format!("{number} ({name})");
        let (bucket, seen, ended) = struck(number, Fault::DoneButFailed(ErrorKind::AlreadyExists));
        ended.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_complete(&bucket, &seen);
        check_recovery(&bucket, BTreeMap::new(), &context);
    }
}
