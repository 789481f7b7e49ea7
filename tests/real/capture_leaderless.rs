//! A partition of the captured topic has no leader for a while: the others are written, and nothing is lost or doubled.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::Message;

use crate::book::Running;
use crate::broker::Broker;
use crate::capture::Capture;
use crate::captured::Captured;
use crate::database::Database;
use crate::environment;
use crate::topic::Topic;

const TIMEOUT: Duration = Duration::from_secs(120);
/// Enough tables that each partition has some.
const TABLES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// The partition that loses its leader.
const AWAY: i32 = 1;

/// A topic of two partitions on one broker each; the second broker may be killed.
struct TwoBrokers {
    _stays: [Broker; 2],
    leaves: Broker,
    database: Database,
    capture: Capture,
    /// A table of each partition.
    table_of: BTreeMap<i32, String>,
    /// How many rows were inserted.
    rows: usize,
}

impl TwoBrokers {
    /// Captures one row of each table.
    fn captured(name: &str) -> TwoBrokers {
        let [first, leaves, third] = Broker::cluster(name);
        first.hold_transactions();
        let database = Database::bare(&environment::postgres(), name);
        database.script(&TABLES.map(|table| format!("create table public.{table} (id int);")).concat());
        let topic = Topic::nowhere(first.addresses(), name, 2);
        topic.make_on_each(&[&[first.id], &[leaves.id]], &[]);
        Topic { partitions: 1, ..topic.of_position() }.make_on(&[first.id], &[("cleanup.policy", "compact")]);
        let capture = Capture::new(&database, &topic);
        capture.once(&["--create-slot"]);
        database.script(&TABLES.map(|table| format!("insert into public.{table} values (1);")).concat());
        capture.once(&[]);
        let mut table_of = BTreeMap::new();
        topic.each_record(&[], |record| {
            let key = String::from_utf8(record.key().expect("a key").to_vec()).expect("a table's name");
            table_of.insert(record.partition(), key.trim_start_matches("table ").to_owned());
        });
        assert_eq!(table_of.len(), 2, "all tables are in one partition");
        TwoBrokers { _stays: [first, third], leaves, database, capture, table_of, rows: TABLES.len() }
    }

    /// Inserts rows that go to a partition.
    fn insert(&mut self, partition: i32, rows: usize) {
        let table = &self.table_of[&partition];
        self.database.script(&format!("insert into {table} select generate_series(1, {rows})"));
        self.rows += rows;
    }

    /// Waits until the capture has written a position at or above the present end of the WAL.
    fn await_position(&self, running: &mut Running) {
        let (end, began) = (self.database.end(), Instant::now());
        // A record of the WAL behind it shows the capture that it has everything below.
        self.database.script("checkpoint");
        while self.database.confirmed(&self.capture.slot) < end {
            running.expect_alive();
            assert!(began.elapsed() < TIMEOUT, "nothing is confirmed up to {end:X}:\n{}", running.stderr());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn take_leader_away(&mut self) {
        self.leaves.kill();
        self.capture.topic.await_leaderless(AWAY);
    }

    fn await_capturing(&self) -> Running {
        let mut running = self.capture.start(&[]);
        running.await_said("capturing");
        running
    }
}

#[test]
fn a_partition_without_a_leader_holds_up_only_its_own_records() {
    let mut brokers = TwoBrokers::captured("leaderless");
    let mut running = brokers.await_capturing();
    brokers.take_leader_away();
    brokers.insert(0, 100);
    brokers.await_position(&mut running);
    // Without any record, and once more with records after that.
    brokers.await_position(&mut running);
    brokers.insert(0, 10);
    brokers.await_position(&mut running);
    assert!(running.stderr().contains("do not answer where they end"), "it was not said:\n{}", running.stderr());
    running.kill();

    // A start waits for the partition for a while.
    let mut running = brokers.await_capturing();
    for words in ["LEADER_NOT_AVAILABLE", "do not answer where they end"] {
        assert!(running.stderr().contains(words), "no {words:?} in:\n{}", running.stderr());
    }
    brokers.insert(0, 10);
    brokers.await_position(&mut running);

    // Its own records wait until it has a leader again.
    let before = running.stderr().len();
    brokers.insert(AWAY, 20);
    brokers.insert(0, 5);
    let began = Instant::now();
    while !running.stderr()[before..].contains("has no leader") {
        running.expect_alive();
        assert!(began.elapsed() < TIMEOUT, "it was not said why:\n{}", running.stderr());
        thread::sleep(Duration::from_millis(50));
    }
    brokers.leaves.launch();
    brokers.await_position(&mut running);
    brokers.insert(AWAY, 5);
    brokers.await_position(&mut running);
    running.signal("TERM");
    running.wait(TIMEOUT).expect_code(0);
    brokers.capture.once(&[]);
    assert_eq!(Captured::read(&brokers.capture.topic).len(), brokers.rows);
}

#[test]
fn a_partition_that_comes_back_without_captured_records_ends_the_capture() {
    let mut brokers = TwoBrokers::captured("leaderless_cut");
    let mut running = brokers.await_capturing();
    brokers.take_leader_away();
    brokers.insert(0, 10);
    brokers.await_position(&mut running);
    brokers.leaves.lose(&brokers.capture.topic.name, AWAY);
    brokers.leaves.launch();
    // The partition is looked for again with a position, at most every 10 s.
    let began = Instant::now();
    while running.is_alive() && began.elapsed() < TIMEOUT {
        brokers.insert(0, 1);
        thread::sleep(Duration::from_millis(500));
    }
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&brokers.capture.topic.name, "partition 1 was cut"]);
    brokers.capture.once_with_code(3, &[]).expect_said(&["partition 1 was cut"]);
}
