//! Files of rows that are damaged or foreign: no question shows a row of theirs.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use walbook::change::Classified;
use walbook::query::events;
use walbook::query::{
    EventsAnswer, Filter, GroupBy, PageRequest, QueryBudget, QueryError, RowKey, RowOrder, counts, events_page, rejects,
};

use super::loop_of_rows::{folder, names, newest_entry, open};
use super::random::{Rows, day, newest};

/// A book of many small row groups: five commits, three generations.
fn book() -> (TempDir, Rows) {
    let folder = folder();
    let mut rows = Rows::new(21);
    for commits in [2, 2, 1] {
        let mut book = open(folder.path());
        book.group_rows = 5;
        for _ in 0..commits {
            let contents = rows.commit(25, 2);
            book.commit(contents).expect("a commit");
        }
    }
    (folder, rows)
}

fn files_of(root: &Path, table: &str) -> Vec<String> {
    let paths = names(&root.join(table)).into_iter().flat_map(|day| {
        let names = names(&root.join(table).join(&day));
        names.into_iter().map(move |name| format!("{table}/{day}/{name}"))
    });
    paths.collect()
}

fn ask(root: &Path, limit: usize) -> Result<EventsAnswer, QueryError> {
    events(root, &Filter::default(), limit)
}

#[test]
fn a_flipped_byte_in_events_gives_the_same_rows_or_none() {
    let (folder, rows) = book();
    let root = folder.path();
    let expected = newest(&rows.events, &Filter::default(), usize::MAX);
    assert_eq!(ask(root, usize::MAX).expect("a whole book").rows, expected);
    for (number, path) in files_of(root, "events").into_iter().enumerate() {
        let path = root.join(path);
        let whole = fs::read(&path).expect("a file");
        for at in (number..whole.len()).step_by(23) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&path, damaged).expect("a file can be written");
            // Footers are decoded unchecked, and the decoder may panic: that is an error too.
            match ask(root, usize::MAX) {
                Err(error) => assert_eq!(error.exit_code(), 1, "byte {at} of {path:?}: {error}"),
                Ok(answer) => panic!("byte {at} of {path:?} went unnoticed: {} rows", answer.rows.len()),
            }
        }
        fs::write(&path, whole).expect("a file can be written");
    }
    assert_eq!(ask(root, usize::MAX).expect("whole again").rows, expected);
}

#[test]
fn a_page_opens_no_file_of_days_that_cannot_have_its_rows() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(5);
    let mut book = open(root);
    for _ in 0..4 {
        book.commit(rows.commit(100, 5)).expect("a commit");
    }
    let of_day =
        |number: u64| rows.events.iter().filter(move |(on, _)| *on == day(number)).cloned().collect::<Vec<_>>();
    let first_of = |number: u64, order: RowOrder| {
        let limit = rows.events.iter().filter(|(_, event)| event.commit_time.or(event.kafka_time).is_some());
        let at_once = PageRequest { limit: limit.count(), order, after: None };
        let all = events_page(root, &Filter::default(), &at_once, &QueryBudget::UNLIMITED).expect("all rows");
        let first = newest(&of_day(number), &Filter::default(), usize::MAX);
        let times = first.iter().map(|event| event.commit_time.or(event.kafka_time));
        let time = if order == RowOrder::Newest { times.max() } else { times.flatten().min().map(Some) };
        let place = all.answer.rows.iter().position(|event| Some(event.commit_time.or(event.kafka_time)) == time);
        all.keys[place.expect("a row of the day")].clone()
    };
    let (newest_of_2, oldest_of_2) = (first_of(2, RowOrder::Newest), first_of(2, RowOrder::Oldest));

    // Only day 2 can be read.
    for number in [0, 1, 3, 4] {
        let on = day(number).to_string();
        let paths = files_of(root, "events").into_iter().filter(|path| path.contains(&on));
        paths.for_each(|path| fs::write(root.join(path), "no Parquet").expect("a file can be written"));
    }
    let page = |order, after: &RowKey, limit| {
        let page = PageRequest { limit, order, after: Some(after.clone()) };
        events_page(root, &Filter::default(), &page, &QueryBudget::UNLIMITED)
    };
    for (order, cursor) in [(RowOrder::Newest, &newest_of_2), (RowOrder::Oldest, &oldest_of_2)] {
        let mut expected = newest(&of_day(2), &Filter::default(), usize::MAX);
        expected.retain(|event| event.commit_time.or(event.kafka_time).is_some());
        if order == RowOrder::Oldest {
            expected.reverse();
        }
        let found = page(order, cursor, 20).expect("a page within the day");
        assert_eq!(found.answer.rows, expected[1..=20], "{order:?}");
        assert!(found.has_more);
        let error = page(order, cursor, 1000).expect_err("rows of other days");
        assert_eq!(error.exit_code(), 1, "{error}");
    }
}

#[test]
fn a_flipped_byte_in_rejects_is_refused() {
    let (folder, _) = book();
    let root = folder.path();
    let expected = rejects(root).expect("a whole book");
    for path in files_of(root, "rejects") {
        let whole = fs::read(root.join(&path)).expect("a file");
        for at in (0..whole.len()).step_by(17) {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            fs::write(root.join(&path), damaged).expect("a file can be written");
            let error = rejects(root).expect_err("a byte is wrong").to_string();
            assert!(error.contains(&path), "{error}");
        }
        fs::write(root.join(&path), whole).expect("a file can be written");
    }
    assert_eq!(rejects(root).expect("whole again"), expected);
}

#[test]
fn files_that_no_entry_names_are_not_shown() {
    let (folder, rows) = book();
    let root = folder.path();
    let expected = newest(&rows.events, &Filter::default(), usize::MAX);
    let reasons = rejects(root).expect("a whole book");
    for commit in 0..8 {
        for table in ["events", "rejects"] {
            let copied = files_of(root, table).remove(0);
            let day = copied.rsplit_once('/').expect("a day folder").0;
            // One that would show rows twice, and one that is no Parquet at all.
            let unreferenced = root.join(format!("{day}/c{commit:010}-w000-7.parquet"));
            fs::copy(root.join(&copied), &unreferenced).expect("a file can be copied");
            let garbage = root.join(format!("{day}/c{commit:010}-w001-9.parquet"));
            fs::write(&garbage, "no Parquet").expect("a file can be written");
            assert_eq!(
                ask(root, usize::MAX).expect("unreferenced files are skipped").rows,
                expected,
                "commit {commit}"
            );
            assert_eq!(rejects(root).expect("unreferenced files are skipped"), reasons, "commit {commit}");
            fs::remove_file(unreferenced).expect("it is there");
            fs::remove_file(garbage).expect("it is there");
        }
    }
}

#[test]
fn files_that_a_question_excludes_are_not_read() {
    let (folder, rows) = book();
    let root = folder.path();
    // Damage in the rows of a file that a question by days passes over.
    let path = files_of(root, "events").remove(0);
    let mut bytes = fs::read(root.join(&path)).expect("a file");
    bytes[20] ^= 1;
    fs::write(root.join(&path), bytes).expect("a file can be written");
    let other_day = Filter { from: Some(day(1)), ..Filter::default() };
    let answer = events(root, &other_day, usize::MAX).expect("other files are whole");
    assert_eq!(answer.rows, newest(&rows.events, &other_day, usize::MAX));
    assert!(ask(root, usize::MAX).expect_err("a byte is wrong").to_string().contains(&path));
}

#[test]
fn a_question_about_counts_opens_no_event_file() {
    let (folder, rows) = book();
    let root = folder.path();
    let ask = || counts(root, &Filter::default(), &[GroupBy::Op]).expect("counts are whole");
    let answer = ask();
    let newest = newest_entry(root);
    assert!(newest.commit_time.is_some() && newest.commit_time == answer.complete_to.commit_time);
    let highest = rows.events.iter().filter_map(|(_, event)| event.commit_time).max();
    assert_eq!(newest.commit_time, highest, "times grow from commit to commit");
    for path in files_of(root, "events") {
        fs::remove_file(root.join(path)).expect("it is there");
    }
    assert_eq!(ask(), answer);
}

#[test]
fn questions_notice_that_the_log_lost_its_end() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(4);
    let mut book = open(root);
    for days in [1, 3] {
        let contents = rows.commit(30, days);
        book.commit(contents).expect("a commit");
    }
    drop(book);
    // The entry that brought the second and third day.
    fs::remove_file(root.join("_walbook/log/00000000000000000002.json")).expect("it is there");
    for error in [ask(root, 1).expect_err("lost"), counts(root, &Filter::default(), &[]).expect_err("lost")] {
        assert!(error.to_string().contains("lost its end"), "{error}");
        assert_eq!(error.exit_code(), 1);
    }
    let report = walbook::book::verify(root, &mut |_| {}).expect("a report");
    let log = report.checks.iter().find(|check| check.name == "log").expect("a check");
    assert!(!log.ok && log.problems[0].contains("lost its end"), "{report:#?}");
}

#[test]
fn the_command_never_ends_by_a_signal() {
    let (folder, _) = book();
    let root = folder.path();
    let ask = || {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.arg("events").arg(root).args(["--format", "json"]).output().expect("the command starts")
    };
    let expected = ask().stdout;
    let path = root.join(files_of(root, "events").pop().expect("a file"));
    let whole = fs::read(&path).expect("a file");
    let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().expect("4 bytes")) as usize;
    for at in (whole.len() - 8 - footer..whole.len()).step_by(19).chain([4, 20]) {
        for bit in [0x01, 0x40] {
            let mut damaged = whole.clone();
            damaged[at] ^= bit;
            fs::write(&path, damaged).expect("a file can be written");
            let ended = ask();
            let said = String::from_utf8_lossy(&ended.stderr);
            match ended.status.code() {
                Some(1) => assert!(said.contains("damaged") && ended.stdout.is_empty(), "byte {at}: {said}"),
                code => panic!("byte {at}: code {code:?}, {said}"),
            }
        }
    }
    fs::write(&path, whole).expect("a file can be written");
    assert_eq!(ask().stdout, expected);
}
