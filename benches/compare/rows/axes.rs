//! One property of the input or of the run varied at a time, on `walbook -w 2`.

use super::Bench;
use super::competition::{Entrant, describe};
use crate::Outcome;
use crate::contestants::Walbook;
use crate::load::{Compression, RecordPlan, Shape, Tables};
use crate::report::{LeftOut, Row};

/// The most that the records of one topic take on the broker's disk.
const TOPIC_BYTES: u64 = 3_000_000_000;

pub(super) fn tenfold(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = bench.plan();
    let variants = [("1×", plan), ("10×", RecordPlan { records: plan.records * 10, ..plan })];
    vary(bench, row, 2, &variants)
}

pub(super) fn sizes(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    // With the schema of Kafka Connect no record has 100 B.
    let plan = RecordPlan { shape: Shape::Bare, tables: Tables::Numbered(4), ..bench.plan() };
    let of = |bytes: usize| RecordPlan { bytes, records: plan.records.min(TOPIC_BYTES / bytes as u64), ..plan };
    vary(bench, row, 5, &[("100 B", of(100)), ("361 B", of(361)), ("2 kB", of(2_000)), ("10 kB", of(10_000))])
}

pub(super) fn tables(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let of = |tables| RecordPlan { tables: Tables::Numbered(tables), ..bench.plan() };
    vary(bench, row, 5, &[("1 table", of(1)), ("100 tables", of(100)), ("10 000 tables", of(10_000))])
}

pub(super) fn days(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let of = |days| RecordPlan { days, ..bench.plan() };
    vary(bench, row, 5, &[("1 day", of(1)), ("365 days", of(365))])
}

pub(super) fn partitions(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let of = |partitions| RecordPlan { partitions, ..bench.plan() };
    vary(bench, row, 5, &[("1 partition", of(1)), ("4 partitions", of(4)), ("64 partitions", of(64))])
}

pub(super) fn compression(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let of = |compression| RecordPlan { compression, ..bench.plan() };
    vary(
        bench,
        row,
        5,
        &[("none", of(Compression::None)), ("lz4", of(Compression::Lz4)), ("zstd", of(Compression::Zstd))],
    )
}

pub(super) fn shapes(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let variants = Shape::ALL.map(|(shape, name)| (name, RecordPlan { shape, ..bench.plan() }));
    vary(bench, row, 5, &variants)
}

pub(super) fn rejects(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let of = |rejects| RecordPlan { rejects, ..bench.plan() };
    vary(bench, row, 5, &[("0 %", of(0)), ("10 %", of(100))])
}

/// A run must last for some commits: the topic has ten times the records.
pub(super) fn commits(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = RecordPlan { records: bench.plan().records * 10, ..bench.plan() };
    row.input = describe(&plan);
    let topic = bench.topic("commits", &plan)?;
    let entrants = ["1s", "10s", "60s"].map(|interval| {
        let arguments = vec!["--commit-interval".to_owned(), interval.to_owned()];
        bench.entrant(Walbook { arguments, ..Walbook::workers(2) }, &topic)
    });
    bench.compete(row, &entrants, bench.arguments.rounds_of(5));
    Ok(())
}

pub(super) fn views(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = bench.plan();
    row.input = describe(&plan);
    let topic = bench.topic("views", &plan)?;
    let entrants = [0, 1, 20].map(|views| bench.entrant(Walbook { views, ..Walbook::workers(2) }, &topic));
    bench.compete(row, &entrants, bench.arguments.rounds_of(5));
    Ok(())
}

/// One topic for each plan, read by the same walbook.
fn vary(bench: &Bench<'_>, row: &mut Row, short: u32, variants: &[(&str, RecordPlan)]) -> Outcome<()> {
    let descriptions: Vec<String> =
        variants.iter().map(|(label, plan)| format!("{label}: {}", describe(plan))).collect();
    row.input = descriptions.join("; ");
    let plans: Vec<RecordPlan> = variants.iter().map(|(_, plan)| *plan).collect();
    let topics = bench.topics(&row.name, &plans)?;
    let entrants: Vec<Entrant<'_>> = variants
        .iter()
        .zip(&topics)
        .map(|((label, _), topic)| bench.labelled(label, Walbook::workers(2), topic))
        .collect();
    bench.compete(row, &entrants, bench.arguments.rounds_of(short));
    Ok(())
}
