//! Books whose log was swept, and whose old days were pruned before or after that.

use std::fs;
use std::path::Path;
use std::time::Duration;

use walbook::book::sweep::Sweep;
use walbook::book::verify;
use walbook::query::{Filter, GroupBy, counts, events};
use walbook::store::layout::{Table, counts_path};

use crate::readers::loop_of_rows::{as_texts, folder, open};
use crate::readers::random::{Rows, count, day};
use crate::support::book_builder::BookBuilder;

fn commit(book: &mut BookBuilder, rows: &mut Rows) {
    let contents = rows.commit(40, 3);
    book.commit(contents).expect("a commit");
}

/// Sweeps all entries below the newest two checkpoints.
fn sweep(book: &mut BookBuilder, rows: &mut Rows) {
    book.committer().expect_sweep();
    for _ in 0..2 {
        commit(book, rows);
        book.committer().checkpoint().expect("nothing fails");
    }
    let swept = book.committer().sweeper().with_least(1).sweep(Duration::ZERO, &|| false).expect("nothing fails");
    assert!(matches!(swept, Sweep::Swept { .. }), "{swept:?}");
}

fn check(root: &Path, rows: &Rows, what: &str) {
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(report.ok, "{what}: {report:#?}");
    let filter = Filter::default();
    let answer = counts(root, &filter, &GroupBy::DEFAULT).expect("an answer");
    assert_eq!(as_texts(&answer), count(&rows.events, &filter, &answer.by), "{what}: counts");
    let of_new_days = rows.events.iter().filter(|(on, _)| *on >= day(1)).count();
    let from = Filter { from: Some(day(1)), ..Filter::default() };
    assert_eq!(events(root, &from, usize::MAX).expect("an answer").rows.len(), of_new_days, "{what}: events");
}

#[test]
fn answers_and_verification_hold_in_any_order_of_sweeps_prunes_and_merges() {
    for seed in 1..=3 {
        let folder = folder();
        let root = folder.path();
        let mut rows = Rows::new(seed);
        let mut book = open(root);
        for round in 0..3 {
            for _ in 0..3 {
                commit(&mut book, &mut rows);
            }
            if (seed + round) % 2 == 0 {
                book.compact((Table::Events, day(round % 2)), 1 << 20).expect("a compaction");
            }
            if round != 1 {
                book.committer().prune(day(1)).expect("nothing fails").expect("there is an older day");
                check(root, &rows, &format!("seed {seed}, round {round}: pruned"));
            }
            sweep(&mut book, &mut rows);
            check(root, &rows, &format!("seed {seed}, round {round}: swept"));
        }
        drop(book);
        let mut book = open(root);
        commit(&mut book, &mut rows);
        check(root, &rows, &format!("seed {seed}: another start"));
        // The counts of a pruned day follow from what stands for the entries.
        drop(book);
        fs::remove_file(root.join(counts_path(day(0)))).expect("it is there");
        let mut book = open(root);
        book.committer().initial_counts().expect("counts of all days");
        check(root, &rows, &format!("seed {seed}: a counts file was lost"));
        assert_eq!(book.committer().rebuild_counts().expect("log and events agree"), 0);
    }
}
