//! How long does one record take to open, read and date, by shape of its value?
//!
//! Data: one change of pgbench (328 bytes in Connect's envelope with schema) in each shape, a change full of JSON escapes, and
//! what is refused. One record over and over: the branches are predicted and the caches warm, so these are the parser's own
//! costs and nothing else's.
//!
//! Run: `cargo bench --bench parse`

mod shapes;

use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shapes::{line, read, values};
use walbook::parse::{DayFrom, DayRule, Envelope, Statement, read_line};

fn record(criterion: &mut Criterion) {
    for (shape, value) in values() {
        let mut group = criterion.benchmark_group("record");
        group.throughput(Throughput::Bytes(value.len() as u64));
        let (mut envelope, mut days) = (Envelope::new(), DayRule::new(Tz::Europe__Berlin, DayFrom::Auto));
        group.bench_function(shape, |bench| bench.iter(|| read(&mut envelope, &mut days, black_box(value.as_bytes()))));
        group.finish();
    }
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("part");
    let line = line();
    let quoted = line.replace("pgbench_accounts", "\"Pgbench \"\"accounts\"\"\"");
    for line in [&line, &quoted] {
        assert!(
            matches!(read_line(line), Ok(Statement::Change { .. })),
            "a line that is refused is read sooner: {line}"
        );
    }
    group.bench_function("read a line", |bench| bench.iter(|| read_line(black_box(&line)).is_ok()));
    group
        .bench_function("read a line with a quoted name", |bench| bench.iter(|| read_line(black_box(&quoted)).is_ok()));
    let mut days = DayRule::new(Tz::Europe__Berlin, DayFrom::Kafka);
    let mut time = 1_795_352_197_698_000;
    assert!(days.day(None, Some(time), None).is_ok(), "a time without a day is read sooner");
    group.bench_function("day, times in order", |bench| {
        bench.iter(|| {
            time += 1_000;
            days.day(None, Some(time), None).is_ok()
        })
    });
    group.bench_function("day, times from 1000 days", |bench| {
        bench.iter(|| {
            time = (time * 31 + 7_777_777_777_777) % 86_400_000_000_000;
            days.day(None, Some(time), None).is_ok()
        })
    });
    group.finish();
}

criterion_group!(benches, record, parts);
criterion_main!(benches);
