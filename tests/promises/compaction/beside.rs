//! Compactions by processes beside the run that owns the book.

use std::sync::Arc;

use walbook::book::compact::{CompactionBeside, DayPhase};
use walbook::book::{BookError, Entry};
use walbook::change::{Classified as _, Day};
use walbook::store::Store;
use walbook::store::layout::Table;

use super::world::{all_days, check_listing, check_recovery, commit, compact, entries, start, truth};
use crate::book::world::{next, versions};
use crate::support::script::Sleeper;
use crate::support::{Fault, MemoryStore, Strikes};

fn no_book() -> BookError {
    BookError::NoBook { path: "a disk in memory".into() }
}

/// Merges a day beside the run; the entry, and the process, which may wait until it is placed.
fn merge(store: &MemoryStore, of: (Table, Day)) -> Result<(CompactionBeside, Option<Entry>), BookError> {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let mut beside = CompactionBeside::begin(&store, versions(), &no_book)?;
    let entry = beside.compact(of, DayPhase::Closed, &|| false)?;
    Ok((beside, entry))
}

/// A book with two commits, and the run that owns it.
fn book() -> (MemoryStore, walbook::book::Committer, std::collections::BTreeMap<walbook::change::CountKey, i64>) {
    let store = MemoryStore::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    for _ in 0..2 {
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    }
    (store, committer, totals)
}

#[test]
fn the_run_places_what_another_process_has_merged_also_when_it_has_nothing_to_commit() {
    let (store, mut committer, mut totals) = book();
    for of in all_days() {
        let (beside, entry) = merge(&store.process(), of).expect("nothing strikes");
        let entry = entry.expect("there are two files");
        assert!(!beside.is_placed(&entry, of).expect("readable"), "only the run places");
        assert_eq!(check_listing(&store, "put"), truth(&next(committer.state())));
        let taken = committer.follow_log().expect("an entry that may be");
        assert_eq!(taken.iter().map(|taken| taken.entry).collect::<Vec<_>>(), [entry.entry]);
        assert!(beside.is_placed(&entry, of).expect("readable"));
        beside.finish().expect("nothing strikes");
        assert_eq!(check_listing(&store, "placed"), truth(&next(committer.state())));
    }
    // Between two commits: the commit finds its number taken, and follows.
    commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    let (beside, entry) = merge(&store.process(), all_days()[0]).expect("nothing strikes");
    commit(&store, &mut committer, &mut totals).expect("it takes the entry up");
    assert!(beside.is_placed(&entry.expect("two files"), all_days()[0]).expect("readable"));
    assert_eq!(check_listing(&store, "between commits"), truth(&next(committer.state())));
    check_recovery(&store, &next(committer.state()), "a run beside");
}

#[test]
fn a_start_places_what_was_put_while_no_run_was_there() {
    for seed in 0..4 {
        let (store, committer, _) = book();
        let seen = next(committer.state());
        drop(committer);
        let (_, entry) = merge(&store.process(), all_days()[1]).expect("nothing strikes");
        assert!(entry.is_some());
        check_recovery(&store.survive(seed), &seen, &format!("seed {seed}"));
    }
}

#[test]
fn a_process_beside_that_stops_anywhere_harms_nothing() {
    let of = all_days()[0];
    let operations = {
        let (store, ..) = book();
        let process = store.process();
        merge(&process, of).expect("nothing strikes").0.finish().expect("nothing strikes");
        process.operations()
    };
    for (number, name) in operations.iter().enumerate().filter(|(_, name)| !name.starts_with("write")) {
        for seed in [None, Some(0), Some(1), Some(2)] {
            let (store, mut committer, mut totals) = book();
            let process = store.process();
            process.strike(number, Fault::CrashAfter);
            drop(merge(&process, of).map(|(beside, _)| beside.finish()));
            let context = format!("a stop after {number} ({name}), then a power cut {seed:?}");
            let seen = next(committer.state());
            match seed {
                None => {
                    committer.follow_log().unwrap_or_else(|error| panic!("{context}: {error}"));
                    commit(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
                    check_recovery(&store.process(), &seen, &context);
                }
                Some(seed) => check_recovery(&store.survive(seed), &seen, &context),
            }
        }
    }
}

#[test]
fn a_run_that_stops_while_it_takes_up_a_compaction_is_completed_by_the_next() {
    let of = all_days()[0];
    // A late change, so that there is a file that stays out of the merge but in the folder.
    let begin = || {
        let (store, committer, totals) = book();
        merge(&store.process(), of).expect("nothing strikes").1.expect("two files");
        (store, committer, totals)
    };
    let (before, operations) = {
        let (store, mut committer, mut totals) = begin();
        let before = store.operations().len();
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
        (before, store.operations())
    };
    for (number, name) in operations.iter().enumerate().skip(before) {
        let (store, mut committer, mut totals) = begin();
        let seen = next(committer.state());
        store.strike(number, Fault::CrashBefore);
        drop(commit(&store, &mut committer, &mut totals));
        let context = format!("a stop before {number} ({name})");
        check_listing(&store, &context);
        check_recovery(&store.process(), &seen, &context);
        check_recovery(&store.survive(3), &seen, &context);
    }
}

#[test]
fn of_two_compactions_of_a_day_one_wins_wherever_the_other_is_suspended() {
    let of = all_days()[0];
    let operations = {
        let (store, ..) = book();
        let process = store.process();
        merge(&process, of).expect("nothing strikes");
        process.operations()
    };
    let mut strikes = Strikes::default();
    for (number, name) in operations.iter().enumerate().filter(|(_, name)| !name.starts_with("write")) {
        for by_run in [true, false] {
            let context = format!("asleep before {number} ({name}), the other one is the run: {by_run}");
            let (store, mut committer, mut totals) = book();
            let sleeping =
                Sleeper::before(&store, number, &context, move |store| merge(store, of)).counted(&mut strikes);
            let begun = entries(&store.process());
            if by_run {
                compact(&mut committer, of).unwrap_or_else(|error| panic!("{context}: {error}"));
            } else {
                merge(&store.process(), of).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            let ended = sleeping.wake();
            let (_, entry) = ended.unwrap_or_else(|error| panic!("{context}: {error}"));
            // The sleeper either was first, or has found one file of the day.
            assert!(entry.is_none() || entry.as_ref().is_some_and(|entry| entry.entry < begun), "{context}: {entry:?}");
            committer.follow_log().unwrap_or_else(|error| panic!("{context}: {error}"));
            commit(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(check_listing(&store, &context), truth(&next(committer.state())), "{context}");
            check_recovery(&store.process(), &next(committer.state()), &context);
        }
    }
    strikes.assert_most_hit();
}

#[test]
fn a_process_beside_that_is_suspended_over_the_start_of_a_run_loses_nothing() {
    let of = all_days()[0];
    let operations = {
        let (store, ..) = book();
        let process = store.process();
        merge(&process, of).expect("nothing strikes");
        process.operations()
    };
    let mut strikes = Strikes::default();
    for (number, name) in operations.iter().enumerate().filter(|(_, name)| !name.starts_with("write")) {
        let context = format!("asleep before {number} ({name})");
        let (store, committer, _) = book();
        drop(committer);
        let sleeping = Sleeper::before(&store, number, &context, move |store| merge(store, of)).counted(&mut strikes);
        // The start removes older staging folders, that of the sleeper too.
        let awake = store.process();
        let (mut committer, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error}"));
        commit(&awake, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
        let ended = sleeping.wake();
        match ended {
            Ok(_) => {}
            Err(error) => assert_ne!(error.exit_code(), 0, "{context}"),
        }
        committer.follow_log().unwrap_or_else(|error| panic!("{context}: {error}"));
        commit(&awake, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(check_listing(&store, &context), truth(&next(committer.state())), "{context}");
        check_recovery(&store.process(), &next(committer.state()), &context);
    }
    strikes.assert_most_hit();
}
