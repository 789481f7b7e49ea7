//! What is damaged or missing of a swept book is named.

use std::fs;
use std::path::{Path, PathBuf};

use walbook::book::{Snapshot, verify};
use walbook::store::layout::{Table, base_path, entry_path};

use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::{Rows, day};

/// A swept book with merged and other files; its base's entry.
fn swept(root: &Path) -> u64 {
    let mut rows = Rows::new(21);
    let mut book = open(root);
    for _ in 0..4 {
        book.commit(rows.commit(30, 2)).expect("a commit");
    }
    book.compact((Table::Events, day(0)), 1 << 20).expect("nothing fails").expect("several files");
    book.sweep().expect("nothing to do");
    for _ in 0..3 {
        book.commit(rows.commit(20, 2)).expect("a commit");
        book.committer().checkpoint().expect("nothing fails");
    }
    book.sweep().expect("nothing fails");
    // A checkpoint that names the base.
    book.commit(rows.commit(20, 2)).expect("a commit");
    book.committer().checkpoint().expect("nothing fails");
    let name = fs::read_dir(root.join("_walbook/base")).expect("a base").next().expect("one").expect("readable");
    name.path().file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok()).expect("a number")
}

/// The problems of a verification.
fn problems(root: &Path) -> Vec<String> {
    let report = verify(root, &mut |_| {}).expect("a report");
    report.checks.into_iter().filter(|check| !check.ok).flat_map(|check| check.problems).collect()
}

fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path().is_dir() {
            true => found.extend(files_below(entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

#[test]
fn damage_to_a_base_or_a_manifest_is_named() {
    let folder = folder();
    let root = folder.path();
    swept(root);
    assert_eq!(problems(root), Vec::<String>::new());
    let private = root.join("_walbook");
    for path in files_below(private.join("base")).into_iter().chain(files_below(private.join("files"))) {
        let whole = fs::read(&path).expect("readable");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        for at in (0..whole.len()).step_by(whole.len() / 7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).expect("writable");
            let found = problems(root);
            assert!(found.iter().any(|what| what.contains(&name)), "byte {at} of {name}: {found:?}");
        }
        fs::remove_file(&path).expect("it is there");
        let found = problems(root);
        let is_base = path.starts_with(private.join("base"));
        assert!(found.iter().any(|what| what.contains(&name) || is_base), "{name} is missing: {found:?}");
        fs::write(&path, whole).expect("writable");
    }
    assert_eq!(problems(root), Vec::<String>::new());
}

#[test]
fn damage_to_a_file_that_swept_entries_have_named_is_found() {
    let folder = folder();
    let root = folder.path();
    swept(root);
    let paths = files_below(root.join("events")).into_iter().chain(files_below(root.join("rejects")));
    for path in paths {
        let whole = fs::read(&path).expect("readable");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        for at in [4, whole.len() / 2, whole.len() - 9] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).expect("writable");
            let found = problems(root);
            assert!(found.iter().any(|what| what.contains(&name)), "byte {at} of {name}: {found:?}");
        }
        fs::remove_file(&path).expect("it is there");
        let found = problems(root);
        assert!(found.iter().any(|what| what.contains(&name)), "{name} is missing: {found:?}");
        fs::write(&path, whole).expect("writable");
    }
    let extra = root.join("events").join(format!("day={}", day(0))).join("c0000000001-w009-0.parquet");
    fs::copy(&files_below(root.join("events"))[0], &extra).expect("writable");
    assert!(problems(root).iter().any(|what| what.contains("c0000000001-w009-0")), "a file that no entry names");
}

#[test]
fn a_log_whose_entries_are_missing_without_a_base_is_damaged() {
    let folder = folder();
    let root = folder.path();
    let base = swept(root);
    let path = root.join(base_path(base));
    let whole = fs::read(&path).expect("readable");
    fs::remove_file(&path).expect("it is there");
    let refused = |root: &Path| Snapshot::take(root).map(drop).expect_err("the log is not whole").to_string();
    let named = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(refused(root).contains(named), "{}", refused(root));
    // Nor from its beginning, which is gone.
    let checkpoints = files_below(root.join("_walbook/checkpoint"));
    let held: Vec<Vec<u8>> = checkpoints.iter().map(|path| fs::read(path).expect("readable")).collect();
    checkpoints.iter().for_each(|path| fs::remove_file(path).expect("it is there"));
    let refused_start = {
        let settings =
            walbook::book::log::entry::BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let versions =
            walbook::book::log::entry::Versions { walbook: "test".to_owned(), parser: 1, tzdata: "test".to_owned() };
        let store = std::sync::Arc::new(walbook::store::Disk::new(root));
        walbook::book::Book::open(store, settings, versions).map(drop).expect_err("the log is not whole").to_string()
    };
    let range = format!("and so are all up to entry {base}");
    assert!(refused_start.contains("00000000000000000000.json") && refused_start.contains(&range), "{refused_start}");
    fs::write(&path, whole).expect("writable");
    // An entry after the base that is missing is named, with the base or not.
    let entry = root.join(entry_path(base + 1));
    let bytes = fs::read(&entry).expect("readable");
    fs::remove_file(&entry).expect("it is there");
    let name = format!("{:020}.json", base + 1);
    assert!(refused(root).contains(&name), "{}", refused(root));
    assert!(problems(root).iter().any(|what| what.contains(&name)), "{:?}", problems(root));
    fs::write(&entry, bytes).expect("writable");
    checkpoints.iter().zip(held).for_each(|(path, bytes)| fs::write(path, bytes).expect("writable"));
    assert_eq!(problems(root), Vec::<String>::new());
}

#[test]
fn entries_that_a_sweep_has_left_are_not_part_of_the_log() {
    let folder = folder();
    let root = folder.path();
    let base = swept(root);
    let newest = Snapshot::take(root).expect("a book").state().digest.clone();
    // Another book's, say: whatever has a swept number is ignored.
    fs::write(root.join(entry_path(base)), "{}\n").expect("writable");
    fs::write(root.join(entry_path(0)), "{}\n").expect("writable");
    assert_eq!(Snapshot::take(root).expect("a book").state().digest, newest);
    assert_eq!(problems(root), Vec::<String>::new());
    // The next sweep removes them.
    let mut book = open(root);
    let mut rows = Rows::new(22);
    let _ = rows.commit(1, 1);
    for _ in 0..2 {
        book.committer().checkpoint().expect("nothing fails");
        drop(book);
        book = open(root);
    }
    book.committer().checkpoint().expect("nothing fails");
    book.sweep().expect("nothing fails");
    let first = files_below(root.join("_walbook/log"));
    assert!(first[0] > root.join(entry_path(base)), "{first:?}");
}
