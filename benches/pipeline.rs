//! How does a whole run — read, parse, count, write, commit — from memory scale with the number of workers?
//!
//! Data: pgbench's records of 361 bytes in 4 partitions, seed 1, on a disk in memory; no Kafka. A commit every 8 epochs.
//!
//!     cargo bench --bench pipeline

mod scale;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scale::scaled;
use support::{MemoryRun, MemoryStore, MemoryTopic, pgbench};
use walbook::store::Store;

const RECORDS: u64 = 200_000;

fn workers(criterion: &mut Criterion) {
    let records = scaled(RECORDS, 2_000);
    let topic = MemoryTopic::new(pgbench(1, records, 4));
    let mut group = criterion.benchmark_group("pipeline");
    group.sample_size(10).throughput(Throughput::Elements(records));
    for workers in [1, 2, 4] {
        let run = MemoryRun { workers, largest_batch: 16_384, epochs_per_commit: 8, ..MemoryRun::default() };
        group.bench_function(BenchmarkId::new("workers", workers), |bencher| {
            let store = || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
            let work = |store: Arc<dyn Store>| run.run(&store, &topic).expect("nothing disturbs the run");
            bencher.iter_batched(store, work, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, workers);
criterion_main!(benches);
