//! Many clients of the page while its run catches up at full speed: they cost the run little and get fast answers.
//!
//! `WALBOOK_TEST_RELEASE` names a binary whose speed counts; without it the figures are only printed.

use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::client::get;
use crate::crowd::{Crowd, Figures};
use crate::dice::Dice;
use crate::environment;
use crate::lines::{self, Shape};
use crate::processor::ProcessorTime;
use crate::topic::{Record, Topic};

const PARTITIONS: i32 = 2;
const DAY_MILLIS: i64 = 86_400_000;
/// 2025-01-01; the year has 365 days.
const FIRST: i64 = 1_735_689_600_000;
const YEAR: i64 = 365;
const LAST_WEEK: i64 = YEAR - 7;

/// By how much the run's processor time may rise.
const RISE: f64 = 0.05;
/// The delay that 99 % of the answers must not exceed.
const LATEST: Duration = Duration::from_millis(50);
/// How much more memory a run may need: two snapshots of all counts, cached answers, and unread answers.
const MEMORY: u64 = 150 << 20;

/// The size of a test.
struct Size {
    days: i64,
    tables: u64,
    /// Records that the run catches up with.
    backlog: u32,
    watchers: usize,
    /// The time between two requests.
    every: Duration,
    /// Which runs have clients.
    rounds: &'static [bool],
}

const SHORT: Size = Size {
    days: 30,
    tables: 200,
    backlog: 1_500_000,
    watchers: 20,
    every: Duration::from_millis(100),
    rounds: &[false, true],
};

const LONG: Size = Size {
    days: YEAR,
    tables: 1_000,
    backlog: 60_000_000,
    watchers: 200,
    every: Duration::from_millis(20),
    // Other load of the machine should affect both alike.
    rounds: &[false, true, true, false],
};

/// The result of one run.
struct Round {
    /// The processor time of the run's own threads, and of the server's.
    run: Duration,
    server: Duration,
    took: Duration,
    peak_bytes: u64,
    crowd: Option<Figures>,
}

#[test]
fn many_clients_cost_a_run_little_and_get_fast_answers() {
    let size = if environment::is_long() { LONG } else { SHORT };
    let topic = Topic::create("load", PARTITIONS);
    let producer = topic.producer(&[("compression.type", "zstd"), ("linger.ms", "50")]);
    producer.produce(year(&size));
    let book = Book::for_speed("load");
    book.run_to_end(&[&topic], &["-w", "2"]);
    producer.produce(backlog(&size));

    let rounds: Vec<Round> = size.rounds.iter().map(|crowded| catch_up(&book, &topic, &size, *crowded)).collect();
    let (crowded, alone): (Vec<Round>, Vec<Round>) = rounds.into_iter().partition(|round| round.crowd.is_some());
    println!("alone: {}", describe(&alone, &size));
    println!("with a crowd: {}", describe(&crowded, &size));
    let rise = mean(&crowded, |round| round.run) / mean(&alone, |round| round.run) - 1.0;
    let peak = |rounds: &[Round]| rounds.iter().map(|round| round.peak_bytes).max().unwrap_or(0);
    let (peak_alone, peak) = (peak(&alone), peak(&crowded));
    let looked: Duration = crowded.iter().map(|round| round.took).sum();
    let crowd =
        crowded.into_iter().filter_map(|round| round.crowd).reduce(Figures::and).expect("one round has a crowd");
    println!(
        "the run's processor time rose by {:.1} %; {} answers: p50 {:?}, p99 {:?}; the stream: {} MB/s, silence {:?} at most",
        rise * 100.0,
        crowd.delays.len(),
        crowd.quantile(0.5),
        crowd.quantile(0.99),
        (crowd.watched_bytes >> 20) / looked.as_secs().max(1),
        crowd.longest_silence,
    );

    assert!(peak < peak_alone + MEMORY, "{} MB, alone {} MB", peak >> 20, peak_alone >> 20);
    assert!(!crowd.delays.is_empty() && crowd.longest_silence < Duration::from_secs(10), "a client got nothing");
    if environment::is_long() && environment::release_binary().is_some() {
        assert!(
            looked >= Duration::from_secs(60),
            "the clients were connected for {looked:?} only: the backlog is too short"
        );
        assert!(rise < RISE, "the run's processor time rose by {:.1} %", rise * 100.0);
        assert!(crowd.quantile(0.99) < LATEST, "p99 {:?}", crowd.quantile(0.99));
    }
}

fn mean(rounds: &[Round], time: fn(&Round) -> Duration) -> f64 {
    rounds.iter().map(|round| time(round).as_secs_f64()).sum::<f64>() / rounds.len() as f64
}

fn describe(rounds: &[Round], size: &Size) -> String {
    let records = f64::from(size.backlog);
    format!(
        "{:.0} records/s, {:.2} CPU-s per million and {:.2} of the server, {} MB at most",
        records / mean(rounds, |round| round.took),
        mean(rounds, |round| round.run) * 1e6 / records,
        mean(rounds, |round| round.server) * 1e6 / records,
        rounds.iter().map(|round| round.peak_bytes >> 20).max().unwrap_or(0),
    )
}

/// Lets a run catch up from the year to the end of the backlog, on a book of its own.
fn catch_up(year: &Book, topic: &Topic, size: &Size, crowded: bool) -> Round {
    let book = year.copy("load");
    let (mut running, address) = book.serve_run(&[topic], &["-w", "2", "--commit-interval", "2s"]);
    let began = Instant::now();
    let mut time = ProcessorTime::of(running.id());
    let mut crowd = crowded.then(|| gather(address, size));
    let (mut took, mut figures) = (Duration::ZERO, None);
    loop {
        time.look();
        let metrics = get(address, "/metrics");
        if took.is_zero() && metric(metrics.text(), "walbook_records_read_total") >= size.backlog {
            took = began.elapsed();
            figures = crowd.take().map(Crowd::end);
        }
        if metric(metrics.text(), "walbook_changes_committed_total") >= size.backlog {
            break;
        }
        expect_going_on(&mut running, began);
        thread::sleep(Duration::from_millis(100));
    }
    time.look();
    let (_, peak_bytes) = running.usage().expect("it runs");
    println!("a round {}: {took:?}, {:?} of the run", if crowded { "with a crowd" } else { "alone" }, time.run());
    Round { run: time.run(), server: time.server(), took, peak_bytes, crowd: figures }
}

fn expect_going_on(running: &mut Running, began: Instant) {
    running.expect_alive();
    assert!(began.elapsed() < Duration::from_secs(300), "it does not catch up:\n{}", running.stderr());
}

fn metric(metrics: &str, name: &str) -> u32 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// Clients that show a week, a month, a quarter and the year, and that request the year in all groupings.
fn gather(address: std::net::SocketAddr, size: &Size) -> Crowd {
    let from = ["12-25", "12-02", "12-25", "10-03", "12-25", "12-02", "12-25", "12-02", "12-25", "01-01"];
    let watched = (0..size.watchers).map(|number| format!("/api/live?from=2025-{}&to=2025-12-31", from[number % 10]));
    let sums = ["table,op", "day,op", "table", "day", "op", "day,table,op&table=public.t00?7"];
    let questions = sums.map(|by| format!("/api/counts?from=2025-01-01&to=2025-12-31&by={by}"));
    Crowd::gather(address, watched.collect(), questions.into(), size.every)
}

/// One change of each table on each of its days.
fn year(size: &Size) -> impl Iterator<Item = Record> {
    let tables = size.tables;
    let days = (0..size.days).map(move |day| day * YEAR / size.days.max(1));
    days.flat_map(move |day| (0..tables).map(move |table| change(day * DAY_MILLIS, table, "INSERT", table)))
}

/// Changes of the last week in order of arrival, with a skew over the tables.
fn backlog(size: &Size) -> impl Iterator<Item = Record> {
    let mut dice = Dice::throw("load");
    let (tables, backlog) = (size.tables, i64::from(size.backlog));
    (0..backlog).map(move |number| {
        let table = dice.below(tables).min(dice.below(tables));
        let op = dice.pick(&["INSERT", "UPDATE", "UPDATE", "UPDATE", "DELETE"]);
        let time = LAST_WEEK * DAY_MILLIS + number * 7 * DAY_MILLIS / backlog;
        change(time, table, op, number.unsigned_abs())
    })
}

fn change(after_first: i64, table: u64, op: &str, id: u64) -> Record {
    let line =
        format!("table public.t{table:04}: {op}: id[bigint]:{id} state[text]:'paid' amount[numeric]:{}.25", id % 977);
    Record {
        partition: i32::try_from(id % 2).expect("a partition"),
        time: FIRST + after_first,
        value: Some(lines::plain(Shape::Connect, &line)),
        ..Record::default()
    }
}
