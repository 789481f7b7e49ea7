//! Where the processor time of a run goes, by its threads.

use super::Bench;
use super::competition::describe;
use super::delays::push;
use crate::Outcome;
use crate::contestants::{TIMEOUT, Walbook, product};
use crate::measure::threads::cpu_by_thread;
use crate::report::{LeftOut, Row};

const FETCH: &str = "fetch: librdkafka, kernel";
const WORK: &str = "workers: parse, count, encode";
const REST: &str = "others: seal, commit, clock";

pub(super) fn by_thread(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = bench.plan();
    row.input = format!("{}; `walbook run -w 2`", describe(&plan));
    let topic = bench.topic("time", &plan)?;
    for _ in 0..bench.arguments.rounds_of(3) {
        let folder = bench.environment.folder("time")?;
        let run = Walbook::workers(2).command(bench.environment, &topic, folder.path(), 0);
        let threads = cpu_by_thread(run, folder.path(), TIMEOUT)?;
        let wrong = product::wrong(bench.environment, &folder.path().join("book"), &topic, folder.path())?;
        for part in [FETCH, WORK, REST] {
            let of_part = threads.iter().filter(|(name, _)| part_of(name) == part);
            let cpu: f64 = of_part.map(|(_, cpu)| cpu.as_secs_f64()).sum();
            push(row, part.to_owned(), "ns a record", cpu * 1e9 / plan.records as f64, wrong.clone());
        }
    }
    Ok(())
}

/// What a thread does, by its name.
fn part_of(thread: &str) -> &'static str {
    match thread {
        name if name.starts_with("rdk:") => FETCH,
        name if name.starts_with("timely:") => WORK,
        _ => REST,
    }
}
