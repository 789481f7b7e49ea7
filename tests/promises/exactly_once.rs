//! Whatever crashes, forgets or sleeps, and with however many workers the next run starts: each record counts once.

use std::sync::Arc;
use std::thread;

use crate::support::{
    Fault, MemoryRun, MemoryStore, MemoryTopic, Pause, Strikes, Workload, WorkloadRecord, count_naively,
};
use walbook::book;
use walbook::book::log::entry::Versions;
use walbook::book::{BookError, ViewChange, change_view};
use walbook::change::{Failure, FailureKind, GroupLimit};
use walbook::parse::PARSER_VERSION;
use walbook::store::Store;

use super::counts_match_the_loop::counts;

type Ended = Result<(), Failure>;

/// A small topic over a few days, and what is right about it.
struct World {
    records: Vec<WorkloadRecord>,
    topic: MemoryTopic,
    views: &'static [&'static str],
    most_groups: u64,
}

/// Groups with and without a day, of all tables and of one; counts, sums, extremes and distinct values.
const VIEWS: &[&str] = &[
    "CREATE VIEW daily AS SELECT day, op, count(*) AS changes, max(new.id::bigint) AS id, count(DISTINCT key.id) AS rows \
     FROM changes GROUP BY day, op",
    "CREATE VIEW whole AS SELECT count(*) AS changes, sum(new.id::bigint) AS ids, avg(new.id::double precision) AS mean, \
     count(DISTINCT \"table\") FILTER (WHERE op = 'INSERT') AS tables FROM changes",
];

impl World {
    fn new(seed: u64) -> World {
        let workload = Workload { seed, records: 240, days: 3, tables: 4, ..Workload::default() };
        let records: Vec<WorkloadRecord> = workload.records().collect();
        World { topic: MemoryTopic::new(records.clone()), records, views: &[], most_groups: GroupLimit::DEFAULT }
    }

    fn run(&self, store: &MemoryStore, workers: usize, seed: u64) -> Ended {
        let view_max_groups = self.most_groups;
        let run = MemoryRun {
            workers,
            seed,
            largest_batch: 40,
            epochs_per_commit: 2,
            view_max_groups,
            ..MemoryRun::default()
        };
        let store: Arc<dyn Store> = Arc::new(store.clone());
        if !self.views.is_empty() {
            run.begin(&store, &self.topic)?;
        }
        let no_book = || BookError::NoBook { path: "memory".into() };
        let versions = Versions { walbook: "test".to_owned(), parser: PARSER_VERSION, tzdata: "test".to_owned() };
        for declaration in self.views {
            match change_view(&store, &versions, &ViewChange::Declare((*declaration).to_owned()), &no_book) {
                // An earlier run has declared it.
                Err(BookError::View { .. }) => {}
                declared => drop(declared?),
            }
        }
        run.run(&store, &self.topic)
    }

    /// Recounts everything: verify's checks on real files, and the counts against the loop.
    fn check(&self, store: &MemoryStore, context: &str) {
        let truth = count_naively(&self.records, chrono_tz::Tz::UTC);
        assert_eq!(counts(store), truth.counts, "{context}");
        let directory = tempfile::tempdir().expect("a temporary directory");
        store.write_to(directory.path()).expect("files can be written");
        let report = book::verify(directory.path(), &mut |_| {}).expect("a book to verify");
        assert!(report.ok, "{context}: {report:#?}");
        let views = report.checks.iter().filter(|check| check.name == "views").count();
        assert_eq!(views, usize::from(!self.views.is_empty()), "{context}: views are compared");
    }
}

/// Operations that change the disk are worth a strike; a few in plain runs, all with `WALBOOK_LONG=1`.
fn strikes(operations: &[String]) -> Vec<usize> {
    let is_change = |name: &String| !["list", "read", "look-up"].iter().any(|verb| name.starts_with(verb));
    let step = if std::env::var_os("WALBOOK_LONG").is_some() { 1 } else { 5 };
    (0..operations.len()).filter(|number| is_change(&operations[*number])).step_by(step).collect()
}

/// The operations of the shortest of several runs: how many commits a run makes depends on its threads.
fn undisturbed(world: &World) -> Vec<String> {
    let runs = (0..5).map(|_| {
        let store = MemoryStore::new();
        world.run(&store, 2, 7).expect("nothing strikes");
        world.check(&store, "undisturbed");
        store.operations()
    });
    runs.min_by_key(Vec::len).expect("there are runs")
}

#[test]
fn a_crash_at_any_operation_loses_and_repeats_nothing() {
    crash_at_each_operation(&World::new(1));
}

#[test]
fn a_crash_at_any_operation_leaves_views_as_the_events_have_them() {
    crash_at_each_operation(&World { views: VIEWS, ..World::new(3) });
}

fn crash_at_each_operation(world: &World) {
    let mut struck = Strikes::default();
    for (turn, number) in strikes(&undisturbed(world)).into_iter().enumerate() {
        let fault = if turn % 2 == 0 { Fault::CrashBefore } else { Fault::CrashAfter };
        let store = MemoryStore::new();
        store.strike(number, fault.clone());
        // Where threads race, the operation may come after the end.
        let _ = world.run(&store, 2, 7);
        struck.count(&store);
        let disk = store.survive(turn as u64 % 6);
        let workers = [1, 3, 2][turn % 3];
        let context = format!("{fault:?} at operation {number}, then {workers} workers");
        world.run(&disk, workers, turn as u64).unwrap_or_else(|error| panic!("{context}: {error}"));
        world.check(&disk, &context);
    }
    struck.assert_most_hit();
}

/// How many groups and distinct values the views of a book have.
fn groups(store: &MemoryStore) -> u64 {
    let directory = tempfile::tempdir().expect("a temporary directory");
    store.write_to(directory.path()).expect("files can be written");
    let snapshot = book::Snapshot::take(directory.path()).expect("a book");
    snapshot.state().views.values().map(|view| view.kept_rows()).sum()
}

#[test]
fn views_beyond_their_limit_end_the_run_before_the_commit() {
    let world = |most_groups, views| World { views, most_groups, ..World::new(5) };
    let complete = MemoryStore::new();
    world(GroupLimit::DEFAULT, VIEWS).run(&complete, 2, 1).expect("nothing disturbs it");
    let all = groups(&complete);
    for workers in [1, 3] {
        let (live, built) = (MemoryStore::new(), MemoryStore::new());
        world(GroupLimit::DEFAULT, &[]).run(&built, workers, 1).expect("no view is declared");
        for most in [0, all / 4, all - 1] {
            for store in [&live, &built] {
                let error = world(most, VIEWS).run(store, workers, most).expect_err("there are more groups");
                assert_eq!(error.kind(), FailureKind::Usage, "{error}");
                let message = format!("which is more than --view-max-groups {most}: drop the view");
                // The largest one is named; after an epoch of one record both have two.
                let named = if most == 0 { "view " } else { "view daily has " };
                assert!(error.to_string().starts_with(named) && error.to_string().contains(&message), "{error}");
                assert!(groups(store) <= most, "no commit has more groups than {most}");
            }
        }
        for store in [live, built] {
            let enough = world(all, VIEWS);
            enough.run(&store, workers, 9).expect("as many groups as there may be");
            enough.check(&store, "after the limit was raised");
            assert_eq!(groups(&store), all);
            world(all - 1, VIEWS).run(&store, workers, 1).expect_err("a start with more groups than there may be");
        }
    }
}

#[test]
fn a_run_that_slept_beside_its_successor_is_fenced_and_changes_nothing() {
    sleep_at_each_operation(&World::new(2));
}

#[test]
fn a_run_that_slept_leaves_views_as_the_events_have_them() {
    sleep_at_each_operation(&World { views: VIEWS, ..World::new(4) });
}

fn sleep_at_each_operation(world: &World) {
    let (mut fenced, mut struck) = (0, Strikes::default());
    for (turn, number) in strikes(&undisturbed(world)).into_iter().enumerate() {
        let context = format!("asleep at operation {number}");
        let store = MemoryStore::new();
        let pause = Pause::new();
        store.strike(number, Fault::Sleep(pause.clone()));
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                let ended = world.run(&store, 2, 7);
                pause.pass();
                ended
            });
            pause.wait();
            let successor = world.run(&store.process(), 1 + turn % 3, turn as u64);
            pause.wake();
            let slept = sleeper.join().expect("the sleeper does not panic");
            match (&slept, &successor) {
                (Ok(()), Ok(())) => {}
                (Err(failure), Ok(())) => {
                    assert_eq!(failure.kind(), FailureKind::Fenced, "{context}: {failure}");
                    fenced += 1;
                }
                // It slept before its own fence, which then came second: the newest run wins.
                (Ok(()), Err(failure)) => assert_eq!(failure.kind(), FailureKind::Fenced, "{context}: {failure}"),
                (Err(slept), Err(error)) => panic!("{context}: both ended: {slept}; {error}"),
            }
        });
        struck.count(&store);
        world.check(&store, &context);
    }
    struck.assert_most_hit();
    assert!(fenced > 0, "no sleeper was fenced");
}
