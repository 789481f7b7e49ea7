//! What a book costs when it has grown: its start, its queries, its verification, and a run that has nothing to do.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::Bench;
use super::competition::describe;
use super::delays::push;
use crate::Outcome;
use crate::contestants::served::ServedRun;
use crate::contestants::{Walbook, product};
use crate::load::{Counts, RecordPlan, Tables};
use crate::measure::process_tree::{cpu_of, peak_of};
use crate::measure::{Measured, measure};
use crate::report::musts::{IDLE, QUERY_MEGABYTES, QUERY_SECONDS, VERIFY_SECONDS};
use crate::report::{LeftOut, Row};

const TIMEOUT: Duration = Duration::from_secs(300);
const VERIFIED_EVENTS: u64 = 7_000_000;
/// The time until a run that has started is idle.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn year(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    // About 633 000 of the 1 095 000 possible counts.
    let plan = RecordPlan { records: 1_036_000, days: 365, tables: Tables::Numbered(1_000), ..bench.plan() };
    let topic = bench.topic("year", &plan)?;
    row.input = format!("{}; {} counts", describe(&plan), topic.truth.len());
    let (environment, folder) = (bench.environment, bench.environment.folder("year")?);
    let folder = folder.path();
    let (book, idle) = (folder.join("book"), Duration::from_secs(if bench.arguments.full { 30 } else { 10 }));
    let walbook = Walbook::workers(2);
    let first = walbook.run_into(environment, &topic, folder)?;
    let wrong = product::wrong(environment, &book, &topic, folder)?;
    push(row, "all of it read at once".to_owned(), "s", first.wall.as_secs_f64(), wrong.clone());
    push(row, "all of it read at once, peak memory".to_owned(), "MB", megabytes(&first), wrong);
    for _ in 0..bench.arguments.rounds_of(3) {
        let asked = run(product::query(environment, &book), folder)?;
        let verified = run(product::verify(environment, &book), folder)?;
        let again = walbook.run_into(environment, &topic, folder)?;
        let served = ServedRun::start(environment, &topic, folder, &["-w", "2"])?;
        thread::sleep(SETTLE);
        let before = cpu_of(served.id())?;
        thread::sleep(idle);
        let share = cpu_of(served.id())?.saturating_sub(before).as_secs_f64() / idle.as_secs_f64();
        let idle_peak = peak_of(served.id() as i32).unwrap_or(0) as f64 / 1e6;
        served.stop()?;
        // The answer that was measured, and the book that all of it has left.
        let answer = Counts::from_csv(&asked.stdout[0])?.difference(&topic.truth);
        let wrong =
            answer.map_or_else(|| product::wrong(environment, &book, &topic, folder), |wrong| Ok(Some(wrong)))?;
        let mut add = |what: &str, unit, figure| push(row, what.to_owned(), unit, figure, wrong.clone());
        add(QUERY_SECONDS, "s", asked.wall.as_secs_f64());
        add(QUERY_MEGABYTES, "MB", megabytes(&asked));
        add("verify", "s", verified.wall.as_secs_f64());
        add("verify, peak memory", "MB", megabytes(&verified));
        add("start and end of a run without new records", "s", again.wall.as_secs_f64());
        add("start and end of a run without new records, peak memory", "MB", megabytes(&again));
        add(IDLE, "%", share * 100.0);
        add("idle run, peak memory", "MB", idle_peak);
    }
    Ok(())
}

pub(super) fn verification(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = RecordPlan { records: VERIFIED_EVENTS, ..bench.plan() };
    row.input = describe(&plan);
    let topic = bench.topic("verify", &plan)?;
    let folder = bench.environment.folder("verify")?;
    let folder = folder.path();
    Walbook::workers(2).run_into(bench.environment, &topic, folder)?;
    let book = folder.join("book");
    let wrong = product::wrong(bench.environment, &book, &topic, folder)?;
    for _ in 0..bench.arguments.rounds_of(5) {
        let verified = run(product::verify(bench.environment, &book), folder)?;
        push(row, VERIFY_SECONDS.to_owned(), "s", verified.wall.as_secs_f64(), wrong.clone());
        push(row, "verify of 7 M events, CPU".to_owned(), "s", verified.cpu.as_secs_f64(), wrong.clone());
        push(row, "verify of 7 M events, peak memory".to_owned(), "MB", megabytes(&verified), wrong.clone());
    }
    Ok(())
}

/// Runs a command that must succeed.
fn run(command: Command, folder: &std::path::Path) -> Outcome<Measured> {
    let measured = measure(vec![command], folder, TIMEOUT)?;
    measured.check()?;
    Ok(measured)
}

fn megabytes(measured: &Measured) -> f64 {
    measured.peak_bytes as f64 / 1e6
}
