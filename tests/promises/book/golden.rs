//! A book of format 1, written by version 0.1.0 of 2026-11: every later version must read it, verify it, and continue it.
//!
//! `tests/data/golden-format-1/book` has six commits on three days from two files, 66 fences, a checkpoint at entry 63, and the
//! file of its newest entry still in staging, as a kill right after that entry leaves it. None of its entries has a commit time.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use walbook::book::verify;
use walbook::query::{Filter, Format, GroupBy, counts, events, rejects};

/// A copy of the golden book and of the files that it was made from.
fn golden() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden-format-1"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a readable file");
        }
    }
}

fn counts_text(book: &Path) -> String {
    let answer = counts(book, &Filter::default(), &GroupBy::DEFAULT).expect("counts");
    let mut out = Vec::new();
    answer.print(Format::Json, &mut out).expect("memory takes all bytes");
    String::from_utf8(out).expect("text")
}

fn events_text(book: &Path) -> String {
    let mut out = Vec::new();
    let answer = events(book, &Filter::default(), 100).expect("events");
    answer.print(Format::Csv, &mut out).expect("memory takes all bytes");
    String::from_utf8(out).expect("text")
}

fn assert_whole(book: &Path) {
    let report = verify(book, &mut |_| {}).expect("a report");
    assert!(report.ok, "{report:#?}");
}

fn log_files(book: &Path) -> BTreeMap<String, Vec<u8>> {
    let log = fs::read_dir(book.join("_walbook/log")).expect("a log");
    let files = log.map(|entry| entry.expect("a readable folder"));
    files
        .map(|file| (file.file_name().into_string().expect("a number"), fs::read(file.path()).expect("an entry")))
        .collect()
}

#[test]
fn a_book_of_format_1_answers_as_it_did() {
    let folder = golden();
    let book = folder.path().join("book");
    insta::assert_snapshot!("golden_counts", counts_text(&book));
    insta::assert_snapshot!("golden_events", events_text(&book));
    assert_eq!(
        rejects(&book).expect("rejects").into_iter().map(|(_, count)| count).collect::<Vec<_>>(),
        [1, 1],
        "two reasons"
    );
    assert_whole(&book);
}

#[test]
fn a_book_of_format_1_is_continued() {
    let folder = golden();
    let book = folder.path().join("book");
    let before = log_files(&book);
    let events_before = events_text(&book);
    let mut input = fs::OpenOptions::new().append(true).open(folder.path().join("changes.ndjson")).expect("the input");
    let lines = [
        r#"{"data":"table public.orders: INSERT: id[integer]:4","commit_time":"2026-11-22T20:00:00Z"}"#,
        r#"{"data":"table public.orders: DELETE: id[integer]:4","commit_time":"2026-11-23T00:00:00Z"}"#,
        r#"{"data":"table public.orders: INSERT: id[integer]:5","commit_time":"2026-11-22T21:00:00Z"}"#,
    ];
    lines.iter().for_each(|line| writeln!(input, "{line}").expect("a file can grow"));

    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.current_dir(folder.path()).args(["run", "book", "--input", "changes.ndjson", "--until-end"]);
    let ended = walbook.output().expect("the binary is built");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));

    let after = log_files(&book);
    assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)), "entries are never rewritten");
    let added = events_text(&book);
    assert!(events_before.lines().all(|row| added.lines().any(|other| other == row)), "{added}");
    assert_eq!(added.lines().count(), events_before.lines().count() + lines.len());
    let answer = counts(&book, &Filter::default(), &[]).expect("counts");
    assert_eq!(answer.rows.iter().map(|row| row.count).sum::<u64>(), 13 + lines.len() as u64);
    // The highest of the new commit's changes; the entries before it have none.
    assert_eq!(answer.complete_to.commit_time, Some(1_795_392_000_000_000));
    assert_whole(&book);
}
