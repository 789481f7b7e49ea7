//! Directories that are no book, books of another kind, and damaged ones: named, never touched, never trusted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::book::{Book, Ended};
use crate::environment;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A book of two commits over a topic that has more by now.
fn book_and_topic(name: &str) -> (Book, Topic) {
    let topic = Topic::create(name, 2);
    let book = Book::new(name);
    for _ in 0..2 {
        topic.produce(inserts(1000, 2));
        book.run_to_end(&[&topic], &["-w", "2"]);
    }
    topic.produce(inserts(1000, 2));
    book.verify();
    (book, topic)
}

fn try_run(book: &Book, topic: &Topic, arguments: &[&str]) -> Ended {
    book.run(&[topic], &[&["--until-end"], arguments].concat()).wait(TIMEOUT)
}

#[test]
fn a_directory_that_is_no_book_is_refused_and_left_alone() {
    let topic = Topic::create("no_book", 1);
    topic.produce(inserts(10, 1));
    let book = Book::new("no_book");
    fs::create_dir(book.path()).expect("the folder is ours");
    fs::write(book.path().join("thesis.txt"), "years of work").expect("the folder is ours");
    let ended = try_run(&book, &topic, &[]);
    ended.expect_code(2);
    ended.expect_said(&[&*book.path().to_string_lossy()]);
    assert_eq!(names_in(book.path()), ["thesis.txt"]);
    for command in ["query", "events", "verify"] {
        book.start::<&str>(command, &[]).wait(TIMEOUT).expect_code(2);
    }

    // An empty directory becomes a book.
    fs::remove_file(book.path().join("thesis.txt")).expect("the folder is ours");
    book.run_to_end(&[&topic], &[]);
    book.verify();
}

#[test]
fn a_path_that_cannot_be_a_book_is_an_error() {
    let topic = Topic::create("no_path", 1);
    let folder = environment::folder("no_path");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("the folder is ours");
    let book = Book::behind("no_path", Vec::new(), file);
    let ended = try_run(&book, &topic, &[]);
    ended.expect_code(2);
    let missing = Book::new("missing");
    for command in ["query", "events", "verify"] {
        missing.start::<&str>(command, &[]).wait(TIMEOUT).expect_code(2);
    }
    assert!(!missing.path().exists(), "asking must not make a book");
}

#[test]
fn a_book_of_other_settings_is_refused() {
    let (book, topic) = book_and_topic("settings");
    let zone = try_run(&book, &topic, &["--time-zone", "Asia/Tokyo"]);
    zone.expect_code(2);
    zone.expect_said(&["Asia/Tokyo", "UTC"]);
    let rule = try_run(&book, &topic, &["--day-from", "kafka"]);
    rule.expect_code(2);
    rule.expect_said(&["kafka", "auto"]);
    let unknown = try_run(&book, &topic, &["--time-zone", "Middle-earth/Shire"]);
    unknown.expect_code(2);
    unknown.expect_said(&["Middle-earth/Shire"]);
    assert_same("untouched", &book.counts(), &inserted(2000));
    // The same settings, said or not, are fine.
    book.run_to_end(&[&topic], &["--time-zone", "UTC", "--day-from", "auto"]);
    assert_same("continued", &book.counts(), &inserted(3000));
}

#[test]
fn a_damaged_log_is_refused() {
    for damage in [Damage::Flip, Damage::Cut, Damage::Remove] {
        let (book, topic) = book_and_topic("damaged_log");
        // Starts read the log from the newest checkpoint on; without one, from the first entry.
        let entries = book.log();
        let victim = &entries[entries.len() - 2];
        damage.apply(victim);
        let ended = try_run(&book, &topic, &[]);
        ended.expect_code(1);
        ended.expect_said(&[&*victim.file_name().expect("a file").to_string_lossy()]);
        assert_eq!(
            book.log().len(),
            entries.len() - usize::from(matches!(damage, Damage::Remove)),
            "a start wrote to a damaged log"
        );
        expect_verify_names(&book, victim);
    }
}

#[test]
fn a_damaged_or_missing_file_is_named_by_verify() {
    for table in ["events", "counts"] {
        for damage in [Damage::Flip, Damage::Cut, Damage::Remove] {
            let (book, _) = book_and_topic("damaged_file");
            let victim = book.parquet(table).remove(0);
            println!("{damage:?} {}", victim.display());
            damage.apply(&victim);
            expect_verify_names(&book, &victim);
        }
    }
}

#[test]
fn a_file_that_no_entry_names_is_found_by_verify() {
    let (book, _) = book_and_topic("stray_file");
    let events = book.parquet("events").remove(0);
    let stray = events.with_file_name("c9999999999-w000-0.parquet");
    fs::copy(&events, &stray).expect("the folder is ours");
    expect_verify_names(&book, &stray);
}

fn expect_verify_names(book: &Book, victim: &Path) {
    let ended = book.start::<&str>("verify", &[]).wait(TIMEOUT);
    ended.expect_code(1);
    let name = victim.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(
        format!("{}{}", ended.stdout, ended.stderr).contains(&name),
        "verify does not name {name}:\n{}\n{}",
        ended.stdout,
        ended.stderr
    );
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("the folder can be read").file_name().to_string_lossy().into_owned()).collect()
}

/// What can happen to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Cut,
    Remove,
}

impl Damage {
    fn apply(self, file: &Path) {
        let mut bytes = fs::read(file).expect("the file is there");
        match self {
            Damage::Flip => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(file, bytes).expect("the folder is ours");
            }
            Damage::Cut => fs::write(file, &bytes[..bytes.len() / 2]).expect("the folder is ours"),
            Damage::Remove => fs::remove_file(file).expect("the folder is ours"),
        }
    }
}
