//! Questions about a book in a bucket, beside the run that writes it.

use std::collections::BTreeMap;

use walbook::book::{BookError, Follower, LogUpdate, Snapshot, verify};
use walbook::query::{Filter, GroupBy, counts, events};
use walbook::store::Store as _;

use crate::book::world::next;
use crate::compaction::world::{all_days, commit, compact, start, truth};
use crate::support::{MemoryBucket, TestDisk as _};

#[test]
fn counts_and_changes_are_those_of_the_loop_while_files_are_merged() {
    let bucket = MemoryBucket::new();
    let reader = bucket.process().store();
    let (mut committer, mut totals) = start(&bucket).expect("nothing strikes");
    let mut follower: Option<Follower> = None;
    for round in 0..3 {
        commit(&bucket, &mut committer, &mut totals).expect("nothing strikes");
        if round == 1 {
            for of in all_days() {
                compact(&mut committer, of).expect("nothing strikes");
            }
        }
        let expected: i64 = crate::book::world::truth(&next(committer.state())).values().sum();
        let answer = counts(&reader, &Filter::default(), &[GroupBy::Op]).expect("a book");
        assert_eq!(answer.rows.iter().map(|row| row.count).sum::<u64>(), expected as u64, "round {round}");
        let changes = events(&reader, &Filter::default(), 1000).expect("a book");
        assert_eq!(changes.rows.len() as i64, expected, "round {round}");
        let snapshot = Snapshot::take(&reader).expect("a book");
        snapshot.expect_all_files().expect("all files are there");
        match &mut follower {
            None => follower = Some(Follower::after(&reader, &snapshot)),
            Some(follower) => {
                let LogUpdate::Entries(entries, newer) = follower.look().expect("a book") else {
                    panic!("round {round}")
                };
                assert!(!entries.is_empty());
                follower.accept(&newer);
                assert!(matches!(follower.look(), Ok(LogUpdate::Nothing)));
            }
        }
    }
    assert_eq!(truth(&next(committer.state())).len(), {
        crate::compaction::world::check_listing(&bucket, "at the end").len()
    });
}

#[test]
fn a_book_that_is_made_anew_in_the_same_place_is_noticed() {
    let bucket = MemoryBucket::new();
    let reader = bucket.process().store();
    let (mut committer, mut totals) = start(&bucket).expect("nothing strikes");
    for _ in 0..3 {
        commit(&bucket, &mut committer, &mut totals).expect("nothing strikes");
    }
    let changes = || events(&reader, &Filter::default(), 1000).expect("a book").rows.len();
    let first = changes();
    let snapshot = Snapshot::take(&reader).expect("a book");
    let old = snapshot.state().book.clone();
    let follower = Follower::after(&reader, &snapshot);
    drop(committer);
    let deleted = bucket.process().store();
    for folder in ["_walbook", "events", "counts", "rejects"] {
        deleted.remove_folder(folder).expect("memory");
    }
    let other = bucket.process();
    let (mut committer, mut totals) = start(&other).expect("nothing strikes");
    commit(&other, &mut committer, &mut totals).expect("nothing strikes");
    let LogUpdate::Another(snapshot) = follower.look().expect("a book") else { panic!("the book is another one") };
    assert_ne!(snapshot.state().book, old);
    assert!(changes() < first, "the first commit alone");
    snapshot.expect_all_files().expect("all files are there");
}

#[test]
fn an_empty_bucket_and_other_objects_are_no_book() {
    let bucket = MemoryBucket::new();
    for store in [bucket.store(), bucket.process().store()] {
        assert!(matches!(Snapshot::take(&store), Err(BookError::NoBook { .. })));
        assert!(matches!(verify(&store, &mut |_| {}), Err(BookError::NoBook { .. })));
    }
    let mut seen = BTreeMap::new();
    crate::book::world::run(&bucket, 1, &mut seen).expect("nothing strikes");
    Snapshot::take(bucket.process().store()).expect("a book");
}
