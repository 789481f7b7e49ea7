//! The process ends, or gets wrong answers, at any request of a run that prunes; and who has listed the files before still finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use walbook::book::{BookError, Committer, Snapshot};
use walbook::change::{CommitNumber, CountKey, Day};

use crate::book::world::{self, next};
use crate::compaction::world::{Identity, check_listing, commit, start, truth};
use crate::support::script::{hands_over, looks, operations_of, struck};
use crate::support::{Fault, MemoryBucket, TestDisk as _};

/// Positions by commit.
type Positions = BTreeMap<CommitNumber, BTreeMap<i32, i64>>;

fn commit_and_note(
    bucket: &MemoryBucket,
    committer: &mut Committer,
    totals: &mut BTreeMap<CountKey, i64>,
    seen: &mut Positions,
) -> Result<(), BookError> {
    commit(bucket, committer, totals)?;
    seen.insert(committer.state().commit, next(committer.state()));
    Ok(())
}

/// A run that commits and prunes the first of two days, and again what came late.
fn script(bucket: &MemoryBucket, seen: &mut Positions) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(bucket)?;
    for _ in 0..2 {
        commit_and_note(bucket, &mut committer, &mut totals, seen)?;
        commit_and_note(bucket, &mut committer, &mut totals, seen)?;
        assert!(committer.prune(world::day(1))?.is_some(), "there is an older day");
    }
    commit_and_note(bucket, &mut committer, &mut totals, seen)?;
    committer.checkpoint()
}

/// The rows that the folders must have.
fn kept(committer: &Committer, seen: &Positions) -> BTreeSet<Identity> {
    let mut rows = truth(&next(committer.state()));
    if let Some(pruned) = committer.state().pruned {
        let gone = &seen[&pruned.commit];
        rows.retain(|(_, day, partition, offset, _)| {
            *day >= world::day(1) || *day == Day::EPOCH || *offset >= gone[partition]
        });
    }
    rows
}

/// Starts on what is found, commits and prunes once more, and checks that all that must be there is, once.
fn check_recovery(bucket: &MemoryBucket, seen: &Positions, context: &str) {
    let mut seen = seen.clone();
    let mut recovered = || -> Result<(), BookError> {
        let (mut committer, mut totals) = start(bucket)?;
        let found = next(committer.state());
        let least = seen.values().next_back().cloned().unwrap_or_default();
        assert!(least.iter().all(|(partition, to)| found[partition] >= *to), "{context}: {found:?} of {least:?}");
        seen.insert(committer.state().commit, found);
        assert_eq!(check_listing(bucket, context), kept(&committer, &seen), "{context}: after the start");
        commit_and_note(bucket, &mut committer, &mut totals, &mut seen)?;
        assert!(committer.prune(world::day(1))?.is_some(), "{context}: the new rows are of both days");
        assert_eq!(check_listing(bucket, context), kept(&committer, &seen), "{context}: pruned again");
        committer.checkpoint()
    };
    recovered().unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let (committer, totals) = start(&bucket.process()).unwrap_or_else(|error| panic!("{context}, again: {error:?}"));
    assert_eq!(totals, world::truth(&next(committer.state())), "{context}: counts have all days");
}

/// Some objects of a prune are sent in parts, others are not.
fn bucket() -> MemoryBucket {
    MemoryBucket::with_part_bytes(1500)
}

/// The requests of the script from its first prune on that change something.
fn changing() -> Vec<(usize, String)> {
    let requests = operations_of(bucket(), script);
    let is_move = |(_, name): &(usize, String)| name.starts_with("copy _walbook/replaced/");
    let is_put = |(_, name): &(usize, String)| name.starts_with("put-new _walbook/log/");
    let moved = requests.iter().position(is_move).expect("it prunes");
    let put = requests[..moved].iter().rposition(is_put).expect("an entry");
    requests.into_iter().skip(put).filter(|(_, name)| !looks(name) && !hands_over(name)).collect()
}

#[test]
fn a_kill_or_a_lost_answer_at_any_request_of_a_prune_loses_nothing_that_is_not_old() {
    for (number, name) in changing() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::DoneButFailed(ErrorKind::TimedOut)] {
            let context = format!("{fault:?} request {number} ({name})");
            let (bucket, seen, _) = struck(bucket(), number, fault, script);
            check_listing(&bucket, &context);
            check_recovery(&bucket.process(), &seen, &context);
        }
    }
}

#[test]
fn files_that_were_listed_before_they_were_pruned_are_found() {
    let bucket = bucket();
    let (mut committer, mut totals) = start(&bucket).expect("nothing strikes");
    for _ in 0..2 {
        commit(&bucket, &mut committer, &mut totals).expect("nothing strikes");
    }
    let reader = bucket.process().store();
    let before = Snapshot::take(&reader).expect("a book");
    let listed = before.event_files(&|_| true).expect("all are there");
    assert!(committer.prune(world::day(1)).expect("nothing strikes").is_some());
    for file in &listed {
        assert!(before.is_whole(file).expect("it is found"), "{}", file.path);
    }
    // Listed again at the entry before, and at the newest one.
    assert_eq!(before.event_files(&|_| true).expect("all are found"), listed);
    let now = Snapshot::take(&reader).expect("a book").event_files(&|_| true).expect("all are there");
    assert!(!now.is_empty() && now.len() < listed.len(), "{} of {}", now.len(), listed.len());
}
