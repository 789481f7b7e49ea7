//! What do views cost: each view, each group, distinct values, a build from events, and a start with many groups?
//!
//! Data: changes of one table with an account of 2 million and an amount, seed 1, in 4 partitions, on a disk in memory; no Kafka. One
//! worker, a commit every 8 epochs.
//!
//!     cargo bench --bench views

mod scale;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scale::{is_smoke, scaled};
use support::{MemoryRun, MemoryStore, MemoryTopic, WorkloadRecord};
use walbook::book::log::entry::{BookSettings, Versions};
use walbook::book::{Book, BookError, ViewChange, change_view};
use walbook::change::GroupLimit;
use walbook::store::Store;

const RECORDS: u64 = 200_000;
/// The same in a test of this bench.
const SMOKE_RECORDS: u64 = 2_000;

/// Two group columns, a count and a sum.
const FIRST: &str = "SELECT day, new.account::bigint % 10 AS branch, count(*) AS changes, sum(new.amount::numeric(18,2)) AS amount \
     FROM shop.payment GROUP BY 1, 2";

fn records(count: u64) -> impl Iterator<Item = WorkloadRecord> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..count).map(move |number| {
        let (account, cents) = (random.u32(..2_000_000), random.u32(..1_000_000));
        let line = format!(
            "table shop.payment: INSERT: id[integer]:{number} account[integer]:{account} amount[numeric]:{}.{:02} state[text]:'paid'",
            cents / 100,
            cents % 100
        );
        WorkloadRecord {
            partition: (number % 4) as i32,
            offset: (number / 4) as i64,
            // 2026-11-22 12:00 UTC, a record every 10 µs.
            time: Some(1_795_348_800_000_000 + number as i64 * 10),
            key: None,
            value: Some(line.into_bytes()),
            headers: Vec::new(),
        }
    })
}

fn run() -> MemoryRun {
    MemoryRun { largest_batch: 16_384, epochs_per_commit: 8, ..MemoryRun::default() }
}

/// A book with these views, and nothing read.
fn book(topic: &MemoryTopic, views: &[String]) -> MemoryStore {
    let memory = MemoryStore::new();
    let store: Arc<dyn Store> = Arc::new(memory.clone());
    drop(run().begin(&store, topic).expect("a new book"));
    declare(&store, views);
    memory
}

fn declare(store: &Arc<dyn Store>, views: &[String]) {
    let no_book = || BookError::NoBook { path: "memory".into() };
    for (number, select) in views.iter().enumerate() {
        let declaration = ViewChange::Declare(format!("CREATE VIEW v{number} AS {select}"));
        change_view(store, &versions(), &declaration, &no_book).expect("a view");
    }
}

fn versions() -> Versions {
    Versions { walbook: "bench".to_owned(), parser: walbook::parse::PARSER_VERSION, tzdata: "bench".to_owned() }
}

/// How long a whole run takes with some views.
fn bench_run(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    id: BenchmarkId,
    topic: &MemoryTopic,
    views: &[String],
) {
    let empty = book(topic, views);
    group.bench_function(id, |bencher| {
        let store = || Arc::new(empty.survive(1)) as Arc<dyn Store>;
        let work = |store: Arc<dyn Store>| run().run(&store, topic).expect("nothing disturbs the run");
        bencher.iter_batched(store, work, BatchSize::PerIteration);
    });
}

fn per_view(criterion: &mut Criterion) {
    let changes = scaled(RECORDS, SMOKE_RECORDS);
    let topic = MemoryTopic::new(records(changes));
    let view = |number: usize| match number % 4 {
        0 => FIRST.replace("% 10", &format!("% {}", 10 + number)),
        1 => "SELECT day, op, count(*) AS changes FROM changes GROUP BY day, op".to_owned(),
        2 => format!(
            "SELECT max(new.amount::numeric(18,2)) AS most, count(*) AS n FROM changes WHERE new.account::bigint > {number}"
        ),
        _ => format!(
            "SELECT new.state, avg(new.amount::double precision) AS mean FROM shop.payment WHERE new.id::bigint % 20 <> {number} GROUP BY 1"
        ),
    };
    let mut group = criterion.benchmark_group("views");
    group.sample_size(10).throughput(Throughput::Elements(changes));
    for number in [0, 1, 5, 20] {
        let views: Vec<String> = (0..number).map(view).collect();
        bench_run(&mut group, BenchmarkId::new("number", number), &topic, &views);
    }
    let other = ["SELECT new.x, count(*) AS n FROM shop.other GROUP BY 1".to_owned()];
    bench_run(&mut group, BenchmarkId::new("of another table", 1), &topic, &other);
    group.finish();
}

fn per_group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("groups");
    let sizes: &[(u64, u64)] = match is_smoke() {
        true => &[(10, SMOKE_RECORDS)],
        false => &[(10, RECORDS), (1_000, RECORDS), (100_000, 1_000_000), (1_000_000, 2_000_000)],
    };
    for &(groups, changes) in sizes {
        let topic = MemoryTopic::new(records(changes));
        group.sample_size(10).throughput(Throughput::Elements(changes));
        let of = |aggregates: &str| {
            format!("SELECT new.account::bigint % {groups} AS g, {aggregates} FROM shop.payment GROUP BY 1")
        };
        let sums = of("count(*) AS n, sum(new.amount::numeric(18,2)) AS amount");
        bench_run(&mut group, BenchmarkId::new("count and sum", groups), &topic, &[sums]);
        if groups < 1_000_000 {
            let distinct = format!("SELECT count(DISTINCT new.account::bigint % {groups}) AS n FROM shop.payment");
            bench_run(&mut group, BenchmarkId::new("distinct", groups), &topic, &[distinct]);
        }
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let events = scaled(1_000_000, SMOKE_RECORDS);
    let topic = MemoryTopic::new(records(events));
    let full = book(&topic, &[]);
    run().run(&(Arc::new(full.clone()) as Arc<dyn Store>), &topic).expect("nothing disturbs the run");
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10).throughput(Throughput::Elements(events));
    for number in [1, 5] {
        let views: Vec<String> = (0..number).map(|view| FIRST.replace("% 10", &format!("% {}", 10 + view))).collect();
        group.bench_function(BenchmarkId::new("views", number), |bencher| {
            let store = || {
                let store = Arc::new(full.survive(1)) as Arc<dyn Store>;
                declare(&store, &views);
                store
            };
            let work = |store: Arc<dyn Store>| {
                let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
                let book = Book::open(store, settings, versions()).expect("a book");
                let mut committer = book.fence(|_| Ok::<_, BookError>(Default::default())).expect("nobody else has it");
                committer.take_up_views(1, GroupLimit::DEFAULT).expect("events to build from").len()
            };
            bencher.iter_batched(store, work, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// From the start of a run to its first commit, which changes a tenth of the groups.
fn restart(criterion: &mut Criterion) {
    let groups = scaled(1_000_000, SMOKE_RECORDS);
    let select = "SELECT new.id::bigint % 1000000 AS g, count(*) AS n, sum(new.amount::numeric(18,2)) AS amount FROM shop.payment GROUP BY 1";
    let topic = MemoryTopic::new(records(groups));
    let full = book(&topic, &[select.to_owned()]);
    run().run(&(Arc::new(full.clone()) as Arc<dyn Store>), &topic).expect("nothing disturbs the run");
    topic.append(records(groups + groups / 10).skip(groups as usize));
    let mut group = criterion.benchmark_group("restart");
    group.sample_size(10).throughput(Throughput::Elements(groups));
    for workers in [1, 2] {
        group.bench_function(BenchmarkId::new("workers", workers), |bencher| {
            let store = || Arc::new(full.survive(1)) as Arc<dyn Store>;
            let run = MemoryRun { workers, epochs_per_commit: u64::MAX, ..run() };
            let work = |store: Arc<dyn Store>| run.run(&store, &topic).expect("nothing disturbs the run");
            bencher.iter_batched(store, work, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, per_view, per_group, build, restart);
criterion_main!(benches);
