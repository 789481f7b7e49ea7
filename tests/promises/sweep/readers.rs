//! Readers of a swept book, and beside sweeps.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use walbook::book::sweep::Sweep;
use walbook::book::{Follower, LogUpdate, Snapshot, verify};
use walbook::query::{Filter, GroupBy, counts, events};
use walbook::store::layout::Table;

use crate::readers::loop_of_rows::{compare, folder, open};
use crate::readers::random::{Rows, day};
use crate::support::book_builder::BookBuilder;

fn assert_whole(root: &Path) {
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(report.ok, "{report:#?}");
}

/// Commits with checkpoints in between, and sweeps.
fn commit_and_sweep(book: &mut BookBuilder, rows: &mut Rows, days: u64) -> Sweep {
    book.sweep().expect("nothing fails");
    for _ in 0..2 {
        book.commit(rows.commit(20, days)).expect("a commit");
        book.committer().checkpoint().expect("nothing fails");
    }
    book.sweep().expect("nothing fails")
}

fn entries(root: &Path) -> usize {
    fs::read_dir(root.join("_walbook/log")).expect("a log").count()
}

#[test]
fn a_swept_book_answers_as_before() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(11);
    let mut book = open(root);
    book.workers = 2;
    for round in 0..6 {
        for _ in 0..3 {
            book.commit(rows.commit(30, 1 + round)).expect("a commit");
        }
        if round % 2 == 1 {
            for table in [Table::Events, Table::Rejects] {
                book.compact((table, day(round / 2)), 1 << 20).expect("nothing fails");
            }
        }
        if round % 3 == 2 {
            drop(book);
            book = open(root);
        }
        assert!(matches!(commit_and_sweep(&mut book, &mut rows, 1 + round), Sweep::Swept { .. }), "round {round}");
        compare(root, &mut rows, &format!("round {round}"));
        assert_whole(root);
    }
    // A day whose entries are all swept is merged, and swept again.
    for table in [Table::Events, Table::Rejects] {
        book.compact((table, day(0)), 1 << 20).expect("nothing fails");
    }
    compare(root, &mut rows, "merged after a sweep");
    assert_whole(root);
    commit_and_sweep(&mut book, &mut rows, 2);
    compare(root, &mut rows, "swept after a merge");
    assert_whole(root);
    assert!(entries(root) < 8, "{} entries are left", entries(root));
    let report = verify(root, &mut |_| {}).expect("a report");
    let log = report.checks.iter().find(|check| check.name == "log").expect("one");
    assert!(log.seen.contains("were swept"), "{}", log.seen);
    // Without its checkpoints it is read from the base.
    drop(book);
    for checkpoint in fs::read_dir(root.join("_walbook/checkpoint")).expect("a folder").flatten() {
        fs::remove_file(checkpoint.path()).expect("it is there");
    }
    compare(root, &mut rows, "without checkpoints");
    assert_whole(root);
    // Its counts files too are made again from what the base names.
    for day in fs::read_dir(root.join("counts")).expect("a folder").flatten() {
        fs::remove_file(day.path().join("counts.parquet")).expect("it is there");
    }
    let mut book = open(root);
    book.commit(rows.commit(10, 3)).expect("a commit");
    compare(root, &mut rows, "with new counts files");
    assert_whole(root);
}

#[test]
fn a_snapshot_from_before_a_sweep_reads_its_files() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(12);
    let mut book = open(root);
    for _ in 0..4 {
        book.commit(rows.commit(20, 2)).expect("a commit");
    }
    book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("several files");
    book.sweep().expect("nothing to do");
    for _ in 0..2 {
        book.commit(rows.commit(20, 2)).expect("a commit");
        book.committer().checkpoint().expect("nothing fails");
    }
    let snapshot = Snapshot::take(root).expect("a book");
    let files = snapshot.event_files(&|_| true).expect("all are there");
    assert!(snapshot.is_whole(&files[0]).expect("as written"), "before the sweep");
    assert!(matches!(book.sweep(), Ok(Sweep::Swept { .. })));
    for file in files {
        assert!(snapshot.is_whole(&file).expect("as written"), "{}", file.path);
        assert!(snapshot.is_group_whole(&file, 0).expect("as written"), "{}", file.path);
    }
    assert!(!snapshot.reject_files().expect("all are there").is_empty());
    snapshot.expect_all_files().expect("all are there");
}

#[test]
fn a_follower_whose_entry_was_swept_begins_again() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(13);
    let mut book = open(root);
    book.commit(rows.commit(20, 2)).expect("a commit");
    let mut follower = Follower::after(root, &Snapshot::take(root).expect("a book"));
    commit_and_sweep(&mut book, &mut rows, 2);
    // Its own entry is gone, and the next one follows it all the same.
    assert!(matches!(follower.look(), Ok(LogUpdate::Entries(entries, _)) if entries.len() == 2));
    commit_and_sweep(&mut book, &mut rows, 2);
    let LogUpdate::Another(snapshot) = follower.look().expect("readable") else { panic!("its entry is gone") };
    follower.accept(&snapshot);
    book.commit(rows.commit(20, 2)).expect("a commit");
    assert!(matches!(follower.look(), Ok(LogUpdate::Entries(entries, _)) if entries.len() == 1));
}

#[test]
fn answers_beside_sweeps_are_those_of_some_commit() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(14);
    let mut book = open(root);
    let plans: Vec<_> = (0..90).map(|_| rows.commit(15, 3)).collect();
    let mut by_commit: BTreeMap<u64, usize> = BTreeMap::new();
    let mut all = 0;
    for (contents, commit) in plans.iter().zip(1u64..) {
        all += contents.events.len();
        by_commit.insert(commit, all);
    }
    let mut plans = plans.into_iter();
    book.commit(plans.next().expect("one")).expect("a commit");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..2 {
            let (is_done, by_commit) = (&is_done, &by_commit);
            scope.spawn(move || {
                let (mut asked, mut answered) = (0, 0);
                while !is_done.load(Ordering::SeqCst) {
                    asked += 1;
                    // Entries are kept for so short that a question may be slower; then it says so.
                    let is_swept =
                        |error: &dyn std::fmt::Display| assert!(error.to_string().contains("swept"), "{error}");
                    match counts(root, &Filter::default(), &GroupBy::DEFAULT) {
                        Ok(answer) => {
                            let sum: u64 = answer.rows.iter().map(|row| row.count).sum();
                            assert_eq!(sum, by_commit[&answer.complete_to.commit] as u64);
                            answered += 1;
                        }
                        Err(error) => is_swept(&error),
                    }
                    match events(root, &Filter::default(), usize::MAX) {
                        Ok(answer) => {
                            assert_eq!(answer.rows.len(), by_commit[&answer.complete_to.commit]);
                            answered += 1;
                        }
                        Err(error) => is_swept(&error),
                    }
                    if reader == 0 && asked % 5 == 0 {
                        match verify(root, &mut |_| {}) {
                            Ok(report) => assert!(report.ok, "{report:#?}"),
                            Err(error) => is_swept(&error),
                        }
                    }
                }
                assert!(answered > asked, "{answered} of {} questions were answered", 2 * asked);
            });
        }
        let mut swept = 0;
        for (contents, number) in plans.zip(0..) {
            book.commit(contents).expect("a commit");
            book.committer().checkpoint().expect("nothing fails");
            if number % 10 == 9 {
                book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails");
            }
            if number % 4 == 3 {
                swept += u64::from(matches!(book.sweep().expect("nothing fails"), Sweep::Swept { .. }));
            }
        }
        is_done.store(true, Ordering::SeqCst);
        assert!(swept > 15, "{swept} sweeps");
    });
    assert_whole(root);
}
