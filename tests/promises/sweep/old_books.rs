//! Books of earlier versions go on, and can be swept; versions that know no sweep stop at one that was.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use walbook::book::log::entry::{BookSettings, Versions};
use walbook::book::sweep::Sweep;
use walbook::book::{Book, BookError, verify};
use walbook::query::{Filter, Format, GroupBy, counts, events};
use walbook::store::Disk;

use crate::readers::loop_of_rows::copy;

fn texts(book: &Path) -> [String; 2] {
    let print = |print: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).expect("text")
    };
    let counted = counts(book, &Filter::default(), &GroupBy::DEFAULT).expect("counts");
    let found = events(book, &Filter::default(), 100).expect("events");
    [
        print(&|out| counted.print(Format::Csv, out).expect("memory takes all bytes")),
        print(&|out| found.print(Format::Csv, out).expect("memory takes all bytes")),
    ]
}

#[test]
fn a_book_of_format_1_is_swept_and_answers_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden-format-1"), folder.path());
    let book = folder.path().join("book");
    let settings: BookSettings = {
        let entry = fs::read(book.join("_walbook/log/00000000000000000000.json")).expect("an entry");
        let entry: walbook::book::Entry =
            serde_json::from_slice(entry.split(|byte| *byte == b'\n').next().expect("a line")).expect("an entry");
        entry.settings
    };
    let before = texts(&book);
    let start = || {
        let versions = Versions { walbook: "test".to_owned(), parser: 1, tzdata: "test".to_owned() };
        let opened = Book::open(Arc::new(Disk::new(&book)), settings.clone(), versions).expect("a book");
        opened.fence(|_| Ok::<_, BookError>(Default::default())).expect("nobody else has it")
    };
    let sweep = |committer: &walbook::book::Committer| {
        committer.sweeper().with_least(1).sweep(Duration::ZERO, &|| false).expect("nothing fails")
    };
    // Its checkpoints are of format 1: an older version may go on with it until there are others.
    let mut committer = start();
    committer.checkpoint().expect("nothing fails");
    assert_eq!(sweep(&committer), Sweep::AwaitsCheckpoints);
    committer.expect_sweep();
    committer.checkpoint().expect("nothing fails");
    drop(committer);
    assert_eq!(sweep(&start()), Sweep::AwaitsCheckpoints, "one of the two is of format 1 or of the same entry");
    start().checkpoint().expect("nothing fails");
    let mut committer = start();
    committer.checkpoint().expect("nothing fails");
    let Sweep::Swept { entries, to } = sweep(&committer) else { panic!("there is something to sweep") };
    assert!(entries > 66 && to + 1 == entries, "{entries} up to {to}");
    assert_eq!(texts(&book), before);
    let report = verify(&book, &mut |_| {}).expect("a report");
    assert!(report.ok, "{report:#?}");
    // With the whole log gone but for a few entries it goes on.
    drop(start());
    assert_eq!(texts(&book), before);
    let kept = fs::read_dir(book.join("_walbook/log")).expect("a log").count();
    assert!(kept < 6, "{kept} entries are kept");
}

#[test]
fn a_book_with_nothing_old_keeps_its_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut book = crate::readers::loop_of_rows::open(folder.path());
    let mut rows = crate::readers::random::Rows::new(31);
    for _ in 0..3 {
        book.commit(rows.commit(5, 1)).expect("a commit");
        book.committer().checkpoint().expect("nothing fails");
    }
    let week = Duration::from_secs(7 * 86_400);
    assert_eq!(book.committer().sweeper().with_least(1).sweep(week, &|| false).expect("readable"), Sweep::Nothing);
    assert_eq!(
        book.committer().sweeper().sweep(Duration::ZERO, &|| false).expect("readable"),
        Sweep::Nothing,
        "too few"
    );
    let cancelled = book.sweep().expect("readable");
    assert_eq!(cancelled, Sweep::AwaitsCheckpoints);
    assert!(!folder.path().join("_walbook/base").exists());
    for checkpoint in fs::read_dir(folder.path().join("_walbook/checkpoint")).expect("a folder").flatten() {
        assert!(fs::read(checkpoint.path()).expect("readable").starts_with(br#"{"format":1,"#));
    }
}
