//! Readers beside a run that commits see each commit whole, and nothing between two.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use walbook::book::verify;
use walbook::change::Day;
use walbook::query::events;
use walbook::query::{Event, Filter, GroupBy, counts};

use super::loop_of_rows::{as_texts, folder, open};
use super::random::{Rows, count, newest};

const COMMITS: u64 = 60;

#[test]
fn no_reader_sees_a_number_that_no_commit_had() {
    let folder = folder();
    let root = folder.path();
    let all = Filter::default();
    // By commit: its rows, stored before the commit is made.
    let expected: Mutex<BTreeMap<u64, Vec<(Day, Event)>>> = Mutex::new([(0, Vec::new())].into());
    let rows_at = |commit: u64| expected.lock().unwrap_or_else(PoisonError::into_inner)[&commit].clone();
    let done = AtomicBool::new(false);
    drop(open(root));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut rows = Rows::new(5);
            let mut book = open(root);
            for commit in 1..=COMMITS {
                if commit % 20 == 0 {
                    drop(book);
                    book = open(root);
                }
                let contents = rows.commit(20, 5);
                expected.lock().unwrap_or_else(PoisonError::into_inner).insert(commit, rows.events.clone());
                assert_eq!(book.commit(contents).expect("a commit"), commit);
            }
            done.store(true, Ordering::SeqCst);
        });
        let (mut last, mut asked, mut answers) = (0, 0, BTreeMap::new());
        while last < COMMITS {
            let finished = done.load(Ordering::SeqCst);
            let answer = counts(root, &all, &GroupBy::DEFAULT).expect("an answer");
            let commit = answer.complete_to.commit;
            assert_eq!(as_texts(&answer), count(&rows_at(commit), &all, &GroupBy::DEFAULT), "counts at {commit}");
            assert!(last <= commit, "answers never go back");
            last = commit;
            let answer = events(root, &all, 50).expect("an answer");
            let commit = answer.complete_to.commit;
            assert_eq!(answer.rows, newest(&rows_at(commit), &all, 50), "events at {commit}");
            if asked % 4 == 0 {
                let report = verify(root, &mut |_| {}).expect("a report");
                assert!(report.ok, "{report:#?}");
            }
            asked += 1;
            *answers.entry(last).or_insert(0) += 1;
            assert!(!finished || last == COMMITS, "the newest commit is seen");
        }
        assert!(answers.len() > 3, "the reader ran beside the writer: {answers:?}");
    });
    assert!(verify(root, &mut |_| {}).expect("a report").ok);
}
