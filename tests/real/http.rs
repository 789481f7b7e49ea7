//! The API beside a run on a real Kafka: durable answers are the book's to the byte, and live ones run ahead.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::book::{Book, Running, counts_of};
use crate::client::{ask, get};
use crate::environment;
use crate::kills::workload;
use crate::lines::{self, Shape};
use crate::succession::inserts;
use crate::topic::Topic;
use crate::truth::assert_same;

const PARTITIONS: i32 = 4;
const TIME: i64 = 1_790_000_000_000;
const DAY: &str = "2026-09-21";

/// The exact output of `query`.
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
            assert!(live.total() >= durable.total(), "live counts are never behind durable ones");
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

#[test]
fn complete_at_does_not_advance_while_a_transaction_is_open() {
    let mut topic = Topic::create("http_open", 1);
    let producer = topic.producer(&[("transactional.id", &topic.name)]);
    producer.init_transactions();
    producer.begin();
    producer.produce(inserts(10, 1));
    producer.commit();
    let book = Book::new("http_open");
    let (mut run, address) = book.serve_run(&[&topic], &["--commit-interval", "200ms"]);
    let mut await_status = |what: &str, is: &dyn Fn(&Value) -> bool| {
        let began = Instant::now();
        loop {
            let status = get(address, "/api/status").json();
            if is(&status) {
                return status;
            }
            run.expect_alive();
            assert!(began.elapsed() < Duration::from_secs(30), "not {what}: {status:#}");
            thread::sleep(Duration::from_millis(100));
        }
    };
    await_status("complete", &|status| status["complete_at"].is_string() && status["state"] == "live");
    producer.begin();
    producer.produce(inserts(10, 1));
    producer.flush();
    let opened = rfc3339_now();
    let said =
        |status: &Value| status["state_reason"].as_str().is_some_and(|why| why.contains("a transaction is open"));
    let status = await_status("told", &said);
    assert_eq!((&status["state"], &status["lag_records"]), (&"live".into(), &0.into()), "{status:#}");
    let complete_at = status["complete_at"].as_str().expect("it was known before").to_owned();
    // The last query before the flush was at most a second before this test read its clock.
    assert!(complete_at < opened, "{complete_at} is not before {opened}");
    producer.commit();
    let is_whole = |status: &Value| status["complete_at"].as_str().is_some_and(|at| at > opened.as_str());
    let status = await_status("whole", &is_whole);
    assert_eq!((&status["state"], &status["state_reason"]), (&"live".into(), &Value::Null), "{status:#}");
    assert_eq!(get(address, "/api/counts?by=table").json()["rows"][0]["count"], 20);
    // A new partition is reported before the run has discovered it, and the brokers answer all the time.
    topic.grow(2);
    let grown = Instant::now();
    let is_known = |status: &Value| {
        assert_ne!(status["state"], "disconnected", "{status:#}");
        status["topics"][0]["partitions"][1]["read_to"].is_string()
    };
    await_status("grown", &is_known);
    let took = grown.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}: the run itself discovers partitions every ten seconds");
    run.signal("TERM");
    run.wait(Duration::from_secs(15)).expect_code(0);
}

/// Now, as the API writes it.
fn rfc3339_now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    walbook::book::rfc3339(i64::try_from(now.as_micros()).expect("it is before the year 292 000"))
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
