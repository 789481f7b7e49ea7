//! Readers beside compactions, on a real directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use walbook::book::{Snapshot, verify};
use walbook::query::{Filter, GroupBy, counts, events};
use walbook::store::layout::{Table, day_folder};

use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::{Rows, day};

/// How many rows the files of a day have, listed and then read as other tools do; `None` when one was gone in between.
fn rows_by_listing(folder: &Path) -> Option<u64> {
    let mut rows = 0;
    let mut paths: Vec<_> =
        fs::read_dir(folder).ok()?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().ok()?;
    paths.sort();
    for path in paths {
        let file = fs::File::open(path).ok()?;
        rows += SerializedFileReader::new(file).expect("only whole files").metadata().file_metadata().num_rows() as u64;
    }
    Some(rows)
}

#[test]
fn a_listing_of_a_day_never_has_a_wrong_number_of_rows_while_it_is_merged_again_and_again() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(1);
    let mut book = open(root);
    book.workers = 3;
    let of_day = root.join(day_folder(Table::Events, day(0)));
    // The number of rows after each commit that a listing may see.
    let (least, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let (is_done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::SeqCst) {
                    let before = least.load(Ordering::SeqCst);
                    let listed = rows_by_listing(&of_day);
                    let after = most.load(Ordering::SeqCst);
                    if let Some(listed) = listed {
                        assert!((before..=after).contains(&listed), "{listed} rows, not {before} to {after}");
                        seen.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        for _ in 0..60 {
            // Files of one commit appear one by one: merges are between commits, and listed while nothing is placed.
            let contents = rows.commit(30, 1);
            most.fetch_add(contents.events.len() as u64, Ordering::SeqCst);
            book.commit(contents).expect("a commit");
            least.store(most.load(Ordering::SeqCst), Ordering::SeqCst);
            book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("several files");
        }
        is_done.store(true, Ordering::SeqCst);
    });
    assert!(seen.load(Ordering::SeqCst) > 50, "listings were read while days were merged");
    assert_eq!(rows_by_listing(&of_day), Some(least.load(Ordering::SeqCst)));
}

#[test]
fn answers_beside_compactions_are_those_of_some_commit() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(2);
    let mut book = open(root);
    let mut by_commit: BTreeMap<u64, usize> = BTreeMap::new();
    let plans: Vec<_> = (0..40).map(|_| rows.commit(20, 2)).collect();
    let mut all = 0;
    for (contents, commit) in plans.iter().zip(1u64..) {
        all += contents.events.len();
        by_commit.insert(commit, all);
    }
    let is_done = AtomicBool::new(false);
    let mut plans = plans.into_iter();
    book.commit(plans.next().expect("one")).expect("a commit");
    thread::scope(|scope| {
        for reader in 0..3 {
            let (by_commit, is_done) = (&by_commit, &is_done);
            scope.spawn(move || {
                let mut answers = 0;
                while !is_done.load(Ordering::SeqCst) {
                    match reader {
                        0 => {
                            let answer = events(root, &Filter::default(), usize::MAX).expect("an answer");
                            assert_eq!(answer.rows.len(), by_commit[&answer.complete_to.commit]);
                        }
                        1 => {
                            let answer = counts(root, &Filter::default(), &[GroupBy::Op]).expect("an answer");
                            let sum: u64 = answer.rows.iter().map(|row| row.count).sum();
                            assert_eq!(sum as usize, by_commit[&answer.complete_to.commit]);
                        }
                        _ => {
                            let report = verify(root, &mut |_| {}).expect("a report");
                            assert!(report.ok, "{report:#?}");
                        }
                    }
                    answers += 1;
                }
                assert!(answers > 0);
            });
        }
        for contents in plans {
            book.commit(contents).expect("a commit");
            for number in 0..2 {
                book.compact((Table::Events, day(number)), 1 << 20).expect("nothing fails");
                book.compact((Table::Rejects, day(number)), 1 << 20).expect("nothing fails");
            }
        }
        is_done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_reader_that_has_a_snapshot_finds_its_files_after_they_were_replaced() {
    let folder = folder();
    let mut rows = Rows::new(3);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 1);
        book.commit(contents).expect("a commit");
    }
    let snapshot = Snapshot::take(folder.path()).expect("a book");
    let listed = snapshot.event_files(&|_| true).expect("all files");
    book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("three files");
    for file in &listed {
        assert!(snapshot.is_whole(file).expect("it is kept for a while"), "{}", file.path);
    }
    // One that lists only now finds them too.
    assert_eq!(snapshot.event_files(&|_| true).expect("all files"), listed);
}
