//! A process of a cluster that cannot reach Kafka is a fault of the cluster, though the others can.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::book::Book;
use crate::broker::Broker;
use crate::client::{ask, get};
use crate::cluster::{PARTITIONS, hosts};
use crate::environment;
use crate::gate::Gate;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

/// A broker behind a gate, and a topic on it.
fn topic_behind_gate(name: &str) -> (Broker, Gate, Topic) {
    let gate = Gate::new();
    let broker = Broker::start_behind(name, &gate);
    let topic = Topic::nowhere(gate.address.to_string(), name, PARTITIONS);
    topic.make(&[]);
    (broker, gate, topic)
}

#[test]
fn a_process_that_does_not_reach_kafka_at_the_start_ends_all_before_the_book_is_taken_over() {
    let (_broker, gate, topic) = topic_behind_gate("reach_start");
    topic.produce(inserts(400, PARTITIONS));
    let folder = environment::folder("hosts");
    let book = Book::new("reach_start");
    book.run_to_end(&[&topic], &[]);
    let fences = book.fences();
    let path = hosts(folder.path());
    let hosts = path.to_str().expect("temporary folders have plain names");
    let start = |index| book.run(&[&topic], &["-n", "2", "-p", index, "-w", "2", "--hosts", hosts]);
    let one = start("1");
    gate.cut_off(one.id());
    let zero = start("0");
    let ended = one.wait(Duration::from_secs(60));
    ended.expect_code(1);
    ended.expect_said(&[&format!("no answer from Kafka at {} within 2", gate.address)]);
    let ended = zero.wait(Duration::from_secs(15));
    ended.expect_code(1);
    ended.expect_said(&["waiting until process 1 (", "of the cluster failed: no answer from Kafka at "]);
    assert_eq!(book.fences(), fences, "the book is as it was");
    book.verify();
}

#[test]
fn a_process_that_loses_kafka_is_named_until_it_reaches_it_again() {
    let (_broker, gate, topic) = topic_behind_gate("reach_lost");
    let folder = environment::folder("hosts");
    let book = Book::new("reach_lost");
    topic.produce(inserts(400, PARTITIONS));
    let path = hosts(folder.path());
    let hosts = path.to_str().expect("temporary folders have plain names");
    let cluster = ["-n", "2", "-w", "2", "--commit-interval", "500ms", "--hosts", hosts];
    let mut one = book.run(&[&topic], &[&cluster, ["-p", "1"].as_slice()].concat());
    let (mut zero, page) = book.serve_run(&[&topic], &[&cluster, ["-p", "0"].as_slice()].concat());
    book.await_total(400, &mut zero);
    assert_eq!(get(page, "/healthz").text(), "ok\n");

    gate.cut_off(one.id());
    topic.produce(inserts(400, PARTITIONS));
    let began = Instant::now();
    let health = loop {
        let health = ask(page, "GET", "/healthz", &[]);
        if health.status == 503 {
            break health.json();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{}", health.text());
        thread::sleep(Duration::from_millis(100));
    };
    let message = health["error"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("process 1 (127.0.0.1:") && message.contains("has not reached what it reads"),
        "{message}"
    );
    let status = get(page, "/api/status").json();
    let reason = status["state_reason"].as_str().expect("a reason");
    assert_eq!(status["state"], "disconnected");
    assert!(reason.starts_with("process 1 ("), "{reason}");
    assert_eq!(status["cluster"]["processes"][0]["source_error"], Value::Null);
    one.await_said("this process does not reach what it reads");
    zero.await_said("does not reach what it reads");
    // The partitions of the first one are read and committed.
    book.await_total(600, &mut zero);

    gate.admit(one.id());
    book.await_total(800, &mut zero);
    let began = Instant::now();
    while ask(page, "GET", "/healthz", &[]).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", ask(page, "GET", "/healthz", &[]).text());
        thread::sleep(Duration::from_millis(100));
    }
    zero.signal("TERM");
    for process in [zero, one] {
        process.wait(Duration::from_secs(60)).expect_code(0);
    }
    assert_same("after all", &book.counts(), &inserted(800));
    book.verify();
}
