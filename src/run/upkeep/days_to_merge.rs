//! Which days are worth merging: closed ones with several files, and days that still grow when they have many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::book::compact::{DayPhase, closed_days, days_with_several_files};
use crate::book::{BookError, NameSum, State};
use crate::change::{CommitNumber, Day, with_causes};
use crate::store::Store;
use crate::store::layout::Table;

/// How old files of a day that still grows must be: readers look at the newest ones most often.
const OLD: Duration = Duration::from_secs(300);
/// The pause after a failure of a day, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A day that still grows is looked at when it has so many files.
const MANY_FILES: u64 = 720;

/// The days of a book, as they were found at the looks before.
#[derive(Default)]
pub(super) struct DaysToMerge {
    known: BTreeMap<(Table, Day), KnownDay>,
    /// A commit, and when it was the newest: its files are old some time later.
    old: Option<OldCommit>,
}

/// A day that need not be looked at again for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KnownDay {
    /// The files with which there was nothing to do.
    settled: Option<NameSum>,
    /// After a failure: the pause, and its end.
    pause: Option<(Duration, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct OldCommit {
    /// The newest commit that is old.
    old: CommitNumber,
    /// One that will be, and since when it is there.
    next: (CommitNumber, Instant),
}

impl DaysToMerge {
    /// The days that may be worth merging.
    pub(super) fn candidates(&self, store: &dyn Store, state: &State) -> Vec<(Table, Day, DayPhase)> {
        let mut candidates = Vec::new();
        for table in [Table::Events, Table::Rejects] {
            let waits =
                |day: &Day| self.known.get(&(table, *day)).is_some_and(|known| known.waits(names(state, table, *day)));
            let several: Vec<Day> =
                days_with_several_files(state, table).into_iter().filter(|day| !waits(day)).collect();
            if several.is_empty() {
                continue;
            }
            let closed = match closed_days(store, state, &several, table) {
                Ok(closed) => closed,
                Err(error) => {
                    warn!(error = with_causes(&error), "could not look for days to merge; trying again later");
                    continue;
                }
            };
            let old = self.old.map_or(0, |commits| commits.old);
            for day in several {
                if closed.contains(&day) {
                    candidates.push((table, day, DayPhase::Closed));
                } else if names(state, table, day).files >= MANY_FILES && old > 0 {
                    candidates.push((table, day, DayPhase::Open(old)));
                }
            }
        }
        candidates
    }

    /// Notes which commit is the newest now.
    pub(super) fn note_commit(&mut self, commit: CommitNumber) {
        let now = Instant::now();
        let OldCommit { old, next } = self.old.unwrap_or(OldCommit { old: 0, next: (commit, now) });
        self.old = Some(match now.duration_since(next.1) >= OLD {
            true => OldCommit { old: next.0, next: (commit, now) },
            false => OldCommit { old, next },
        });
    }

    /// There is nothing to do with the files that a day has.
    pub(super) fn settle(&mut self, state: &State, table: Table, day: Day) {
        self.known.entry((table, day)).or_default().settled = Some(names(state, table, day));
    }

    /// A day was merged: it is looked at again, as others.
    pub(super) fn forget(&mut self, table: Table, day: Day) {
        self.known.remove(&(table, day));
    }

    /// Leaves a day alone for a while.
    pub(super) fn pause(&mut self, table: Table, day: Day, error: &BookError) {
        let known = self.known.entry((table, day)).or_default();
        let pause = known.pause.map_or(FIRST_PAUSE, |(last, _)| (last * 2).min(LONGEST_PAUSE));
        known.pause = Some((pause, Instant::now() + pause));
        let (table, error) = (table.folder(), with_causes(error));
        warn!(%day, table, error, "could not merge the files of a day; nothing has changed, trying again in {pause:?}");
    }
}

impl KnownDay {
    /// Whether a day with these files need not be looked at now.
    fn waits(&self, files: NameSum) -> bool {
        self.pause.is_some_and(|(_, end)| Instant::now() < end) || self.settled == Some(files)
    }
}

/// The files of a day.
fn names(state: &State, table: Table, day: Day) -> NameSum {
    state.files.as_ref().and_then(|files| files.get(&day)).map(|files| files.of(table)).unwrap_or_default()
}
