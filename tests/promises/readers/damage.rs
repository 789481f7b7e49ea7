//! Every kind of damage is noticed, and named.

use std::fs;
use std::path::Path;

use crate::support::book_builder::{Contents, RejectRow, encode, event_columns, rewrite_log};
use tempfile::TempDir;
use walbook::book::log::entry::{AddedFile, Entry};
use walbook::book::{Report, rfc3339, verify};
use walbook::change::Classified;
use walbook::query::{Event, Filter, GroupBy, counts};

use super::loop_of_rows::{copy, folder, names, newest_entry, open};
use super::random::{Rows, day};

/// A small book with events and rejects on two days, three commits and two generations.
fn whole_book() -> TempDir {
    let folder = folder();
    let mut rows = Rows::new(1);
    let mut book = open(folder.path());
    for _ in 0..2 {
        let contents = rows.commit(30, 2);
        book.commit(contents).expect("a commit");
    }
    drop(book);
    let contents = rows.commit(30, 2);
    open(folder.path()).commit(contents).expect("a commit");
    folder
}

fn report(root: &Path) -> Report {
    verify(root, &mut |_| {}).expect("a report")
}

/// Verifies a damaged copy of the book: the named check must fail, with words that name the problem.
fn assert_named(book: &Path, damage: impl FnOnce(&Path), check: &str, words: &[&str]) {
    let copied = folder();
    copy(book, copied.path());
    damage(copied.path());
    let report = report(copied.path());
    assert!(!report.ok);
    let failed = report.checks.iter().find(|seen| seen.name == check).expect("a check of this name");
    let text = failed.problems.join("\n");
    assert!(!failed.ok && words.iter().all(|word| text.contains(word)), "{check} {words:?}: {report:#?}");
}

fn files_of(root: &Path, table: &str) -> Vec<String> {
    let folders = names(&root.join(table));
    folders
        .iter()
        .flat_map(|day| names(&root.join(table).join(day)).into_iter().map(move |name| format!("{table}/{day}/{name}")))
        .collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a file can be written");
}

#[test]
fn a_whole_book_is_whole() {
    let book = whole_book();
    let report = report(book.path());
    assert!(report.ok, "{report:#?}");
    assert_eq!(report.complete_to.commit, 3);
}

#[test]
fn a_flipped_byte_in_any_kind_of_file_is_named() {
    let book = whole_book();
    let root = book.path();
    for table in ["events", "rejects"] {
        let path = files_of(root, table).pop().expect("a file");
        let length = fs::read(root.join(&path)).expect("a file").len();
        for at in [0, length / 3, length / 2, length - 10, length - 1] {
            assert_named(root, |root| flip(&root.join(&path), at), "files", &[&path, "checksum"]);
        }
    }
    let counts = files_of(root, "counts").pop().expect("a file");
    let length = fs::read(root.join(&counts)).expect("a file").len();
    for at in [0, 8, length / 5, length / 2, length - 2] {
        assert_named(root, |root| flip(&root.join(&counts), at), "counts", &[&counts]);
    }
    for name in names(&root.join("_walbook/log")) {
        let path = format!("_walbook/log/{name}");
        let length = fs::read(root.join(&path)).expect("a file").len();
        for at in [0, 9, length / 2, length - 70, length - 2] {
            assert_named(root, |root| flip(&root.join(&path), at), "log", &[&path]);
        }
    }
}

#[test]
fn a_file_that_is_short_or_missing_is_named() {
    let book = whole_book();
    let root = book.path();
    for path in [files_of(root, "events").remove(0), files_of(root, "rejects").remove(0)] {
        let cut = |root: &Path| {
            let bytes = fs::read(root.join(&path)).expect("a file");
            fs::write(root.join(&path), &bytes[..bytes.len() - 1]).expect("a file can be written");
        };
        assert_named(root, cut, "files", &[&path, "bytes"]);
        assert_named(root, |root| fs::remove_file(root.join(&path)).expect("a file"), "files", &[&path, "missing"]);
    }
    let counts = files_of(root, "counts").remove(0);
    assert_named(root, |root| fs::remove_file(root.join(&counts)).expect("a file"), "counts", &[&counts, "missing"]);
    let entry = "_walbook/log/00000000000000000002.json";
    assert_named(root, |root| fs::remove_file(root.join(entry)).expect("a file"), "log", &[entry, "missing"]);
}

#[test]
fn a_file_that_no_entry_names_is_named() {
    let book = whole_book();
    let root = book.path();
    let events = files_of(root, "events").remove(0);
    let folder = events.rsplit_once('/').expect("a folder").0;
    for unreferenced in [
        format!("{folder}/c0000000002-w009-0.parquet"),
        format!("{folder}/c0000000099-w000-0.parquet"),
        format!("{folder}/part-0.parquet"),
        "counts/notes.txt".to_owned(),
        "rejects/day=2026-13-01".to_owned(),
        "_walbook/log/4.json".to_owned(),
    ] {
        let add = |root: &Path| {
            fs::copy(root.join(&events), root.join(&unreferenced)).expect("a file can be copied");
        };
        assert_named(root, add, "unreferenced", &[&unreferenced]);
    }
}

/// Replaces the rows of one file of events, and lets the log agree with its size, checksum and number of rows.
fn forge(root: &Path, forged: &str, change: impl Fn(&mut Vec<Event>)) {
    let entry = newest_entry(root);
    let answer = walbook::query::events(root, &Filter::default(), usize::MAX).expect("rows");
    let offsets = entry.topics.iter().flat_map(|(topic, read)| {
        read.positions.iter().map(move |(partition, position)| ((topic.clone(), *partition), position.interval))
    });
    let offsets: std::collections::BTreeMap<_, _> = offsets.collect();
    let day = forged.split('/').nth(1).and_then(|folder| folder.strip_prefix("day=")).expect("a day");
    let on_day = Filter { from: day.parse().ok(), to: day.parse().ok(), ..Filter::default() };
    let days_rows = walbook::query::events(root, &on_day, usize::MAX).expect("rows").rows;
    assert!(days_rows.len() < answer.rows.len());
    let mut rows: Vec<Event> = days_rows
        .into_iter()
        .filter(|row| {
            offsets
                .get(&(row.topic.clone(), row.partition))
                .is_some_and(|read| read.from <= row.offset && row.offset < read.to)
        })
        .collect();
    rows.sort_by(|a, b| {
        (&a.topic, a.partition, a.offset, a.ordinal).cmp(&(&b.topic, b.partition, b.offset, b.ordinal))
    });
    change(&mut rows);
    let mut ends: std::collections::BTreeMap<&str, std::collections::BTreeMap<i32, (i64, i64)>> = Default::default();
    for row in &rows {
        let ends = ends.entry(&row.topic).or_default().entry(row.partition).or_insert((row.offset, row.offset));
        *ends = (ends.0.min(row.offset), ends.1.max(row.offset));
    }
    let metadata = [
        ("walbook.book", entry.book.clone()),
        ("walbook.generation", entry.generation.clone()),
        ("walbook.commit", entry.commit.to_string()),
        ("walbook.offsets", serde_json::to_string(&ends).expect("names and numbers")),
        ("walbook.rows", rows.len().to_string()),
        ("walbook.parser", "1".to_owned()),
    ];
    let bytes = encode(&event_columns(&rows.iter().collect::<Vec<_>>()), &metadata, 1 << 20);
    fs::write(root.join(forged), &bytes).expect("a file can be written");
    rewrite_log(root, &mut |entry: &mut Entry| {
        for added in entry.added.iter_mut().filter(|added| added.path == forged) {
            *added = AddedFile {
                path: forged.to_owned(),
                bytes: bytes.len() as u64,
                rows: rows.len() as u64,
                xxh3: format!("{:016x}", twox_hash::XxHash3_64::oneshot(&bytes)),
            };
        }
    });
}

#[test]
fn each_wrong_row_is_named() {
    let book = whole_book();
    let root = book.path();
    let path =
        newest_entry(root).added.into_iter().find(|added| added.path.starts_with("events/")).expect("a file").path;
    // A forgery that changes nothing shows that the forging itself is not what is noticed below.
    let copied = folder();
    copy(root, copied.path());
    forge(copied.path(), &path, |_| {});
    assert!(report(copied.path()).ok);
    let single = |rows: &[Event]| {
        (1..rows.len() - 1)
            .find(|row| {
                let same = |other: usize| (&rows[other].topic, rows[other].partition, rows[other].offset);
                same(*row) != same(row - 1) && same(*row) != same(row + 1)
            })
            .expect("a record with one change")
    };
    let double = |rows: &mut Vec<Event>| rows.insert(single(rows), rows[single(rows)].clone());
    assert_named(root, |root| forge(root, &path, double), "rows", &[&path, "not numbered", "more"]);
    let drop = |rows: &mut Vec<Event>| drop(rows.remove(single(rows)));
    assert_named(root, |root| forge(root, &path, drop), "rows", &["records with changes", "fewer"]);
    let rename = |rows: &mut Vec<Event>| rows[0].table = "other".to_owned();
    assert_named(root, |root| forge(root, &path, rename), "rows", &["1 more", "other", "1 fewer"]);
    let swap = |rows: &mut Vec<Event>| rows.reverse();
    assert_named(root, |root| forge(root, &path, swap), "rows", &[&path, "order of offsets"]);
    let outside = |rows: &mut Vec<Event>| rows.last_mut().expect("a row").offset += 1_000_000;
    assert_named(root, |root| forge(root, &path, outside), "rows", &[&path, "are not all in"]);
}

#[test]
fn a_record_in_two_files_or_also_a_reject_is_named() {
    let folder = folder();
    let root = folder.path();
    let mut book = open(root);
    let event = |offset| Event {
        topic: "shop".to_owned(),
        offset,
        schema: "public".to_owned(),
        table: "t".to_owned(),
        op: "INSERT".to_owned(),
        ..Event::default()
    };
    // One offset on two days, and as a reject: the committer only sees sums.
    let reject = RejectRow { topic: "shop".to_owned(), offset: 1, ..RejectRow::default() };
    let events =
        vec![(day(0), event(0)), (day(1), event(1)), (day(0), event(2)), (day(1), event(2)), (day(0), event(5))];
    book.commit(Contents { events, rejects: vec![(day(0), reject)] }).expect("a commit");
    let failed = report(root).checks.into_iter().find(|check| !check.ok).expect("a check fails");
    let text = failed.problems.join("\n");
    assert_eq!(failed.name, "rows");
    assert!(text.contains("used twice") && text.contains("in events and in rejects"), "{text}");
}

#[test]
fn wrong_entries_are_named() {
    let book = whole_book();
    let root = book.path();
    let edit = |change: fn(&mut Entry)| {
        move |root: &Path| {
            rewrite_log(root, &mut |entry| {
                if entry.entry == 2 {
                    change(entry)
                }
            })
        }
    };
    assert_named(root, edit(|entry| entry.deltas[0].count += 1), "positions", &["entry 2", "deltas add up"]);
    assert_named(root, edit(|entry| entry.deltas[0].count += 1), "counts", &[", in the log "]);
    assert_named(root, edit(|entry| entry.deltas[0].count += 1), "rows", &["entry 2", "1 fewer"]);
    assert_named(
        root,
        edit(|entry| {
            for read in entry.topics.values_mut().flat_map(|read| read.positions.values_mut()) {
                read.interval.from += 1;
            }
        }),
        "positions",
        &["entry 2", "begins at offset"],
    );
    assert_named(
        root,
        edit(|entry| {
            for read in entry.topics.values_mut().flat_map(|read| read.positions.values_mut()) {
                read.tally.markers += 1;
            }
        }),
        "positions",
        &["entry 2", "with changes, markers and rejects"],
    );
    assert_named(root, edit(|entry| entry.previous = "0".repeat(64)), "log", &["entry 2", "its previous is"]);
    assert_named(root, edit(|entry| entry.book = "other".to_owned()), "log", &["entry 2", "of book other"]);
    assert_named(root, edit(|entry| entry.commit = 1), "log", &["entry 2", "not above"]);
    assert_named(root, edit(|entry| entry.generation = "g".to_owned()), "log", &["entry 2", "holds the fence"]);
    assert_named(root, edit(|entry| drop(entry.added.pop())), "unreferenced", &["no entry names it"]);
}

#[test]
fn an_entry_with_another_commit_time_than_its_rows_is_named() {
    let book = whole_book();
    let root = book.path();
    let entry = newest_entry(root);
    let newest = entry.commit_time.expect("rows of this book have commit times");
    let number = entry.entry;
    let set = |time| {
        move |root: &Path| {
            rewrite_log(root, &mut |entry| {
                if entry.entry == number {
                    entry.commit_time = time;
                }
            });
        }
    };
    for wrong in [0, newest - 1, newest + 1] {
        let (logged, of_rows) = (format!("is {},", rfc3339(wrong)), format!("rows is {}", rfc3339(newest)));
        let name = format!("entry {number}: its commit_time");
        assert_named(root, set(Some(wrong)), "rows", &[&name, &logged, &of_rows]);
    }
    // A row that is newer than its entry says.
    let path = entry.added.into_iter().find(|added| added.path.starts_with("events/")).expect("a file").path;
    let later = |rows: &mut Vec<Event>| rows[0].commit_time = Some(newest + 5);
    assert_named(root, |root| forge(root, &path, later), "rows", &[&rfc3339(newest), &rfc3339(newest + 5)]);
    // Versions that did not write the time are no damage.
    let copied = folder();
    copy(root, copied.path());
    set(None)(copied.path());
    assert!(report(copied.path()).ok);
}

#[test]
fn repeated_places_are_a_note() {
    let folder = folder();
    let mut book = open(folder.path());
    let event = |offset, commit_lsn| Event {
        topic: "shop".to_owned(),
        offset,
        commit_lsn: Some(commit_lsn),
        seq: Some(0),
        schema: "public".to_owned(),
        table: "t".to_owned(),
        op: "INSERT".to_owned(),
        ..Event::default()
    };
    let commit = |places: [i64; 3], first: i64| Contents {
        events: (first..).zip(places).map(|(offset, place)| (day(0), event(offset, place))).collect(),
        rejects: Vec::new(),
    };
    book.commit(commit([10, 20, 30], 0)).expect("a commit");
    book.commit(commit([20, 30, 40], 3)).expect("a commit");
    let report = report(folder.path());
    assert!(report.ok);
    let repeats = report.checks.iter().find(|check| check.name == "repeats").expect("a check");
    assert!(repeats.seen.starts_with("2 records repeat"), "{}", repeats.seen);
    assert!(repeats.problems[0].contains("offset 3, ordinal 0 of partition 0 of shop is at commit_lsn 20"));
}

#[test]
fn questions_refuse_a_damaged_book() {
    let book = whole_book();
    let root = book.path();
    let ask = || counts(root, &Filter::default(), &GroupBy::DEFAULT);
    for path in [files_of(root, "counts").remove(0), "_walbook/log/00000000000000000002.json".to_owned()] {
        let bytes = fs::read(root.join(&path)).expect("a file");
        for at in (0..bytes.len()).step_by(3) {
            flip(&root.join(&path), at);
            let error = ask().expect_err("a flipped byte is noticed");
            // An entry whose version was flipped may be of a newer program.
            assert!([1, 2].contains(&error.exit_code()), "byte {at} of {path}: {error}");
            fs::write(root.join(&path), &bytes).expect("a file can be written");
        }
        fs::remove_file(root.join(&path)).expect("a file");
        assert_eq!(ask().expect_err("damaged").exit_code(), 1, "{path}");
        fs::write(root.join(&path), &bytes).expect("a file can be written");
    }
    assert!(ask().is_ok());
}
