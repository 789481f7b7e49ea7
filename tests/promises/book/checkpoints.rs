//! A start reads a checkpoint instead of the log, so `verify` compares the two.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::MemoryStore;
use sha2::Digest as _;
use tempfile::TempDir;
use walbook::book::{Check, verify};
use walbook::change::LeaderEpoch;
use walbook::store::layout;

use super::world::{open, run, seal};

/// A book of two runs, each with a checkpoint, in a real directory.
fn book() -> (TempDir, MemoryStore) {
    let store = MemoryStore::new();
    for _ in 0..2 {
        run(&store, 2, &mut BTreeMap::new()).expect("nothing strikes");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    store.write_to(folder.path()).expect("a writable folder");
    (folder, store)
}

/// The check of the log; the tests' event files are no Parquet, which other checks report.
fn log_check(root: &Path) -> Check {
    let report = verify(root, &mut |_| {}).expect("a report");
    report.checks.into_iter().find(|check| check.name == "log").expect("a check of this name")
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let (folder, store) = book();
    assert!(log_check(folder.path()).ok, "{:?}", log_check(folder.path()));
    for entry in [2, 5] {
        let path = layout::checkpoint_path(entry);
        let whole = store.files()[&path].clone();
        for at in (0..whole.len()).step_by(29) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(folder.path().join(&path), damaged).expect("a writable folder");
            let check = log_check(folder.path());
            assert!(!check.ok && check.problems[0].contains(&path), "byte {at} of {path}: {check:?}");
        }
        std::fs::write(folder.path().join(&path), whole).expect("a writable folder");
    }
    let path = folder.path().join(layout::checkpoint_path(5));
    std::fs::remove_file(&path).expect("it is there");
    std::fs::create_dir(&path).expect("a writable folder");
    let check = log_check(folder.path());
    assert!(!check.ok && check.problems[0].contains("Is a directory"), "the cause is told: {check:?}");
}

#[test]
fn a_checkpoint_of_a_version_without_leader_epochs_agrees_with_the_log() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let mut contents = seal(&store, &committer, &mut BTreeMap::new()).expect("nothing strikes");
    let (partition, interval, _) = contents.positions[0].clone();
    contents.leader_epochs.insert(partition, LeaderEpoch { epoch: 7, to: interval.to });
    committer.commit(contents).expect("nothing strikes");
    committer.checkpoint().expect("nothing strikes");
    let folder = tempfile::tempdir().expect("a temporary folder");
    store.write_to(folder.path()).expect("a writable folder");
    assert!(log_check(folder.path()).ok, "{:?}", log_check(folder.path()));

    let path = layout::checkpoint_path(1);
    let text = String::from_utf8(store.files()[&path].clone()).expect("JSON");
    let line = text.lines().next().expect("a line");
    let epoch = r#","leader_epoch":{"epoch":7,"to":6}"#;
    for (is, agrees) in [("", true), (r#","leader_epoch":{"epoch":8,"to":6}"#, false)] {
        let other = line.replacen(epoch, is, 1);
        assert_ne!(other, line, "{epoch} is in {line}");
        std::fs::write(folder.path().join(&path), with_digest(&other)).expect("a writable folder");
        assert_eq!(log_check(folder.path()).ok, agrees, "{is:?}: {:?}", log_check(folder.path()));
    }
}

#[test]
fn a_leader_epoch_that_falls_or_was_not_read_is_named() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let mut totals = BTreeMap::new();
    for epoch in [7, 8] {
        let mut contents = seal(&store, &committer, &mut totals).expect("nothing strikes");
        let (partition, interval, _) = contents.positions[0].clone();
        contents.leader_epochs.insert(partition, LeaderEpoch { epoch, to: interval.to });
        committer.commit(contents).expect("nothing strikes");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    store.write_to(folder.path()).expect("a writable folder");
    assert!(log_check(folder.path()).ok, "{:?}", log_check(folder.path()));

    let path = layout::entry_path(2);
    let text = String::from_utf8(store.files()[&path].clone()).expect("JSON");
    let line = text.lines().next().expect("a line");
    for (is, words) in [
        (r#""epoch":6,"to":12"#, "has leader epoch 6 after 7"),
        (r#""epoch":8,"to":13"#, "leader epoch 8 of offset 12, which was not read"),
        (r#""epoch":8,"to":6"#, "leader epoch 8 of offset 5, which was not read"),
        (r#""epoch":-1,"to":12"#, "leader epoch -1 of offset 11, which was not read"),
    ] {
        let other = line.replacen(r#""epoch":8,"to":12"#, is, 1);
        assert_ne!(other, line, "the epoch is in {line}");
        std::fs::write(folder.path().join(&path), with_digest(&other)).expect("a writable folder");
        let report = verify(folder.path(), &mut |_| {}).expect("a report");
        let mut problems = report.checks.iter().flat_map(|check| &check.problems);
        assert!(problems.any(|what| what.contains(words)), "{is}: {report:?}");
    }
}

/// The two lines of an entry or a checkpoint.
fn with_digest(line: &str) -> String {
    let digest: String = sha2::Sha256::digest(line.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{line}\n{{\"sha256\":\"{digest}\"}}\n")
}

#[test]
fn a_checkpoint_that_is_not_the_logs_is_named() {
    let (folder, store) = book();
    let path = layout::checkpoint_path(2);
    let text = String::from_utf8(store.files()[&path].clone()).expect("JSON");
    let line = text.lines().next().expect("a line");
    let lies = [
        (r#""next":12"#, r#""next":11"#, "positions of changes"),
        (r#""highest":null"#, r#""highest":{"commit_lsn":1,"seq":1}"#, "positions of changes"),
        (r#""partitions":2"#, r#""partitions":3"#, "positions of changes"),
        (r#""topics":{"changes""#, r#""topics":{"other""#, "no topic changes"),
        (r#""changes":9"#, r#""changes":8"#, "8 changes on 2024-10-04"),
        (r#""2024-10-05""#, r#""2024-10-06""#, "no changes on 2024-10-05"),
        (r#""commit":2"#, r#""commit":1"#, "differs from the log up to its entry"),
        (r#""redone_to":2"#, r#""redone_to":1"#, "differs from the log up to its entry"),
    ];
    for (was, is, words) in lies {
        let lie = line.replacen(was, is, 1);
        assert_ne!(lie, line, "{was} is in {line}");
        std::fs::write(folder.path().join(&path), with_digest(&lie)).expect("a writable folder");
        let check = log_check(folder.path());
        let named = check.problems.iter().any(|what| what.contains(&path) && what.contains(words));
        assert!(!check.ok && named, "{is}: {check:?}");
    }
}
