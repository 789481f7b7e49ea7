//! Compactions that must not be: of damaged sources, and entries that would lose or double a row.

use std::fs;

use walbook::book::log::commit_log::read_entry;
use walbook::book::log::entry::Entry;
use walbook::book::{BookError, State, verify};
use walbook::store::Disk;
use walbook::store::layout::Table;

use crate::readers::loop_of_rows::{compare, folder, open};
use crate::readers::random::{Rows, day};

#[test]
fn a_damaged_source_ends_the_compaction_and_changes_nothing() {
    let folder = folder();
    let mut rows = Rows::new(1);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 2);
        book.commit(contents).expect("a commit");
    }
    let events = folder.path().join(format!("events/day={}", day(0)));
    let victim = fs::read_dir(&events).expect("a folder").last().expect("three files").expect("an entry").path();
    let whole = fs::read(&victim).expect("a file");
    for at in [4, whole.len() / 2, whole.len() - 3] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        fs::write(&victim, damaged).expect("a file can be written");
        let entries = book.committer().state().entries;
        let error = book.compact((Table::Events, day(0)), 1 << 20).expect_err("a source is damaged");
        let name = victim.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(matches!(&error, BookError::Damaged { path, .. } if path.ends_with(name)), "{error}");
        assert_eq!(book.committer().state().entries, entries);
        let staged = fs::read_dir(folder.path().join("_walbook/staging").join(book.committer().generation()));
        let left: Vec<_> =
            staged.expect("a folder").flatten().filter(|entry| entry.file_name() != "lease.json").collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // Another day is merged all the same, and the run goes on.
    book.compact((Table::Events, day(1)), 1 << 20).expect("nothing is damaged there").expect("three files");
    fs::write(&victim, whole).expect("a file can be written");
    book.compact((Table::Events, day(0)), 1 << 20).expect("it is whole again").expect("three files");
    compare(folder.path(), &mut rows, "after the repair");
}

/// A compaction, and the log before it.
fn compaction() -> (State, Entry) {
    let folder = folder();
    let mut rows = Rows::new(2);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 2);
        book.commit(contents).expect("a commit");
    }
    let before = book.committer().state().clone();
    let entry = book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("three files");
    let logged = read_entry(&Disk::new(folder.path()), entry.entry).expect("readable").expect("there");
    before.check(&logged.entry).expect("as it was put");
    (before, logged.entry)
}

/// What an error must say, and a change that it is about.
type Change<'a> = (&'static str, &'a dyn Fn(&mut Entry));

#[test]
fn an_entry_that_would_lose_or_double_rows_or_moves_anything_else_is_refused() {
    let (before, entry) = compaction();
    let path =
        |day: u64, commit: u64| format!("events/day={}/c{commit:010}-w000-0.parquet", crate::readers::random::day(day));
    let changes: [Change<'_>; 17] = [
        ("rows", &|entry| entry.added[0].rows += 1),
        ("removes", &|entry| sums(entry).removed.rows -= 1),
        ("sum", &|entry| sums(entry).removed.row_sum = Default::default()),
        ("sum", &|entry| sums(entry).added[0].row_sum = Default::default()),
        ("sums", &|entry| sums(entry).added.clear()),
        ("without its sums", &|entry| entry.compaction = None),
        ("removes no file", &|entry| entry.removed.clear()),
        ("does not have", &|entry| entry.removed[0] = entry.removed[1].clone()),
        ("does not have", &|entry| entry.removed[0] = path(0, 900)),
        ("several days", &|entry| entry.removed[0] = path(1, 1)),
        ("other ones", &|entry| entry.removed[0] = format!("events/day={}/c0000000001-w007-0.parquet", day(0))),
        ("other ones", &|entry| entry.removed.push(format!("events/day={}/c0000000001-w007-0.parquet", day(0)))),
        ("adds", &|entry| entry.added[0].path = path(0, 1)),
        ("adds", &|entry| entry.added[0].path = entry.added[0].path.replace("-0.parquet", "-1.parquet")),
        ("parts", &|entry| drop(sums(entry).added[0].parts.pop())),
        ("moves more", &|entry| entry.commit += 1),
        ("older than", &|entry| sums(entry).staged_by = "g0000000000-00000000".to_owned()),
    ];
    for (number, (rule, change)) in changes.into_iter().enumerate() {
        let mut other = entry.clone();
        change(&mut other);
        let error = before.check(&other).expect_err("it must not be").to_string();
        assert!(error.contains(rule), "{number}: {error}");
    }
    let mut fence = entry.clone();
    fence.kind = walbook::book::log::entry::EntryKind::Fence;
    let error = before.check(&fence).expect_err("only a compaction removes files").to_string();
    assert!(error.contains("merges none"), "{error}");
}

fn sums(entry: &mut Entry) -> &mut walbook::book::log::compaction::CompactionEntry {
    entry.compaction.as_mut().expect("a compaction")
}

#[test]
fn a_merged_file_that_is_damaged_or_missing_is_named() {
    let folder = folder();
    let mut rows = Rows::new(3);
    let mut book = open(folder.path());
    for _ in 0..3 {
        let contents = rows.commit(30, 1);
        book.commit(contents).expect("a commit");
    }
    let entry = book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("three files");
    // An entry that says that the compaction is in its place.
    let contents = rows.commit(30, 1);
    book.commit(contents).expect("a commit");
    drop(book);
    let path = folder.path().join(&entry.added[0].path);
    let whole = fs::read(&path).expect("a file");
    for at in [10, whole.len() / 2, whole.len() - 20] {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(&path, damaged).expect("a file can be written");
        let report = verify(folder.path(), &mut |_| {}).expect("a report");
        let failed = report.checks.iter().find(|check| check.name == "files").expect("there is one");
        assert!(!failed.ok && failed.problems.join("\n").contains(&entry.added[0].path), "{report:#?}");
    }
    fs::remove_file(&path).expect("it is there");
    let report = verify(folder.path(), &mut |_| {}).expect("a report");
    let failed = report.checks.iter().find(|check| check.name == "files").expect("there is one");
    assert!(!failed.ok && failed.problems.join("\n").contains("missing"), "{report:#?}");
    let error = walbook::query::events(folder.path(), &walbook::query::Filter::default(), 10).expect_err("it is gone");
    assert!(error.to_string().contains(&entry.added[0].path), "{error}");
    fs::write(&path, &whole).expect("a file can be written");
    compare(folder.path(), &mut rows, "after the repair");
    // A replaced file that comes back, from a copy say, is not part of the book.
    let replaced =
        fs::read_dir(folder.path().join("_walbook/replaced")).expect("a folder").flatten().next().expect("one");
    let old = fs::read_dir(replaced.path()).expect("a folder").flatten().next().expect("one").path();
    fs::copy(&old, path.with_file_name(old.file_name().expect("a name"))).expect("a file can be copied");
    compare(folder.path(), &mut rows, "with a replaced file that came back");
    let report = verify(folder.path(), &mut |_| {}).expect("a report");
    let failed = report.checks.iter().find(|check| check.name == "unreferenced").expect("there is one");
    assert!(!failed.ok, "{report:#?}");
}
