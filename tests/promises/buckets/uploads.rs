//! Large files: nothing of them is visible before their entry, and what no entry names is removed by the next start.

use std::collections::BTreeMap;
use std::io::Write as _;

use walbook::book::log::commit_log::read_entry;
use walbook::book::{BookError, Snapshot, verify};
use walbook::change::Classified as _;
use walbook::store::{Store as _, layout};

use crate::book::world::{commit, open, run, seal};
use crate::support::{Fault, MemoryBucket, TestDisk as _};

#[test]
fn a_file_is_visible_only_after_it_is_renamed_and_renaming_may_be_repeated() {
    let bucket = MemoryBucket::new();
    let store = bucket.store();
    let folder = layout::staging_folder("g0000000001-00000001");
    store.create_folder(&folder).expect("memory");
    for (size, part) in [(0, "empty"), (99, "small"), (100, "one"), (101, "two"), (1234, "many")] {
        let (staged, path) = (format!("{folder}/{part}.inprogress"), format!("events/day=2026-11-22/{part}.parquet"));
        let bytes: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
        let mut file = store.create_for(&staged, &path).expect("memory");
        file.write_all(&bytes).and_then(|()| file.sync()).expect("memory");
        assert!(!store.exists(&path).expect("memory") && store.exists(&staged).expect("memory"), "{part}");
        assert!(!bucket.files().contains_key(&path), "{part}");
        store.rename(&staged, &path).expect("memory");
        assert_eq!(store.read(&path).expect("it is there"), bytes, "{part}");
        assert!(!store.exists(&staged).expect("memory"), "{part}");
        let gone = store.rename(&staged, &path).expect_err("it was renamed");
        assert_eq!(gone.kind(), std::io::ErrorKind::NotFound, "{part}");
    }
}

#[test]
fn nothing_is_staged_in_a_generation_that_was_swept() {
    let store = MemoryBucket::new().store();
    let folder = layout::staging_folder("g0000000001-00000001");
    for size in [10, 1000] {
        let mut file = store.create(&format!("{folder}/file.inprogress")).expect("nothing is sent yet");
        let written = file.write_all(&vec![7; size]).and_then(|()| file.sync());
        assert_eq!(written.expect_err("there is no such generation").kind(), std::io::ErrorKind::NotFound, "{size}");
    }
}

#[test]
fn uploads_of_a_run_that_ended_are_ended_by_the_next_start() {
    let bucket = MemoryBucket::new();
    let mut committer = open(&bucket).expect("nothing strikes");
    let mut totals = BTreeMap::new();
    commit(&bucket, &mut committer, &mut totals, &mut BTreeMap::new()).expect("nothing strikes");
    drop(seal(&bucket.store(), &committer, &mut totals).expect("nothing strikes"));
    drop(committer);
    let tickets =
        |bucket: &MemoryBucket| bucket.files().into_keys().filter(|path| path.ends_with(".upload")).collect::<Vec<_>>();
    assert!(!tickets(&bucket).is_empty(), "some files are uploads");
    let next = bucket.process();
    run(&next, 0, &mut BTreeMap::new()).expect("nothing strikes");
    assert_eq!(tickets(&bucket), Vec::<String>::new());
    assert!(next.operations().iter().any(|name| name.starts_with("abort-upload events/")));
}

#[test]
fn parts_that_a_rule_of_the_bucket_removed_are_named() {
    let bucket = MemoryBucket::new();
    let operations = {
        run(&bucket, 1, &mut BTreeMap::new()).expect("nothing strikes");
        bucket.operations()
    };
    let complete =
        operations.iter().position(|name| name.starts_with("complete-upload events/")).expect("one is large");
    let bucket = MemoryBucket::new();
    bucket.strike(complete, Fault::CrashBefore);
    assert!(run(&bucket, 1, &mut BTreeMap::new()).is_err(), "it ends between its entry and its files");
    // Readers cannot know more than that it is not completed; with its ticket it would be nowhere.
    let open_all = |bucket: &MemoryBucket| -> Result<(), BookError> {
        let snapshot = Snapshot::take(bucket.process().store())?;
        snapshot.event_files(&|_| true)?.iter().try_for_each(|file| snapshot.open(file).map(drop))
    };
    let error = open_all(&bucket).expect_err("a file is not in its place");
    assert!(matches!(&error, BookError::NotInPlace { .. }) && error.exit_code() == 1, "{error:?}");
    let report = verify(bucket.process().store(), &mut |_| {}).expect("a report");
    assert!(!report.ok && format!("{report:?}").contains("it is not in its place yet"), "{report:?}");
    // The rule ends the upload that the entry names.
    let (ticket_path, ticket) =
        bucket.files().into_iter().find(|(path, _)| path.ends_with(".upload")).expect("a ticket");
    bucket.process().end_upload(&ticket);
    let Err(error) = open(&bucket.process()) else { panic!("a committed file is gone") };
    let BookError::Missing { path, entry, source: Some(source), .. } = &error else { panic!("{error:?}") };
    assert!(path.starts_with("events/") && source.to_string().contains("lifecycle rule"), "{error:?}");
    let logged = read_entry(&bucket.process().store(), *entry).expect("memory").expect("an entry").entry;
    let (topic, read) = logged.topics.iter().next().expect("a topic");
    let (partition, read) = read.positions.iter().next().expect("a partition");
    let offsets =
        format!("{topic:?} partition {partition}: offsets {} to {} (exclusive)", read.interval.from, read.interval.to);
    assert!(error.to_string().contains(&offsets) && error.exit_code() == 3, "{error} should have {offsets}");
    bucket.process().store().remove_file(&ticket_path).expect("memory");
    let error = open_all(&bucket).expect_err("a file is nowhere");
    assert!(matches!(&error, BookError::Missing { .. }) && error.exit_code() == 3, "{error:?}");
    assert!(error.to_string().contains(&offsets), "{error} should have {offsets}");
}
