//! A transaction that must stay in one commit does, however many takes, epochs and workers it spans, and whatever crashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{Fault, MemoryRun, MemoryStore, MemoryTopic, Strikes, Workload, WorkloadRecord, count_naively};
use walbook::book;
use walbook::book::log::commit_log;
use walbook::change::Failure;
use walbook::store::Store;

use super::counts_match_the_loop::counts;

/// Offsets of one transaction: several takes of `LARGEST_BATCH` records.
const OFFSETS: i64 = 37;
const LARGEST_BATCH: u64 = 6;

struct World {
    records: Vec<WorkloadRecord>,
    topic: MemoryTopic,
}

impl World {
    fn new(seed: u64, records: u64) -> World {
        let workload = Workload { seed, records, days: 2, tables: 4, ..Workload::default() };
        let records: Vec<WorkloadRecord> = workload.records().collect();
        World { topic: MemoryTopic::with_transactions(records.clone(), OFFSETS), records }
    }

    /// By partition: all offsets, in order.
    fn offsets(&self) -> BTreeMap<i32, Vec<i64>> {
        let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for record in &self.records {
            offsets.entry(record.partition).or_default().push(record.offset);
        }
        offsets
    }

    /// The commits so far; none ends inside a transaction.
    fn check_borders(&self, store: &MemoryStore, context: &str) -> usize {
        let offsets = self.offsets();
        let numbers = commit_log::numbers(store).expect("a log");
        for number in &numbers {
            let logged = commit_log::read_entry(store, *number).expect("readable").expect("there");
            for (topic, read) in logged.entry.topics {
                for (partition, position) in read.positions {
                    let to = position.interval.to;
                    let split = offsets[&partition].partition_point(|offset| *offset < to);
                    let (before, after) = offsets[&partition].split_at(split);
                    if let (Some(before), Some(after)) = (before.last(), after.first()) {
                        let what =
                            format!("{context}: entry {number} ends at {to} of partition {partition} of {topic}");
                        assert_ne!(before / OFFSETS, after / OFFSETS, "{what}");
                    }
                }
            }
        }
        numbers.len()
    }

    fn check_complete(&self, store: &MemoryStore, context: &str) {
        assert_eq!(counts(store), count_naively(&self.records, chrono_tz::Tz::UTC).counts, "{context}");
        let ends: BTreeMap<i32, i64> =
            self.offsets().into_iter().map(|(partition, all)| (partition, all[all.len() - 1] + 1)).collect();
        assert_eq!(self.topic.durable(), ends, "{context}: the source hears that all of it is durable");
        let directory = tempfile::tempdir().expect("a temporary directory");
        store.write_to(directory.path()).expect("files can be written");
        let report = book::verify(directory.path(), &mut |_| {}).expect("a book to verify");
        assert!(report.ok, "{context}: {report:#?}");
    }
}

fn run(world: &World, store: &MemoryStore, run: &MemoryRun) -> Result<(), Failure> {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    run.run(&store, &world.topic)
}

#[test]
fn no_commit_ends_inside_a_transaction_on_any_number_of_workers() {
    let mut entries = 0;
    for seed in 0..8 {
        let world = World::new(seed, 1_000);
        let store = MemoryStore::new();
        let settings = MemoryRun {
            workers: 1 + seed as usize % 4,
            seed,
            largest_batch: LARGEST_BATCH,
            // Each take asks for the end of a commit, and so does each millisecond of some runs.
            epochs_per_commit: 1,
            restless: seed % 2 == 1,
            ..MemoryRun::default()
        };
        run(&world, &store, &settings).expect("nothing disturbs the run");
        let context = format!("{settings:?}");
        entries += world.check_borders(&store, &context);
        world.check_complete(&store, &context);
    }
    assert!(entries > 8 * 4, "there were commits to end: {entries} entries");
}

#[test]
fn a_crash_repeats_whole_transactions_and_loses_none() {
    let undisturbed = World::new(1, 240);
    let settings = |workers, seed| MemoryRun {
        workers,
        seed,
        largest_batch: LARGEST_BATCH,
        epochs_per_commit: 2,
        ..MemoryRun::default()
    };
    // How many commits a run makes depends on its threads: the shortest of several runs is planned with.
    let runs = (0..5).map(|_| {
        let store = MemoryStore::new();
        run(&undisturbed, &store, &settings(2, 7)).expect("nothing strikes");
        undisturbed.check_complete(&store, "undisturbed");
        store.operations()
    });
    let operations = runs.min_by_key(Vec::len).expect("there are runs");
    let is_change = |name: &String| !["list", "read", "look-up"].iter().any(|verb| name.starts_with(verb));
    let step = if std::env::var_os("WALBOOK_LONG").is_some() { 1 } else { 9 };
    let strikes = (0..operations.len()).filter(|number| is_change(&operations[*number])).step_by(step);
    let mut struck = Strikes::default();
    for (turn, number) in strikes.enumerate() {
        let world = World::new(1, 240);
        let fault = if turn % 2 == 0 { Fault::CrashBefore } else { Fault::CrashAfter };
        let store = MemoryStore::new();
        store.strike(number, fault.clone());
        // Where threads race, the operation may come after the end.
        let _ = run(&world, &store, &settings(2, 7));
        struck.count(&store);
        let disk = store.survive(turn as u64 % 6);
        let workers = [1, 3, 2, 4][turn % 4];
        let context = format!("{fault:?} at operation {number}, then {workers} workers");
        run(&world, &disk, &settings(workers, turn as u64)).unwrap_or_else(|error| panic!("{context}: {error}"));
        world.check_borders(&disk, &context);
        world.check_complete(&disk, &context);
    }
    struck.assert_most_hit();
}
