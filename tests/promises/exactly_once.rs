//! Whatever crashes, forgets or sleeps, and with however many workers the next run starts: each record counts once.

use std::sync::Arc;
use std::thread;

use crate::support::{
    Fault, MemoryRun, MemoryStore, MemoryTopic, Pause, Strikes, Workload, WorkloadRecord, count_naively,
};
use walbook::book;
use walbook::change::{Failure, FailureKind};
use walbook::store::Store;

use super::counts_match_the_loop::counts;

type Ended = Result<(), Failure>;

/// A small topic over a few days, and what is right about it.
struct World {
    records: Vec<WorkloadRecord>,
    topic: MemoryTopic,
}

impl World {
    fn new(seed: u64) -> World {
        let workload = Workload { seed, records: 240, days: 3, tables: 4, ..Workload::default() };
        let records: Vec<WorkloadRecord> = workload.records().collect();
        World { topic: MemoryTopic::new(records.clone()), records }
    }

    fn run(&self, store: &MemoryStore, workers: usize, seed: u64) -> Ended {
        let run = MemoryRun { workers, seed, largest_batch: 40, epochs_per_commit: 2, ..MemoryRun::default() };
        let store: Arc<dyn Store> = Arc::new(store.clone());
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
    let world = World::new(1);
    let mut struck = Strikes::default();
    for (turn, number) in strikes(&undisturbed(&world)).into_iter().enumerate() {
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

#[test]
fn a_run_that_slept_beside_its_successor_is_fenced_and_changes_nothing() {
    let world = World::new(2);
    let (mut fenced, mut struck) = (0, Strikes::default());
    for (turn, number) in strikes(&undisturbed(&world)).into_iter().enumerate() {
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
