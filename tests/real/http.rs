//! The API beside a run on a real Kafka: durable answers are the book's to the byte, and a change is soon seen.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::book::{Book, Running, counts_of};
use crate::client::{ask, get, watch};
use crate::environment;
use crate::kills::workload;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};
use crate::truth::assert_same;

const PARTITIONS: i32 = 4;
const TIME: i64 = 1_790_000_000_000;
const DAY: &str = "2026-09-21";

/// What `query` prints, with its bytes.
fn printed(book: &Book) -> String {
    let ended = book.start("query", &["--format", "json"]).wait(Duration::from_secs(60));
    ended.expect_code(0);
    ended.stdout
}

#[test]
fn durable_answers_beside_a_run_are_those_of_query_and_live_ones_run_ahead() {
    let (all, truth_of_one) = workload("http");
    let topic = Topic::create_with("http", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let book = Book::new("http");
    let (mut run, address) = book.serve_run(&[&topic], &["-w", "2", "--commit-interval", "200ms"]);
    let rounds = if environment::is_long() { 40 } else { 8 };
    let truth = truth_of_one.on_day(DAY).times(rounds);
    let (mut compared, mut last) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds {
                topic.produce(lines::records(&all, Shape::Connect, PARTITIONS, TIME));
            }
        });
        let began = Instant::now();
        loop {
            let answer = get(address, "/api/counts?level=durable");
            let query = printed(&book);
            let commit = answer.json()["complete_to"]["commit"].as_i64().expect("a commit");
            assert!(commit >= last, "answers never go back");
            last = commit;
            if query.contains(&format!("{{\"complete_to\":{{\"commit\":{commit},")) {
                assert_eq!(answer.text(), query);
                compared += 1;
            }
            let live = get(address, "/api/counts").json();
            assert_eq!(live["complete_to"]["level"], "live");
            let (live, durable) = (counts_of(&live), counts_of(&answer.json()));
            assert!(live.total() >= durable.total(), "what is live is never behind what is durable");
            if durable.total() == truth.total() {
                assert_same("durable", &durable, &truth);
                assert_same("live", &live, &truth);
                return;
            }
            run.expect_alive();
            assert!(began.elapsed() < Duration::from_secs(300), "{commit} is the last commit:\n{}", run.stderr());
        }
    });
    assert!(compared >= 3, "only {compared} answers met a query of the same commit");
    expect_caught_up(address, &mut run);
    run.signal("TERM");
    run.wait(Duration::from_secs(15)).expect_code(0);
    book.verify();
}

fn expect_caught_up(address: std::net::SocketAddr, run: &mut Running) {
    let began = Instant::now();
    loop {
        let status = get(address, "/api/status").json();
        if status["state"] == "live" && status["lag_records"] == 0 && status["complete_at"].is_string() {
            assert_eq!(status["topics"][0]["partitions"].as_array().map(Vec::len), Some(PARTITIONS as usize));
            break;
        }
        run.expect_alive();
        assert!(began.elapsed() < Duration::from_secs(20), "{status}");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(ask(address, "GET", "/healthz", &[]).status, 200);
    let metrics = get(address, "/metrics");
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    assert!(metrics.text().contains("walbook_partition_lag_records{topic="), "{}", metrics.text());
}

#[test]
fn a_change_is_soon_seen_through_the_stream() {
    let topic = Topic::create("http_fresh", PARTITIONS);
    let book = Book::new("http-fresh");
    let (run, address) = book.serve_run(&[&topic], &["-w", "2"]);
    let mut watching = watch(address, "/api/live?table=public.fresh", &[]);
    let snapshot = watching.next();
    assert!(snapshot.kind == "snapshot" && !snapshot.id.is_empty(), "{snapshot:?}");

    // Produced at fixed instants, whatever becomes of those before: change number n is seen when the count is above n.
    let changes = if environment::is_long() { 2_000 } else { 300 };
    let pause = Duration::from_millis(13);
    let producer = topic.producer(&[("linger.ms", "0")]);
    let begin = Instant::now() + Duration::from_millis(500);
    let instant = |number: u32| begin + pause * number;
    let mut delays: Vec<Duration> = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..changes {
                thread::sleep(instant(number).saturating_duration_since(Instant::now()));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
                let value = lines::plain(Shape::Connect, &format!("table public.fresh: INSERT: id[integer]:{number}"));
                let time = i64::try_from(now.as_millis()).expect("before the year 292278994");
                producer.send(&Record {
                    partition: number as i32 % PARTITIONS,
                    time,
                    value: Some(value),
                    ..Record::default()
                });
            }
            producer.flush();
        });
        let mut seen = 0;
        while seen < changes {
            let event = watching.next();
            let now = Instant::now();
            let rows = event.data["rows"].as_array().expect("rows").clone();
            let count = rows.iter().filter_map(|row| row["count"].as_u64()).max().unwrap_or(0);
            while u64::from(seen) < count {
                delays.push(now.saturating_duration_since(instant(seen)));
                seen += 1;
            }
        }
    });
    delays.sort_unstable();
    let (p50, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
    println!("produced to seen through the stream: p50 {p50:?}, p99 {p99:?}, of {changes} changes");
    assert!(p99 < Duration::from_millis(2_000), "a debug build on a busy machine is slow, but not so slow: {p99:?}");
    drop(run);
}
