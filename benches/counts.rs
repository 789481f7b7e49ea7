//! How long does a server take to answer how many changes there were, over a year of a thousand tables?
//!
//! Data: 365 days × 1 000 tables × 4 operations, all with changes: 1.46 million counts in memory. No network.
//!
//!     cargo bench --bench counts

mod scale;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Arc;
use walbook::change::{CountKey, Day, Operation, TableName};
use walbook::query::{Filter, GroupBy, RowStyle, Totals};

/// In a test of this bench, three.
const DAYS: u64 = 365;
const TABLES: usize = 1_000;

fn totals() -> Totals {
    let mut totals = Totals::default();
    for day in 0..scale::scaled(DAYS, 3) {
        let day = Day::from_days(20_454 + day as i64).expect("a day of 2026");
        for table in 0..TABLES {
            for (place, op) in Operation::ALL.into_iter().enumerate() {
                let name = Arc::new(TableName::new("public", &format!("table_{table:04}")));
                let key = CountKey { day, table: name, op };
                totals.set(&key, 1 + (table * 7 + place) as u64);
            }
        }
    }
    totals
}

fn answers(criterion: &mut Criterion) {
    let totals = totals();
    let mut group = criterion.benchmark_group("counts");
    let questions: [(&str, &[GroupBy]); 5] = [
        ("day,table,op", &GroupBy::DEFAULT),
        ("table,op", &[GroupBy::Table, GroupBy::Op]),
        ("day,op", &[GroupBy::Day, GroupBy::Op]),
        ("op", &[GroupBy::Op]),
        ("table,day,op", &[GroupBy::Table, GroupBy::Day, GroupBy::Op]),
    ];
    for (name, by) in questions {
        let text = || {
            let selection = totals.select(&Filter::default(), by).expect("a range that makes sense");
            selection
                .text(RowStyle::JsonLines, Vec::new(), Vec::new())
                .map(|piece| black_box(piece).len())
                .sum::<usize>()
        };
        group.throughput(Throughput::Bytes(text() as u64));
        group.bench_function(BenchmarkId::new("by", name), |bencher| bencher.iter(text));
    }
    group.finish();
}

criterion_group!(benches, answers);
criterion_main!(benches);
