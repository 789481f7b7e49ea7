//! Several processes work as one, and die as one.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::client::{ask, get};
use crate::dice::Dice;
use crate::environment;
use crate::kills::workload;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};
use crate::truth::assert_same;

const PARTITIONS: i32 = 4;
const DAY: (i64, &str) = (1_790_000_000_000, "2026-09-21");

/// Starts two processes of two workers each.
fn start(book: &Book, topic: &Topic, hosts: &Path, arguments: &[&str]) -> [Running; 2] {
    let hosts = hosts.to_str().expect("temporary folders have plain names");
    ["0", "1"]
        .map(|index| book.run(&[topic], &[&["-n", "2", "-p", index, "-w", "2", "--hosts", hosts], arguments].concat()))
}

/// A hosts file of two free ports.
fn hosts(folder: &Path) -> PathBuf {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("there are free ports"));
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().expect("it is bound").to_string());
    let path = folder.join("hosts");
    fs::write(&path, addresses.join("\n") + "\n").expect("the folder is ours");
    path
}

#[test]
fn two_processes_share_the_work_and_die_together() {
    let mut dice = Dice::throw("cluster");
    let (lines, truth_of_one) = workload("cluster");
    let topic = Topic::create_with("cluster", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let rounds = 10;
    for _ in 0..rounds {
        topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    }
    let truth = truth_of_one.on_day(DAY.1).times(rounds);
    let folder = environment::folder("hosts");

    let book = Book::new("cluster");
    for victim in [0, 1] {
        let [zero, one] = start(&book, &topic, &hosts(folder.path()), &["--commit-interval", "100ms"]);
        thread::sleep(dice.between(Duration::from_millis(500), Duration::from_millis(4000)));
        let (killed, survivor) = if victim == 0 { (zero, one) } else { (one, zero) };
        killed.kill();
        // A process that dies before it has connected is waited for during a minute.
        let ended = survivor.wait(Duration::from_secs(90));
        ended.expect_code(1);
    }

    let processes = start(&book, &topic, &hosts(folder.path()), &["--until-end"]);
    for process in processes {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("after two deaths", &book.counts(), &truth);
    book.verify();

    let whole = Book::new("cluster_whole");
    for process in start(&whole, &topic, &hosts(folder.path()), &["--until-end"]) {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("undisturbed", &whole.counts(), &truth);
    whole.verify();
}

#[test]
fn rejects_of_all_processes_are_counted_by_the_first() {
    let topic = Topic::create("cluster_rejects", PARTITIONS);
    let record = |number: i32| Record {
        partition: number % PARTITIONS,
        time: DAY.0,
        key: None,
        value: Some(if number % PARTITIONS == 0 { "table public.t: INSERT: id[integer]:1" } else { "odd" }.into()),
        headers: Vec::new(),
    };
    topic.produce((0..40).map(record));
    let (folder, book) = (environment::folder("hosts"), Book::new("cluster_rejects"));
    let [zero, one] = start(&book, &topic, &hosts(folder.path()), &["--until-end", "--fail-on-rejects"]);
    let ended = zero.wait(Duration::from_secs(120));
    ended.expect_code(1);
    // How many records were known when it was said depends on whose epoch was closed first.
    ended.expect_said(&[
        "records could not be read; to list them",
        "30 records could not be read, and --fail-on-rejects",
    ]);
    one.wait(Duration::from_secs(120)).expect_code(0);
    assert_eq!(book.query(&[])["rejects"]["in_range"], 30);
    assert_eq!(book.counts().total(), 10);
    book.verify();
}

#[test]
fn a_cluster_with_a_stopped_process_is_unhealthy_until_it_continues() {
    let (lines, truth_of_one) = workload("cluster_still");
    let topic = Topic::create_with("cluster_still", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let produce = || topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    produce();
    let folder = environment::folder("hosts");
    let book = Book::new("cluster_still");
    let serving = ["--commit-interval", "1s", "--serve", "127.0.0.1:0"];
    let [zero, mut one] = start(&book, &topic, &hosts(folder.path()), &serving);
    let address = zero.page();
    book.await_total(truth_of_one.on_day(DAY.1).total(), &mut one);
    let health = || ask(address, "GET", "/healthz", &[]);
    assert_eq!(health().status, 200);

    one.signal("STOP");
    produce();
    await_that("it is unwell", || health().status == 503);
    assert_eq!(health().json()["error"]["code"], "stuck");
    assert_eq!(get(address, "/api/status").json()["state"], "catching_up");
    assert_eq!(get(address, "/readyz").status, 200);

    one.signal("CONT");
    await_that("it is well again", || health().status == 200);
    let truth = truth_of_one.on_day(DAY.1).times(2);
    book.await_total(truth.total(), &mut one);
    for process in [zero, one] {
        process.signal("TERM");
        process.wait(Duration::from_secs(60)).expect_code(0);
    }
    assert_same("after a pause", &book.counts(), &truth);
}

fn await_that(what: &str, is: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        thread::sleep(Duration::from_millis(200));
    }
}
