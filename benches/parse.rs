//! How long does one record take to open, read and date, by shape of its value?
//!
//! Data: one change of pgbench (328 bytes in Connect's envelope with schema) in each shape, a change full of JSON escapes, and
//! what is refused. One record over and over: the branches are predicted and the caches warm, so these are the parser's own
//! costs and nothing else's.
//!
//! Run: `cargo bench --bench parse`

use std::hint::black_box;

use chrono_tz::Tz;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use walbook::parse::{Content, DayFrom, DayRule, Envelope, Statement, read_line};

fn line() -> String {
    let filler = " ".repeat(84);
    format!(
        "table public.pgbench_accounts: UPDATE: aid[integer]:81234 bid[integer]:1 abalance[integer]:-1234 filler[character]:'{filler}'"
    )
}

fn schema(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(kind, name)| format!(r#"{{"type":"{kind}","optional":true,"field":"{name}"}}"#)).collect();
    format!(r#"{{"type":"struct","fields":[{}],"optional":false}}"#, fields.join(","))
}

fn values() -> Vec<(&'static str, String)> {
    let line = line();
    let plain = json!({ "data": line }).to_string();
    let placed = format!(r#"{{"lsn":"0/BA5A8E0","xid":10299,"data":{}}}"#, json!(line));
    let escaped = "table public.notes: INSERT: id[integer]:7 body[jsonb]:'{\"a\": \"b\", \"c\": \"d\"}' text[text]:'one\ntwo\nthree'";
    let connect =
        |fields: &[(&str, &str)], payload: &str| format!(r#"{{"schema":{},"payload":{payload}}}"#, schema(fields));
    let data = ("string", "data");
    vec![
        ("connect with schema", connect(&[data], &plain)),
        ("connect with schema, lsn, xid", connect(&[("string", "lsn"), ("int64", "xid"), data], &placed)),
        ("connect with schema, BEGIN", connect(&[data], r#"{"data":"BEGIN 693"}"#)),
        ("connect with schema, escapes", connect(&[data], &json!({ "data": escaped }).to_string())),
        ("connect without schema", plain.clone()),
        (
            "capture",
            format!(
                r#"{{"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":{}}}"#,
                json!(line)
            ),
        ),
        ("struct", format!("Struct{{lsn=0/BA5A8E0,xid=10299,data={line}}}")),
        ("raw line", line.clone()),
        ("by serde_json: nested field", format!(r#"{{"tags":[1,2],"data":{}}}"#, json!(line))),
        (
            "reject: Debezium",
            include_str!("../tests/data/debezium.ndjson").lines().next().unwrap_or_default().to_owned(),
        ),
    ]
}

/// All that `parse` asks of a record before it touches a column.
fn read(envelope: &mut Envelope, days: &mut DayRule, value: &[u8]) -> usize {
    match envelope.open("topic", Some(value)) {
        Ok(Content::Line(line)) => {
            let table = match read_line(line.text) {
                Ok(Statement::Change { table, .. }) => table.text().len(),
                _ => 0,
            };
            let day = days.day(line.commit_time, Some(1_795_352_197_698_000), None);
            table + day.map_or(0, |day| usize::from(day.days() > 0))
        }
        _ => 0,
    }
}

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
    group.bench_function("read a line", |bench| bench.iter(|| read_line(black_box(&line)).is_ok()));
    let quoted = line.replace("pgbench_accounts", "\"Pgbench \"\"accounts\"\"\"");
    group
        .bench_function("read a line with a quoted name", |bench| bench.iter(|| read_line(black_box(&quoted)).is_ok()));
    let mut days = DayRule::new(Tz::Europe__Berlin, DayFrom::Kafka);
    let mut time = 1_795_352_197_698_000;
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
