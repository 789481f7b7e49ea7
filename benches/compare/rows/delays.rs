//! Delays under an open-loop load: produced to live, and produced to durable.

use std::time::{Duration, Instant};

use super::Bench;
use crate::Outcome;
use crate::contestants::product;
use crate::contestants::served::ServedRun;
use crate::load::{Counts, Topic};
use crate::measure::delays::{CARRIED_TIME, CARRIED_WARM_UP, DRAIN_TIMEOUT, Delays, TABLES, carried_rate, table_of};
use crate::measure::live_stream::LiveStream;
use crate::measure::process_tree::cpu_of;
use crate::measure::schedule::{PARTITIONS, Schedule};
use crate::report::markdown::rate;
use crate::report::results::Measurement;
use crate::report::{LeftOut, Row};

const FIXED_RATE: u64 = 10_000;
const COMMIT_INTERVAL: &str = "1s";
const RUN_ARGUMENTS: [&str; 4] = ["-w", "2", "--commit-interval", COMMIT_INTERVAL];
/// How long the load lasts before delays are measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// The time until the first record is due, when producers are connected.
const HEAD_START: Duration = Duration::from_millis(500);

pub(super) fn latency(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let seconds = if bench.arguments.full { 60 } else { 15 };
    let full = full_speed(bench)?;
    row.input = format!(
        "open loop, every record measured from the instant at which it was due; records of 361 B (Connect), {PARTITIONS} partitions, {seconds} s a round, \
         `walbook run --serve -w 2 --commit-interval {COMMIT_INTERVAL}`; full speed is the {} records/s that the run counts while the same producers send as many as they can",
        rate(full as f64)
    );
    for _ in 0..bench.arguments.rounds_of(2) {
        for (label, rate) in [("10 000/s", FIXED_RATE), ("half of full speed", full / 2)] {
            let load_rate = rate - rate % PARTITIONS;
            let (delays, cpu, wrong) = measure_delays(bench, load_rate, seconds)?;
            add(row, label, &delays, cpu, wrong);
        }
    }
    Ok(())
}

/// Records a second that a run counts while the same machine produces as many as it can.
fn full_speed(bench: &Bench<'_>) -> Outcome<u64> {
    let topic = Topic::create(&bench.environment.brokers, "full_speed", PARTITIONS as i32)?;
    let folder = bench.environment.folder("full-speed")?;
    let run = ServedRun::start(bench.environment, &topic, folder.path(), &RUN_ARGUMENTS)?;
    let stream = LiveStream::open(run.address, TABLES, CARRIED_WARM_UP + CARRIED_TIME + DRAIN_TIMEOUT);
    let rate = carried_rate(&topic, &mut stream?)?;
    run.stop()?;
    Ok(rate)
}

/// The delays, the share of a core that the run needed, and what is wrong with its book.
fn measure_delays(bench: &Bench<'_>, rate: u64, seconds: u64) -> Outcome<(Delays, f64, Option<String>)> {
    let mut topic = Topic::create(&bench.environment.brokers, "delays", PARTITIONS as i32)?;
    let folder = bench.environment.folder("delays")?;
    let run = ServedRun::start(bench.environment, &topic, folder.path(), &RUN_ARGUMENTS)?;
    let seconds = seconds + WARM_UP.as_secs();
    let stream = LiveStream::open(run.address, TABLES, HEAD_START + Duration::from_secs(seconds) + DRAIN_TIMEOUT)?;
    let before = cpu_of(run.id())?;
    let schedule = Schedule { rate, seconds, begin: Instant::now() + HEAD_START, warm_up: WARM_UP };
    let began = Instant::now();
    let delays = Delays::measure(schedule, &topic, stream, &run.book)?;
    let cpu = cpu_of(run.id())?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    let book = run.book.clone();
    run.stop()?;
    let mut truth = Counts::default();
    for partition in 0..PARTITIONS {
        let key = (String::new(), "public".to_owned(), table_of(partition), "UPDATE".to_owned());
        truth.add(key, schedule.per_partition());
    }
    topic.truth = truth;
    let counts = product::counts(bench.environment, &book, folder.path())?.without_days();
    let wrong = counts.difference(&topic.truth);
    let wrong = wrong.or_else(|| delays.invalid());
    let wrong =
        wrong.map_or_else(|| product::verified(bench.environment, &book, folder.path()), |wrong| Ok(Some(wrong)))?;
    Ok((delays, cpu, wrong))
}

/// Adds the figures of one round.
fn add(row: &mut Row, label: &str, delays: &Delays, cpu: f64, wrong: Option<String>) {
    let quantiles = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    for (what, histogram) in [
        ("produced to live", &delays.live),
        ("produced to durable", &delays.durable),
        ("producers late", &delays.produced),
    ] {
        for (name, quantile) in quantiles {
            let millis = histogram.value_at_quantile(quantile) as f64 / 1e3;
            push(row, format!("{what} at {label}, {name}"), "ms", millis, wrong.clone());
        }
    }
    push(row, format!("CPU of the run at {label}"), "cores", cpu, wrong);
}

/// Adds a figure to the measurement of its name.
pub(super) fn push(row: &mut Row, what: String, unit: &'static str, figure: f64, wrong: Option<String>) {
    eprintln!("{what}: {figure:.3} {unit}");
    let index = row.measurements.iter().position(|known| known.what == what).unwrap_or_else(|| {
        row.measurements.push(Measurement { what, unit, figures: Vec::new(), wrong: None });
        row.measurements.len() - 1
    });
    let measurement = &mut row.measurements[index];
    measurement.figures.push(figure);
    measurement.wrong = measurement.wrong.take().or(wrong);
}
