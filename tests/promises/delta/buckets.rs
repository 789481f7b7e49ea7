//! In a bucket files of events are named where they are: a version that does without those that were merged or pruned is there before they go.

use walbook::book::BookError;
use walbook::store::layout::Table;

use super::world::{Noted, check, failed, note, tables, versions, write};
use crate::book::world::day;
use crate::compaction::world::{commit, compact, start};
use crate::support::script::{hands_over, looks, operations_of, struck};
use crate::support::{Fault, MemoryBucket, TestDisk as _};

/// A run that writes the tables, merges and prunes.
fn script(bucket: &MemoryBucket, noted: &mut Noted) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(bucket)?;
    let mut before_removal = tables(bucket, &committer);
    committer.before_removal(Box::new(move |state| drop(before_removal.bring_to(state))));
    let mut delta = tables(bucket, &committer);
    for round in 0..3 {
        commit(bucket, &mut committer, &mut totals)?;
        note(noted, &committer);
        if round == 2 {
            write(&mut delta, &committer).map_err(failed)?;
            compact(&mut committer, (Table::Events, day(1)))?.expect("there are several files");
            committer.prune(day(1))?.expect("there is an older day");
            note(noted, &committer);
        }
        write(&mut delta, &committer).map_err(failed)?;
    }
    Ok(())
}

/// Some objects are sent in parts, others are not.
fn bucket() -> MemoryBucket {
    MemoryBucket::with_part_bytes(1500)
}

/// Checks that all files of the newest versions are there.
fn check_newest(bucket: &MemoryBucket, context: &str) {
    let files = bucket.files();
    for table in ["events", "counts"] {
        for path in versions(bucket, table).pop().into_iter().flat_map(|newest| newest.files.into_keys()) {
            assert!(files.contains_key(&format!("{table}/{path}")), "{context}: {table}/{path} is gone");
        }
    }
}

#[test]
fn files_go_only_after_a_version_that_does_without_them() {
    let undisturbed = bucket();
    let operations = operations_of(undisturbed.clone(), script);
    check_newest(&undisturbed, "no fault");
    let first = operations.iter().position(|(_, name)| name.contains("_delta_log")).expect("it writes tables");
    let is_struck = |name: &str| !looks(name) && !hands_over(name);
    for (number, name) in operations.into_iter().skip(first).filter(|(_, name)| is_struck(name)) {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let context = format!("{fault:?} request {number} ({name})");
            let (bucket, _, _) = struck(bucket(), number, fault, script);
            check_newest(&bucket, &context);
            let bucket = bucket.process();
            let (mut committer, mut totals) = start(&bucket).unwrap_or_else(|error| panic!("{context}: {error}"));
            let mut delta = tables(&bucket, &committer);
            write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error}"));
            commit(&bucket, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
            write(&mut delta, &committer).unwrap_or_else(|error| panic!("{context}: {error}"));
            check_newest(&bucket, &context);
            let newest = versions(&bucket, "events").pop().expect("there is one");
            assert_eq!(Some(newest.entry), committer.state().newest_entry(), "{context}");
        }
    }
}

#[test]
fn each_version_of_a_bucket_has_the_rows_of_its_entry() {
    let bucket = bucket();
    let mut noted = Noted::new();
    let (mut committer, mut totals) = start(&bucket).expect("nothing strikes");
    let mut delta = tables(&bucket, &committer);
    for _ in 0..4 {
        commit(&bucket, &mut committer, &mut totals).expect("nothing strikes");
        note(&mut noted, &committer);
        assert_eq!(write(&mut delta, &committer).expect("nothing strikes"), 2);
    }
    check(&bucket, &noted, |_, _| false, "in a bucket");
}
