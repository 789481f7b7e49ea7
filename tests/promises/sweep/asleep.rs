//! Whoever sleeps while the log is swept: runs that were fenced, processes beside the run, starts and readers.

use std::sync::Arc;

use walbook::book::sweep::Sweep;
use walbook::book::{Book, BookError, ViewChange, change_view};
use walbook::change::Classified as _;
use walbook::store::Store;

use super::world::{check_log, check_swept, pass_checkpoints, sweep};
use crate::book::world::{new_topics, next, settings, versions};
use crate::compaction::world::{all_days, check_recovery, commit, compact, start};
use crate::support::script::Sleeper;
use crate::support::{MemoryStore, Strikes};

type Totals = std::collections::BTreeMap<walbook::change::CountKey, i64>;

/// A book with some commits, the run that owns it, and its counts.
fn book() -> (MemoryStore, walbook::book::Committer, Totals) {
    let store = MemoryStore::new();
    let (mut committer, mut totals) = start(&store).expect("nothing strikes");
    for _ in 0..3 {
        commit(&store, &mut committer, &mut totals).expect("nothing strikes");
    }
    (store, committer, totals)
}

/// A book that was swept once.
fn swept_book() -> (MemoryStore, walbook::book::Committer, Totals) {
    let (store, mut committer, mut totals) = book();
    pass_checkpoints(&store, &mut committer, &mut totals).expect("nothing strikes");
    assert!(matches!(sweep(&committer), Ok(Sweep::Swept { .. })));
    (store, committer, totals)
}

/// The operations of some work, but for those of bytes.
fn operations<T>(begin: impl Fn() -> MemoryStore, work: impl Fn(&MemoryStore) -> T) -> Vec<(usize, String)> {
    let process = begin().process();
    drop(work(&process));
    let operations = process.operations().into_iter().enumerate();
    operations.filter(|(_, name)| !name.starts_with("write")).collect()
}

#[test]
fn a_run_that_was_fenced_while_it_swept_changes_nothing() {
    let sleeper = |store: &MemoryStore| -> Result<(), BookError> {
        let (mut committer, mut totals) = start(store)?;
        pass_checkpoints(store, &mut committer, &mut totals)?;
        sweep(&committer)?;
        commit(store, &mut committer, &mut totals)
    };
    let begin = || swept_book().0;
    let all = operations(begin, sleeper);
    let fence = all.iter().position(|(_, name)| name.starts_with("link _walbook/log/")).expect("it fences");
    let last_put = all.iter().rposition(|(_, name)| name.starts_with("link _walbook/log/")).expect("it puts");
    for (place, (number, name)) in all.iter().enumerate().skip(fence + 1) {
        let context = format!("asleep before operation {number} ({name})");
        let disk = begin();
        let sleeping = Sleeper::before(&disk, *number, &context, sleeper).asleep();
        let awake = disk.process();
        let (mut successor, mut totals) = start(&awake).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        pass_checkpoints(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        let swept = sweep(&successor).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        assert!(matches!(swept, Sweep::Swept { .. }), "{context}: {swept:?}");
        let seen = next(successor.state());
        check_log(&disk, &seen, &context);
        match sleeping.wake() {
            Err(error) => assert_eq!(error.exit_code(), 4, "{context}: {error:?}"),
            Ok(()) => assert!(place > last_put, "{context}: it went on"),
        }
        check_log(&disk, &seen, &context);
        commit(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: disturbed: {error:?}"));
        pass_checkpoints(&awake, &mut successor, &mut totals).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        sweep(&successor).unwrap_or_else(|error| panic!("{context}: {error:?}"));
        check_swept(&disk, &context);
        check_log(&disk, &next(successor.state()), &context);
        check_recovery(&disk.process(), &next(successor.state()), &context);
    }
}

fn declare(store: &MemoryStore) -> Result<String, BookError> {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let change =
        ViewChange::Declare("CREATE VIEW v AS SELECT day, count(*) AS changes FROM changes GROUP BY day".to_owned());
    change_view(&store, &versions(), &change, &|| BookError::NoBook { path: "a disk in memory".into() })
}

#[test]
fn a_process_beside_the_run_cannot_put_an_entry_whose_number_was_swept() {
    let mut strikes = Strikes::default();
    for (number, name) in operations(|| book().0, declare) {
        let context = format!("asleep before operation {number} ({name})");
        let (store, mut committer, mut totals) = book();
        let sleeping = Sleeper::before(&store, number, &context, declare).counted(&mut strikes);
        // The run goes on for so long that the number of the sleeper's entry is swept.
        for _ in 0..2 {
            pass_checkpoints(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        sweep(&committer).unwrap_or_else(|error| panic!("{context}: {error}"));
        let ended = sleeping.wake();
        match ended {
            Ok(name) => assert_eq!(name, "v", "{context}"),
            // It was in the log before it slept.
            Err(BookError::View { .. }) => {}
            Err(error) => panic!("{context}: {error:?}"),
        }
        let folded = check_log(&store, &next(committer.state()), &context);
        assert!(folded.state.views.contains_key("v"), "{context}: the view is declared");
        check_swept(&store, &context);
        committer.follow_log().unwrap_or_else(|error| panic!("{context}: {error}"));
        commit(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
        check_recovery(&store.process(), &next(committer.state()), &context);
    }
    strikes.assert_most_hit();
}

#[test]
fn a_start_that_sleeps_until_its_fence_was_swept_does_not_own_the_book() {
    let open = |store: &MemoryStore| start(store).map(drop);
    let mut strikes = Strikes::default();
    let (mut owners, mut fenced) = (0, 0);
    let all = operations(|| book().0, open);
    let fence = all.iter().position(|(_, name)| name.starts_with("link _walbook/log/")).expect("it fences");
    for (number, name) in &all[..=fence] {
        let context = format!("asleep before operation {number} ({name})");
        let (store, mut committer, mut totals) = book();
        let sleeping = Sleeper::before(&store, *number, &context, open).counted(&mut strikes);
        for _ in 0..2 {
            pass_checkpoints(&store, &mut committer, &mut totals).unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        sweep(&committer).unwrap_or_else(|error| panic!("{context}: {error}"));
        let seen = next(committer.state());
        let ended = sleeping.wake();
        check_log(&store, &seen, &context);
        let committed = commit(&store, &mut committer, &mut totals);
        match (ended, committed) {
            (Ok(()), Err(error)) => {
                owners += 1;
                assert_eq!(error.exit_code(), 4, "{context}: {error:?}");
            }
            (Err(error), Ok(())) => {
                fenced += 1;
                assert_eq!(error.exit_code(), 4, "{context}: {error:?}");
            }
            both => panic!("{context}: one of two owns the book: {both:?}"),
        }
        check_recovery(&store.process(), &seen, &context);
    }
    assert!(owners > 0 && fenced > 0, "{owners} starts owned the book, {fenced} did not");
    strikes.assert_most_hit();
}

#[test]
fn a_reader_that_sleeps_while_entries_are_swept_sees_the_whole_log() {
    let read = |store: &MemoryStore| -> Result<walbook::book::State, BookError> {
        Ok(Book::open(Arc::new(store.clone()), settings(), versions())?.state().clone())
    };
    for begin in [book, swept_book] {
        let mut strikes = Strikes::default();
        for (number, name) in operations(|| begin().0, read) {
            let context = format!("asleep before operation {number} ({name})");
            let (store, mut committer, mut totals) = begin();
            let before = committer.state().entries;
            let sleeping = Sleeper::before(&store, number, &context, read).counted(&mut strikes);
            for of in all_days() {
                compact(&mut committer, of).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            for _ in 0..2 {
                pass_checkpoints(&store, &mut committer, &mut totals)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                sweep(&committer).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            let state = sleeping.wake();
            // Files that were merged or appeared meanwhile may make a start fail; it never sees another log.
            match state {
                Ok(state) => {
                    assert!(
                        (before..=committer.state().entries).contains(&state.entries),
                        "{context}: {}",
                        state.entries
                    );
                    if state.entries == committer.state().entries {
                        assert_eq!(next(&state), next(committer.state()), "{context}");
                        assert_eq!(state.digest, committer.state().digest, "{context}");
                    }
                }
                Err(error) => assert!(matches!(error, BookError::Swept { .. }), "{context}: {error:?}"),
            }
        }
        strikes.assert_most_hit();
    }
    // A fence after that names what is there.
    let (store, ..) = swept_book();
    let book = Book::open(Arc::new(store.clone()), settings(), versions()).expect("a book");
    book.fence(|state| Ok::<_, BookError>(new_topics(state))).expect("nobody else has it");
}
