//! Answers are those of a loop over the rows, wherever a crash or a running writer left the files.

use std::fs;
use std::path::Path;

use crate::support::book_builder::BookBuilder;
use tempfile::TempDir;
use walbook::book::log::entry::Entry;
use walbook::book::{BookError, Snapshot, verify};
use walbook::change::Classified;
use walbook::query::events;
use walbook::query::{
    AnswerHead, CountsAnswer, Filter, Format, GroupBy, PageRequest, QueryBudget, QueryError, RejectCount, RejectFilter,
    RowOrder, RowStyle, Totals, counts, events_page, rejects, rejects_page,
};

use super::random::{Rows, TOPICS, count, day, is_asked, newest};

/// A book's directory that goes away with the test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

pub(crate) fn open(root: &Path) -> BookBuilder {
    BookBuilder::open(root, "UTC", &TOPICS).expect("a book")
}

pub(crate) fn as_texts(answer: &CountsAnswer) -> Vec<(Vec<String>, u64)> {
    let texts = answer.rows.iter().map(|row| {
        let key = answer.by.iter().flat_map(|part| match part {
            GroupBy::Day => vec![row.day.map(|day| day.to_string())],
            GroupBy::Table => {
                let name = row.table.as_ref();
                vec![name.map(|name| name.schema.clone()), name.map(|name| name.table.clone())]
            }
            GroupBy::Op => vec![row.op.map(|op| op.to_string())],
        });
        (key.map(|part| part.expect("what is summed by is there")).collect(), row.count)
    });
    texts.collect()
}

pub(crate) fn compare(root: &Path, rows: &mut Rows, what: &str) {
    let groups: [&[GroupBy]; 5] = [
        &GroupBy::DEFAULT,
        &[GroupBy::Table],
        &[GroupBy::Op, GroupBy::Day],
        &[GroupBy::Table, GroupBy::Op, GroupBy::Table],
        &[],
    ];
    for by in groups {
        let filter = rows.filter();
        let answer = counts(root, &filter, by).expect("an answer");
        assert_eq!(as_texts(&answer), count(&rows.events, &filter, &answer.by), "{what}: {filter:?} by {by:?}");
    }
    compare_in_memory(root, rows, what);
    compare_pages(root, rows, what);
    compare_rejects(root, rows, what);
    let (filter, limit) = (rows.filter(), rows.random.below(60) as usize);
    let answer = events(root, &filter, limit).expect("an answer");
    assert_eq!(answer.rows, newest(&rows.events, &filter, limit), "{what}: newest {limit} of {filter:?}");
}

/// The counts that a server keeps in memory give the bytes that `query` prints.
fn compare_in_memory(root: &Path, rows: &mut Rows, what: &str) {
    let snapshot = Snapshot::take(root).expect("a snapshot");
    let totals = Totals::read(&snapshot).expect("counts");
    let orders: [&[GroupBy]; 5] =
        [&GroupBy::DEFAULT, &[GroupBy::Table, GroupBy::Day], &[GroupBy::Day, GroupBy::Op], &[GroupBy::Op], &[]];
    for by in orders {
        let filter = rows.filter();
        let answer = counts(root, &filter, by).expect("an answer");
        for (format, style) in [(Format::Json, RowStyle::JsonLines), (Format::Csv, RowStyle::Csv)] {
            let mut printed = Vec::new();
            answer.print(format, &mut printed).expect("memory");
            let (head, tail) = match format {
                Format::Json => {
                    let CountsAnswer { complete_to, time_zone, rejects, .. } = &answer;
                    let rejects = *rejects;
                    let head =
                        AnswerHead { complete_to, time_zone, rejects, bad_values: None, next: None, columns: None };
                    (head.json().into_bytes(), b"]}\n".to_vec())
                }
                _ => (Vec::new(), Vec::new()),
            };
            let selection = totals.select(&filter, by).expect("a selection");
            assert!(selection.most_rows() >= answer.rows.len());
            let text: Vec<u8> = selection.text(style, head, tail).flatten().collect();
            assert_eq!(String::from_utf8(text), String::from_utf8(printed), "{what}: {filter:?} by {by:?}");
        }
    }
}

/// Pages of rejects are the loop's, and each answer says how many there are on its days.
fn compare_rejects(root: &Path, rows: &mut Rows, what: &str) {
    let filter = rows.reject_filter();
    let of_days = RejectFilter { from: filter.from, to: filter.to, ..RejectFilter::default() };
    let number =
        |filter: &RejectFilter| rows.rejects.iter().filter(|(on, reject)| is_asked(filter, *on, reject)).count();
    let (in_range, total) = (number(&of_days) as u64, rows.rejects.len() as u64);
    let expected = RejectCount { in_range, total, without_day: 0 };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: 3, order: RowOrder::Newest, after: after.clone() };
        let page = rejects_page(root, &filter, &request, &QueryBudget::UNLIMITED);
        let page = match page {
            // The last day may be before the first.
            Err(QueryError::NoDays { .. }) => return,
            page => page.expect("a page"),
        };
        assert_eq!(page.rejects, expected, "{what}: {filter:?}");
        after = page.keys.last().cloned();
        found.extend(page.rows.into_iter().map(|row| (row.topic, row.partition, row.offset)));
        if !page.has_more {
            break;
        }
    }
    let asked = rows.rejects.iter().filter(|(on, reject)| is_asked(&filter, *on, reject));
    let mut asked: Vec<_> = asked.map(|(_, row)| (row.topic.clone(), row.partition, row.offset)).collect();
    found.sort();
    asked.sort();
    assert_eq!(found, asked, "{what}: {filter:?}");
    let days = Filter { from: filter.from, to: filter.to, ..rows.filter() };
    assert_eq!(counts(root, &days, &[]).expect("an answer").rejects, expected, "{what}: {days:?}");
    assert_eq!(events(root, &days, 1).expect("an answer").rejects, expected, "{what}: {days:?}");
}

/// Pages forward and back again are the loop's rows.
fn compare_pages(root: &Path, rows: &mut Rows, what: &str) {
    let (filter, limit) = (rows.filter(), 1 + rows.random.below(40) as usize);
    let mut expected = newest(&rows.events, &filter, usize::MAX);
    // One row, a few, or as many as may be.
    let most_bytes = [0, 500, usize::MAX][rows.random.below(3) as usize];
    let budget = QueryBudget { most_bytes, ..QueryBudget::UNLIMITED };
    for order in [RowOrder::Newest, RowOrder::Oldest] {
        let (mut found, mut after, mut firsts) = (Vec::new(), None, Vec::new());
        loop {
            let page = PageRequest { limit, order, after: after.clone() };
            let page = events_page(root, &filter, &page, &budget).expect("a page");
            let bytes: usize = page.answer.rows.iter().map(|row| row.data.len()).sum();
            assert!(page.answer.rows.len() <= 1 || bytes <= most_bytes, "{what}: {bytes} bytes");
            firsts.push((page.answer.rows.clone(), page.keys.first().cloned()));
            after = page.keys.last().cloned();
            found.extend(page.answer.rows);
            assert!(found.len() <= expected.len(), "{what}: {order:?} {filter:?}");
            if !page.has_more {
                break;
            }
        }
        assert_eq!(found, expected, "{what}: {order:?} {filter:?}");
        for pair in firsts.windows(2) {
            let page = PageRequest { limit, order: order.reversed(), after: pair[1].1.clone() };
            let mut before = events_page(root, &filter, &page, &QueryBudget::UNLIMITED).expect("a page").answer.rows;
            before.truncate(pair[0].0.len());
            before.reverse();
            assert_eq!(before, pair[0].0, "{what}: back, {order:?} {filter:?}");
        }
        expected.reverse();
    }
    let page = PageRequest { limit, order: RowOrder::Newest, after: None };
    let given_up = QueryBudget { is_cancelled: &|| true, ..QueryBudget::UNLIMITED };
    match events_page(root, &filter, &page, &given_up) {
        Ok(page) => assert!(expected.is_empty() && page.answer.rows.is_empty(), "{what}"),
        Err(error) => assert!(matches!(error, QueryError::TooSlow), "{what}: {error}"),
    }
}

#[test]
fn answers_are_those_of_a_loop() {
    for seed in 0..8 {
        let folder = folder();
        let mut rows = Rows::new(seed);
        let mut book = open(folder.path());
        book.group_rows = 7;
        book.workers = 1 + rows.random.below(3) as usize;
        for commit in 0..5 {
            compare(folder.path(), &mut rows, &format!("seed {seed}, {commit} commits"));
            let records = 1 + rows.random.below(60);
            let contents = rows.commit(records, 6);
            book.commit(contents).expect("a commit");
        }
        compare(folder.path(), &mut rows, &format!("seed {seed}"));
        let report = verify(folder.path(), &mut |_| {}).expect("a report");
        assert!(report.ok, "seed {seed}: {report:#?}");
    }
}

#[test]
fn answers_hold_before_a_commits_files_are_in_place() {
    for seed in 0..12 {
        let folder = folder();
        let root = folder.path();
        let mut rows = Rows::new(seed);
        let mut book = open(root);
        let first = rows.commit(40, 4);
        book.commit(first).expect("a commit");
        let before = folder.path().join("before");
        copy(&root.join("counts"), &before);
        // More days than before: some have no counts file yet.
        let second = rows.commit(40, 6);
        book.commit(second).expect("a commit");
        take_back(root, &before, &mut rows);
        compare(root, &mut rows, &format!("seed {seed}"));
        let report = verify(root, &mut |_| {}).expect("a report");
        assert!(report.ok, "seed {seed}: {report:#?}");
        // The next start finishes it, and answers stay.
        drop(book);
        open(root);
        compare(root, &mut rows, &format!("seed {seed}, after a start"));
        assert!(verify(root, &mut |_| {}).expect("a report").ok, "seed {seed}, after a start");
    }
}

/// Puts some of the newest entry's files back where they were before they were redone: files come first, in order.
fn take_back(root: &Path, before: &Path, rows: &mut Rows) {
    let entry = newest_entry(root);
    let placed = rows.random.below(entry.added.len() as u64 + 2) as usize;
    for added in entry.added.iter().skip(placed) {
        let staged = format!("_walbook/staging/{}/{}.inprogress", entry.generation, added.path.replace('/', "."));
        fs::rename(root.join(&added.path), root.join(staged)).expect("a file can be moved");
    }
    let kept = if placed > entry.added.len() { 1 } else { 0 };
    let days: Vec<String> = names(&root.join("counts"));
    for folder in days.iter().skip(kept) {
        let path = root.join("counts").join(folder).join("counts.parquet");
        match fs::read(before.join(folder).join("counts.parquet")) {
            Ok(bytes) => fs::write(path, bytes).expect("a counts file can be written"),
            Err(_) => fs::remove_file(path).expect("a counts file can be removed"),
        }
    }
    fs::remove_dir_all(before).expect("a copy can be removed");
}

#[test]
fn a_snapshot_stays_what_it_was() {
    let folder = folder();
    let mut rows = Rows::new(77);
    let mut book = open(folder.path());
    for _ in 0..4 {
        let contents = rows.commit(30, 4);
        book.commit(contents).expect("a commit");
        let snapshot = Snapshot::take(folder.path()).expect("a snapshot");
        let expected = count(&rows.events, &Filter::default(), &GroupBy::DEFAULT);
        for _ in 0..3 {
            let contents = rows.commit(30, 6);
            book.commit(contents).expect("a commit");
        }
        let mut seen = Vec::new();
        for day in snapshot.days() {
            let mut show = |schema: &str, table: &str, op: walbook::change::Operation, count: u64| {
                seen.push((vec![day.to_string(), schema.to_owned(), table.to_owned(), op.to_string()], count));
            };
            snapshot.day_counts(day, &mut show).expect("counts");
        }
        seen.sort();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_missing_counts_file_is_an_error_not_a_smaller_number() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(3);
    let mut book = open(root);
    for _ in 0..3 {
        let contents = rows.commit(40, 3);
        book.commit(contents).expect("a commit");
    }
    fs::remove_file(root.join(format!("counts/day={}/counts.parquet", day(1)))).expect("a file");
    assert!(matches!(
        counts(root, &Filter::default(), &[]),
        Err(walbook::query::QueryError::Read(BookError::UnreadableCounts { .. }))
    ));
    let other_day = Filter { from: Some(day(2)), ..Filter::default() };
    assert!(counts(root, &other_day, &[]).is_ok());
}

#[test]
fn checkpoints_do_not_change_answers() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(8);
    let mut book = open(root);
    for _ in 0..70 {
        let contents = rows.commit(2, 3);
        book.commit(contents).expect("a commit");
    }
    let checkpoints = root.join("_walbook/checkpoint");
    assert!(!names(&checkpoints).is_empty(), "the book has a checkpoint");
    let with = counts(root, &Filter::default(), &GroupBy::DEFAULT).expect("an answer");
    let held = names(&checkpoints).pop().expect("a checkpoint");
    fs::copy(checkpoints.join(held), checkpoints.join("00000000000000000099.json")).expect("a file can be copied");
    let lost = counts(root, &Filter::default(), &[]).expect_err("the log ends before a checkpoint");
    assert!(lost.to_string().contains("lost its end"), "{lost}");
    assert!(!verify(root, &mut |_| {}).expect("a report").ok);
    fs::remove_file(checkpoints.join("00000000000000000099.json")).expect("a file can be removed");
    for name in names(&checkpoints) {
        fs::write(checkpoints.join(name), "damaged").expect("a checkpoint can be written");
    }
    let without = counts(root, &Filter::default(), &GroupBy::DEFAULT).expect("an answer");
    assert_eq!(with, without);
    assert_eq!(as_texts(&with), count(&rows.events, &Filter::default(), &GroupBy::DEFAULT));
}

#[test]
fn a_directory_without_a_book_is_a_usage_error() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file can be written");
    for path in [folder.path().to_owned(), folder.path().join("absent"), file.clone(), file.join("below")] {
        let error = counts(&path, &Filter::default(), &[]).expect_err("no book");
        assert_eq!(error.exit_code(), 2, "{error}");
        assert_eq!(events(&path, &Filter::default(), 1).expect_err("no book").exit_code(), 2);
        assert_eq!(rejects(&path).expect_err("no book").exit_code(), 2);
        assert_eq!(verify(&path, &mut |_| {}).expect_err("no book").exit_code(), 2);
    }
    let filter = Filter { from: Some(day(3)), to: Some(day(2)), ..Filter::default() };
    assert_eq!(counts(folder.path(), &filter, &[]).expect_err("no days").exit_code(), 2);
}

pub(crate) fn newest_entry(root: &Path) -> Entry {
    let log = root.join("_walbook/log");
    let newest = names(&log).pop().expect("an entry");
    let text = fs::read_to_string(log.join(newest)).expect("an entry");
    serde_json::from_str(text.lines().next().expect("a line")).expect("an entry")
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let listing = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = listing.map(|name| name.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Copies a tree.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("a file can be copied");
        }
    }
}
