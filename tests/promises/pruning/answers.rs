//! What readers see of a book whose old days were pruned, on a real directory.

use std::fs;
use std::path::Path;

use walbook::book::{Snapshot, verify};
use walbook::change::Day;
use walbook::query::{Event, Filter, GroupBy, RejectFilter, RowOrder, counts, events};
use walbook::query::{PageRequest, QueryBudget, rejects_page};
use walbook::store::layout::{Table, day_folder};

use crate::readers::loop_of_rows::{as_texts, folder, open};
use crate::readers::random::{Rows, count, day, newest};
use crate::support::book_builder::{Contents, RejectRow};

fn assert_verified(root: &Path, what: &str) {
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(report.ok, "{what}: {report:#?}");
}

/// Counts are those of all rows, events and rejects those of `kept`.
fn compare(root: &Path, all: &[(Day, Event)], kept: &[(Day, Event)], kept_rejects: &[(Day, RejectRow)], what: &str) {
    let filter = Filter::default();
    let answer = counts(root, &filter, &GroupBy::DEFAULT).expect("an answer");
    assert_eq!(as_texts(&answer), count(all, &filter, &answer.by), "{what}: counts");
    let answer = events(root, &filter, usize::MAX).expect("an answer");
    assert_eq!(answer.rows, newest(kept, &filter, usize::MAX), "{what}: events");
    let page = PageRequest { limit: usize::MAX, order: RowOrder::Newest, after: None };
    let rejects = rejects_page(root, &RejectFilter::default(), &page, &QueryBudget::UNLIMITED).expect("an answer");
    assert_eq!(rejects.rows.len(), kept_rejects.len(), "{what}: rejects");
}

fn keep(contents: &Contents, events: &mut Vec<(Day, Event)>, rejects: &mut Vec<(Day, RejectRow)>) {
    events.extend(contents.events.iter().cloned());
    rejects.extend(contents.rejects.iter().cloned());
}

#[test]
fn answers_are_those_of_a_loop_before_and_after_and_with_late_changes() {
    for seed in [1, 2, 3, 4] {
        let folder = folder();
        let root = folder.path();
        let mut rows = Rows::new(seed);
        let (mut kept, mut kept_rejects) = (Vec::new(), Vec::new());
        let mut book = open(root);
        (book.workers, book.group_rows) = (2, 7);
        for round in 0..4 {
            for _ in 0..3 {
                let contents = rows.commit(40, 4);
                keep(&contents, &mut kept, &mut kept_rejects);
                book.commit(contents).expect("a commit");
            }
            if seed % 2 == 0 {
                for number in 0..4 {
                    book.compact((Table::Events, day(number)), 1 << 20).expect("a compaction");
                    book.compact((Table::Rejects, day(number)), 1 << 20).expect("a compaction");
                }
            }
            // The same day twice: what came late to older days goes the second time.
            let before = day([1, 1, 3, 3][round]);
            let entry = book.committer().prune(before).expect("nothing fails").expect("there are older days");
            kept.retain(|(on, _): &(Day, Event)| *on >= before);
            kept_rejects.retain(|(on, _): &(Day, RejectRow)| *on >= before);
            let what = format!("seed {seed}, round {round}");
            compare(root, &rows.events, &kept, &kept_rejects, &what);
            assert_verified(root, &what);
            assert!(!root.join(day_folder(Table::Events, day(0))).exists(), "{what}: its folder is gone");
            let complete_to = Snapshot::take(root).expect("a book").complete_to();
            assert_eq!(complete_to.events_from, Some(before), "{what}");
            assert!(complete_to.to_string().contains(&format!("from {before} on")), "{what}: {complete_to}");
            assert_eq!(book.committer().prune(before).expect("nothing fails"), None, "{what}: nothing is left");
            assert_eq!(book.committer().state().pruned.expect("pruned").entry, entry.entry, "{what}");
        }
        // Another start, which reads all that from the log, and late changes that stay.
        drop(book);
        let mut book = open(root);
        let contents = rows.commit(40, 4);
        keep(&contents, &mut kept, &mut kept_rejects);
        book.commit(contents).expect("a commit");
        compare(root, &rows.events, &kept, &kept_rejects, "after another start");
        assert_verified(root, "after another start");
        // The same without a checkpoint.
        for checkpoint in fs::read_dir(root.join("_walbook/checkpoint")).expect("a folder") {
            fs::remove_file(checkpoint.expect("an entry").path()).expect("it can be removed");
        }
        compare(root, &rows.events, &kept, &kept_rejects, "without a checkpoint");
        assert_verified(root, "without a checkpoint");
    }
}

#[test]
fn a_reader_that_has_a_snapshot_finds_its_files_after_they_were_pruned() {
    let folder = folder();
    let mut rows = Rows::new(5);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 2);
        book.commit(contents).expect("a commit");
    }
    let snapshot = Snapshot::take(folder.path()).expect("a book");
    let listed = snapshot.event_files(&|_| true).expect("all files");
    book.committer().prune(day(1)).expect("nothing fails").expect("there is an older day");
    for file in &listed {
        assert!(snapshot.is_whole(file).expect("it is kept for a while"), "{}", file.path);
    }
    // One that lists only now finds them too.
    assert_eq!(snapshot.event_files(&|_| true).expect("all files"), listed);
}

#[test]
fn a_counts_file_of_a_pruned_day_is_written_again_from_the_log() {
    let folder = folder();
    let mut rows = Rows::new(6);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 2);
        book.commit(contents).expect("a commit");
    }
    book.committer().prune(day(1)).expect("nothing fails").expect("there is an older day");
    drop(book);
    let counts_file = folder.path().join(walbook::store::layout::counts_path(day(0)));
    for damage in [None, Some(b"no Parquet".as_slice())] {
        match damage {
            None => fs::remove_file(&counts_file).expect("it is there"),
            Some(bytes) => fs::write(&counts_file, bytes).expect("it can be written"),
        }
        let mut book = open(folder.path());
        let kept: Vec<_> = rows.events.iter().filter(|(on, _)| *on >= day(1)).cloned().collect();
        let kept_rejects: Vec<_> = rows.rejects.iter().filter(|(on, _)| *on >= day(1)).cloned().collect();
        book.committer().initial_counts().expect("counts of all days");
        compare(folder.path(), &rows.events, &kept, &kept_rejects, "after a damaged counts file");
    }
    assert_verified(folder.path(), "after a damaged counts file");
}

#[test]
fn a_verification_still_finds_what_is_missing_or_damaged_beside_pruned_days() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(7);
    let mut book = open(root);
    for _ in 0..4 {
        let contents = rows.commit(40, 3);
        book.commit(contents).expect("a commit");
    }
    book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("several files");
    book.compact((Table::Events, day(1)), 1 << 20).expect("nothing fails").expect("several files");
    book.committer().prune(day(1)).expect("nothing fails").expect("there is an older day");
    // A further entry says that it is done; it has late changes too.
    let contents = rows.commit(40, 3);
    book.commit(contents).expect("a commit");
    drop(book);
    assert_verified(root, "as it is");
    let before = events(root, &Filter::default(), usize::MAX).expect("an answer").rows;
    let snapshot = Snapshot::take(root).expect("a book");
    for file in snapshot.event_files(&|_| true).expect("all files") {
        let path = root.join(&file.path);
        let bytes = fs::read(&path).expect("a file");
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&path, damaged).expect("it can be written");
        assert!(!verify(root, &mut |_| {}).expect("a report").ok, "{} is damaged", file.path);
        fs::remove_file(&path).expect("it is there");
        assert!(!verify(root, &mut |_| {}).expect("a report").ok, "{} is missing", file.path);
        fs::write(&path, bytes).expect("it can be written");
    }
    assert_verified(root, "put back");
    // A file of a pruned day that is there again is of no book.
    let again = root.join(day_folder(Table::Events, day(0))).join("c0000000001-w000-0.parquet");
    fs::write(again, b"").expect("it can be written");
    let report = verify(root, &mut |_| {}).expect("a report");
    assert!(!report.ok, "{report:#?}");
    assert_eq!(events(root, &Filter::default(), usize::MAX).expect("an answer").rows, before);
}

#[test]
fn an_earlier_day_is_refused_and_a_compaction_of_pruned_files_too() {
    let folder = folder();
    let mut rows = Rows::new(8);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 3);
        book.commit(contents).expect("a commit");
    }
    let committer = book.committer();
    let (compactor, state) = (committer.compactor(), committer.state().clone());
    let merged = compactor
        .merge_day(&state, &[], (Table::Events, day(0)), walbook::book::compact::DayPhase::Closed, &|| false)
        .expect("nothing fails")
        .expect("three files");
    committer.prune(day(2)).expect("nothing fails").expect("there are older days");
    assert_eq!(committer.prune(day(1)).expect("nothing fails"), None, "it is pruned further already");
    assert!(committer.compact(&merged).expect("nothing fails").is_none(), "its sources are gone");
    assert_verified(folder.path(), "after both");
    let missing = Snapshot::take(folder.path()).expect("a book").event_files(&|on| on < day(2));
    assert!(matches!(missing, Ok(files) if files.is_empty()), "nothing is missed");
}
