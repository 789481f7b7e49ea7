//! The process ends at any request of a compaction. Folders cannot be exchanged in a bucket: merged files are put in place, then the others
//! moved away.

use std::collections::{BTreeMap, BTreeSet};

use walbook::book::BookError;

use crate::book::world::next;
use crate::compaction::world::{
    Identity, all_days, check_listing, check_recovery, commit, compact, listed, start, truth,
};
use crate::support::script::{hands_over, looks, operations_of, struck};
use crate::support::{Fault, MemoryBucket, TestDisk as _};

/// A run that commits twice, merges all days, and commits once more; `seen` has what was acknowledged.
fn script(bucket: &MemoryBucket, seen: &mut BTreeMap<i32, i64>) -> Result<(), BookError> {
    let (mut committer, mut totals) = start(bucket)?;
    for _ in 0..2 {
        commit(bucket, &mut committer, &mut totals)?;
    }
    *seen = next(committer.state());
    for of in all_days() {
        assert!(compact(&mut committer, of)?.is_some(), "there are two files");
    }
    commit(bucket, &mut committer, &mut totals)?;
    *seen = next(committer.state());
    Ok(())
}

/// Merged files are sent in parts.
fn bucket() -> MemoryBucket {
    MemoryBucket::with_part_bytes(1500)
}

#[test]
fn merged_files_have_the_same_rows() {
    let bucket = bucket();
    let mut seen = BTreeMap::new();
    script(&bucket, &mut seen).expect("nothing strikes");
    assert_eq!(check_listing(&bucket, "merged"), truth(&seen));
    check_recovery(&bucket.process(), &seen, "no fault");
}

#[test]
fn a_kill_at_any_request_of_a_compaction_loses_and_repeats_nothing() {
    let operations = operations_of(bucket(), script);
    let first = operations.iter().position(|(_, name)| name.contains("merging-")).expect("it merges");
    let is_struck = |name: &str| !looks(name) && !hands_over(name);
    for (number, name) in operations.into_iter().skip(first).filter(|(_, name)| is_struck(name)) {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let context = format!("{fault:?} request {number} ({name})");
            let (bucket, seen, _) = struck(bucket(), number, fault, script);
            // For a moment a row may be there twice, never not at all.
            let rows: BTreeSet<Identity> = listed(&bucket).into_keys().collect();
            assert!(truth(&seen).is_subset(&rows), "{context}");
            check_recovery(&bucket.process(), &seen, &context);
        }
    }
}
