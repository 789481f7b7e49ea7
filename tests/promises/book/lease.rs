//! Who stands by sees by the lease whether the run that owns the book lives; the lease itself decides nothing.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Fault, MemoryStore};
use walbook::book::{Book, BookError, Committer, Lease, LeaseWatch, Vacancy};
use walbook::store::{Store, layout};

use super::world::{commit, new_topics, settings, versions};

const TIMEOUT: Duration = Duration::from_secs(15);
const RENEWAL: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(200);

/// Takes the book over; returns the lease, too.
fn own(store: &MemoryStore) -> (Committer, Lease) {
    let (mut lease, store) = (None, Arc::new(store.clone()));
    let book = Book::open(store, settings(), versions()).expect("a book, or a place for one");
    let owned = book.fence_with_lease(|state| Ok::<_, BookError>(new_topics(state)), |owned| lease = Some(owned));
    (owned.expect("nothing strikes"), lease.expect("it owns the book"))
}

/// A watch, and its clock.
struct Standby {
    watch: LeaseWatch,
    now: Instant,
}

impl Standby {
    fn new(store: &MemoryStore) -> Standby {
        Standby { watch: LeaseWatch::new(Arc::new(store.clone()), TIMEOUT), now: Instant::now() }
    }

    fn look_after(&mut self, time: Duration) -> Option<Vacancy> {
        self.now += time;
        self.watch.look(self.now).expect("it can be read")
    }

    /// Looks until it is its turn, at most for a time; returns after which time that was.
    fn turn_within(&mut self, time: Duration) -> Option<(Duration, Vacancy)> {
        let begin = self.now;
        while self.now - begin < time {
            if let Some(vacancy) = self.look_after(LOOK) {
                return Some((self.now - begin, vacancy));
            }
        }
        None
    }
}

#[test]
fn a_run_has_its_book_as_long_as_it_renews_its_lease() {
    let store = MemoryStore::new();
    let (_committer, mut lease) = own(&store);
    let mut standby = Standby::new(&store);
    for _ in 0..20 {
        lease.renew("host, process 7", RENEWAL).expect("it owns the book");
        assert_eq!(standby.turn_within(TIMEOUT - LOOK), None, "renewed at the last moment");
        assert_eq!(standby.watch.holder().as_deref(), Some("host, process 7"));
    }
    let (time, vacancy) = standby.turn_within(2 * TIMEOUT).expect("it is silent for too long");
    assert!(time <= 2 * LOOK, "{time:?} after the timeout");
    assert_eq!((vacancy.newest, vacancy.silent.is_some_and(|silent| silent >= TIMEOUT)), (Some(0), true));
    assert!(standby.watch.is_unchanged().expect("it can be read"));
    lease.renew("host, process 7", RENEWAL).expect("it still owns the book");
    assert!(!standby.watch.is_unchanged().expect("it can be read"), "it lives after all");
}

#[test]
fn entries_are_signs_of_life_too() {
    let store = MemoryStore::new();
    let (mut committer, _) = own(&store);
    let (mut totals, mut seen) = (BTreeMap::new(), BTreeMap::new());
    let mut standby = Standby::new(&store);
    for _ in 0..5 {
        commit(&store, &mut committer, &mut totals, &mut seen).expect("nothing strikes");
        assert_eq!(standby.turn_within(TIMEOUT - LOOK), None);
    }
}

#[test]
fn a_lease_that_is_released_gives_the_turn_at_once() {
    let store = MemoryStore::new();
    let (mut committer, mut lease) = own(&store);
    lease.renew("host", RENEWAL).expect("it owns the book");
    let mut standby = Standby::new(&store);
    assert_eq!(standby.turn_within(TIMEOUT / 2), None);
    // The last commit and the end may come between two looks.
    commit(&store, &mut committer, &mut BTreeMap::new(), &mut BTreeMap::new()).expect("nothing strikes");
    lease.release("host").expect("it owns the book");
    let (time, vacancy) = standby.turn_within(TIMEOUT).expect("it has ended");
    assert_eq!((time, vacancy), (2 * LOOK, Vacancy { newest: Some(1), silent: None }));
    // Another run was faster, and has its own lease.
    standby.watch.begin_again();
    let (_other, mut lease) = own(&store);
    lease.renew("other", RENEWAL).expect("it owns the book");
    assert_eq!(standby.turn_within(TIMEOUT - LOOK), None);
    assert_eq!(standby.watch.holder().as_deref(), Some("other"));
}

#[test]
fn a_released_lease_gives_one_turn_and_a_standby_that_comes_later_the_same() {
    let store = MemoryStore::new();
    let (_committer, mut lease) = own(&store);
    lease.renew("host", RENEWAL).expect("it owns the book");
    lease.release("host").expect("it owns the book");
    let mut standby = Standby::new(&store);
    let (time, vacancy) = standby.turn_within(TIMEOUT).expect("it has ended");
    assert_eq!((time, vacancy), (2 * LOOK, Vacancy { newest: Some(0), silent: None }));
    standby.watch.begin_again();
    assert_eq!(standby.turn_within(TIMEOUT - LOOK), None, "another run may be about to begin");
}

#[test]
fn a_lease_that_something_else_removed_says_nothing() {
    let store = MemoryStore::new();
    let (committer, mut lease) = own(&store);
    let mut standby = Standby::new(&store);
    for _ in 0..10 {
        lease.renew("host", RENEWAL).expect("it owns the book");
        assert_eq!(standby.turn_within(RENEWAL / 2), None);
        store.remove_file(&layout::lease_path(committer.generation())).expect("it is there");
        assert_eq!(standby.turn_within(RENEWAL / 2), None);
    }
}

#[test]
fn a_book_that_is_gone_gives_no_turn() {
    let store = MemoryStore::new();
    let (_committer, _) = own(&store);
    let mut standby = Standby::new(&store);
    assert_eq!(standby.turn_within(LOOK), None);
    // As on a machine whose file system is not mounted any more.
    store.remove_file(&layout::entry_path(0)).expect("it is there");
    for _ in 0..100 {
        standby.now += LOOK;
        let error = standby.watch.look(standby.now).expect_err("there is no log");
        assert!(error.to_string().contains("could not find \"_walbook/log\""), "{error}");
    }
}

#[test]
fn a_lease_that_goes_with_its_fenced_run_gives_no_turn() {
    let store = MemoryStore::new();
    let (_one, mut lease) = own(&store);
    lease.renew("one", RENEWAL).expect("it owns the book");
    let mut standby = Standby::new(&store);
    assert_eq!(standby.turn_within(LOOK), None);
    let (_other, _lease) = own(&store);
    assert_eq!(standby.turn_within(TIMEOUT - LOOK), None, "the other one has no lease yet");
    assert!(standby.turn_within(2 * LOOK).is_some());
}

#[test]
fn a_book_without_a_lease_and_a_place_without_a_book_are_waited_for() {
    let store = MemoryStore::new();
    let mut standby = Standby::new(&store);
    let (time, vacancy) = standby.turn_within(2 * TIMEOUT).expect("there is no run");
    assert!(time > TIMEOUT && vacancy.newest.is_none(), "{time:?} {vacancy:?}");
    let (_committer, _) = own(&store);
    assert_eq!(standby.look_after(LOOK), None, "a new book is a sign of life");
    let (time, vacancy) = standby.turn_within(2 * TIMEOUT).expect("a run of an earlier version is silent");
    assert_eq!((time, vacancy.newest), (TIMEOUT, Some(0)));
}

#[test]
fn time_in_which_the_standby_was_stopped_itself_does_not_count() {
    let store = MemoryStore::new();
    let (_committer, mut lease) = own(&store);
    lease.renew("host", RENEWAL).expect("it owns the book");
    let mut standby = Standby::new(&store);
    assert_eq!(standby.turn_within(LOOK), None);
    for _ in 0..10 {
        // Both were stopped, and the standby looks first.
        assert_eq!(standby.look_after(10 * TIMEOUT), None);
        lease.renew("host", RENEWAL).expect("it owns the book");
        assert_eq!(standby.look_after(LOOK), None);
    }
}

#[test]
fn a_run_may_be_silent_for_three_of_its_own_intervals() {
    let store = MemoryStore::new();
    let (_committer, mut lease) = own(&store);
    let mut standby = Standby::new(&store);
    for _ in 0..3 {
        lease.renew("host", TIMEOUT).expect("it owns the book");
        assert_eq!(standby.turn_within(3 * TIMEOUT - LOOK), None);
    }
    assert!(standby.turn_within(2 * LOOK).is_some());
}

#[test]
fn a_fenced_run_can_neither_renew_nor_release_a_lease() {
    let store = MemoryStore::new();
    let (_one, mut fenced) = own(&store);
    fenced.renew("one", RENEWAL).expect("it owns the book");
    let (other, mut lease) = own(&store);
    lease.renew("other", RENEWAL).expect("it owns the book");
    let of_other = || store.read(&layout::lease_path(other.generation())).expect("it has one");
    let before = of_other();
    assert!(matches!(fenced.renew("one", RENEWAL), Err(BookError::Fenced { .. })));
    assert!(matches!(fenced.release("one"), Err(BookError::Fenced { .. })));
    assert_eq!(of_other(), before);
}

#[test]
fn a_renewal_that_fails_is_made_up_for_by_the_next_one() {
    let trial = MemoryStore::new();
    let (_committer, mut lease) = own(&trial);
    let before = trial.operations().len();
    lease.renew("host", RENEWAL).expect("nothing strikes");
    let operations = trial.operations().len() - before;
    assert!(operations >= 3, "it creates, writes and renames");
    for number in 0..operations {
        for fault in [Fault::Fail(ErrorKind::StorageFull), Fault::DoneButFailed(ErrorKind::Other)] {
            let store = MemoryStore::new();
            let (_committer, mut lease) = own(&store);
            let mut standby = Standby::new(&store);
            assert_eq!(standby.turn_within(LOOK), None);
            store.strike(store.operations().len() + number, fault.clone());
            // It may have been done and say otherwise.
            let _ = lease.renew("host", RENEWAL);
            assert!(store.is_struck(), "{fault:?} at {number}");
            lease.renew("host", RENEWAL).unwrap_or_else(|error| panic!("{fault:?} at {number}: {error}"));
            assert_eq!(standby.turn_within(TIMEOUT - LOOK), None, "{fault:?} at {number}");
        }
    }
}
