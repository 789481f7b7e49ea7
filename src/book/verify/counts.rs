//! Whether the counts files agree with the log.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Check, Problems};
use crate::book::BookError;
use crate::book::log::tail::Tail;
use crate::book::read::counts_rows::{CountsRows, CountsStamp};
use crate::book::read::table_counts::TableCounts;
use crate::change::with_causes;
use crate::change::{CommitNumber, Day, Operation};
use crate::store::Store;
use crate::store::layout::{Table, counts_path, day_of_folder};

/// The counts by the log.
#[derive(Default)]
pub(super) struct LoggedCounts {
    /// The book's identity.
    pub(super) book: String,
    /// The sums of all deltas.
    pub(super) days: BTreeMap<Day, TableCounts>,
    /// By entry that is not missing: the newest commit's number.
    pub(super) commits: BTreeMap<u64, CommitNumber>,
}

/// Compares every counts file with the log, exactly.
pub(super) fn verify_counts(store: &dyn Store, tail: &Tail, mut expected: LoggedCounts) -> Check {
    let mut days: BTreeSet<Day> = expected.days.keys().copied().collect();
    // A failed listing leaves the days of the log; `unreferenced_files.rs` reports why.
    days.extend(store.list(Table::Counts.folder()).unwrap_or_default().iter().filter_map(|name| day_of_folder(name)));
    let (mut problems, mut files, mut keys, mut changes) = (Problems::default(), 0u64, 0u64, 0i128);
    for day in days {
        let mut counts = expected.days.remove(&day).unwrap_or_default();
        let mut wrong = Vec::new();
        let compared = CountsRows::open(store, day).and_then(|file| {
            let mut corrections = tail.corrections(day, file.as_ref().map(|file| file.stamp.entry))?;
            let mut compare = |schema: &str, table: &str, op: Operation, count: i64| {
                keys += u64::from(count != 0);
                changes += i128::from(count);
                let logged = counts.take(schema, table, op);
                if count != logged {
                    wrong.push(format!("{schema}.{table} {op} is {count}, in the log {logged}"));
                }
            };
            if let Some(file) = file {
                files += 1;
                let mut last: Option<(String, String, Operation)> = None;
                let mut stamp = wrong_stamp(&file.stamp, &expected);
                file.for_each(&mut |schema, table, op, count| {
                    let key = (schema, table, op.as_str());
                    let sorted = last.as_ref().is_none_or(|(s, t, o)| (s.as_str(), t.as_str(), o.as_str()) < key);
                    if !sorted || count <= 0 {
                        stamp = Some(format!("its row of {schema}.{table} {op} is not in order, or not positive"));
                    }
                    last = Some((schema.to_owned(), table.to_owned(), op));
                    compare(schema, table, op, count.saturating_add(corrections.take(schema, table, op)));
                })?;
                corrections.for_each(&mut compare);
                wrong.extend(stamp);
            } else {
                corrections.for_each(&mut compare);
            }
            Ok(())
        });
        match compared {
            Ok(()) => counts.for_each(|schema, table, op, logged| {
                wrong.push(format!("{schema}.{table} {op} is missing, in the log {logged}"));
            }),
            Err(BookError::UnreadableCounts { reason, .. }) => wrong.push(reason),
            Err(error) => wrong.push(with_causes(&error)),
        }
        for what in wrong {
            problems.add(0, format!("{}: {what}", counts_path(day)));
        }
    }
    problems.check("counts", format!("{changes} changes under {keys} keys in {files} files, each as the log has it"))
}

fn wrong_stamp(stamp: &CountsStamp, expected: &LoggedCounts) -> Option<String> {
    if stamp.book != expected.book {
        return Some(format!("it is of book {}", stamp.book));
    }
    let commit = expected.commits.get(&stamp.entry)?;
    (*commit != stamp.commit)
        .then(|| format!("it has commit {} at entry {}, the log has {commit}", stamp.commit, stamp.entry))
}
