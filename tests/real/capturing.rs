//! Capture alone: what it writes, how it goes on, and what a book makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::book::{Book, Ended, Running};
use crate::database::Database;
use crate::environment;
use crate::topic::Topic;
use crate::truth::assert_same;

const PATIENCE: Duration = Duration::from_secs(120);

/// A capture of one database's slot into one topic.
struct Capture {
    database: Database,
    slot: String,
    topic: String,
    folder: TempDir,
}

impl Capture {
    /// A database with a slot of its name; the first start makes the topic.
    fn new(name: &str) -> Capture {
        let database = Database::create(name);
        let slot = database.script("select current_database()").trim().to_owned();
        Capture { database, topic: slot.clone(), slot, folder: environment::folder(name) }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.args(["capture", "--postgres", &self.database.url(), "--slot", &self.slot]);
        walbook.args(["--brokers", &environment::brokers(), "--topic", &self.topic]);
        walbook.args(["--create-topic", "--partitions", "3"]).args(arguments);
        Running::start(walbook, self.folder.path())
    }

    #[track_caller]
    fn once(&self) -> Ended {
        let ended = self.start(&["--once"]).wait(PATIENCE);
        ended.expect_code(0);
        ended
    }

    fn topic(&self) -> Topic {
        Topic::of_name(&self.topic)
    }

    /// What a read-committed consumer finds: partition, key and value of each record, by partition in order.
    fn records(&self) -> Vec<(i32, String, Value)> {
        read(&self.topic)
    }

    /// The newest position record.
    fn position(&self) -> Value {
        read(&format!("{}.walbook-position", self.topic)).pop().expect("a position").2
    }

    fn confirmed(&self) -> String {
        let sql = format!("select confirmed_flush_lsn from pg_replication_slots where slot_name = '{}'", self.slot);
        self.database.script(&sql).trim().to_owned()
    }
}

fn read(topic: &str) -> Vec<(i32, String, Value)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", environment::brokers())
        .set("group.id", environment::unique("captured"))
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .expect("valid settings");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    let partitions = metadata.topics()[0].partitions().len();
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        let partition = i32::try_from(partition).expect("few partitions");
        all.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&all).expect("partitions can be assigned");
    let (mut records, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(PATIENCE).expect("the broker answers") {
            Ok(message) => {
                let key = String::from_utf8(message.key().unwrap_or_default().to_vec()).expect("names are UTF-8");
                let value = serde_json::from_slice(message.payload().expect("a value")).expect("JSON");
                records.push((message.partition(), key, value));
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("could not consume {topic}: {error}"),
        }
    }
    records
}

#[test]
fn a_captured_record_has_the_contracts_form() {
    let capture = Capture::new("form");
    capture.once();
    assert_eq!(capture.records(), [], "what is before the first change");
    capture.database.script(
        r#"create table public.t (id int primary key, t text);
        create table public."We""ird: TRUNCATE: x" (id int);
        begin;
        insert into public.t values (1, E'a "quoted" \\ back\nline ✓'), (2, null);
        savepoint s; insert into public.t values (3, 'rolled back'); rollback to s;
        update public.t set id = 7 where id = 1;
        delete from public.t where id = 2;
        truncate public.t, public."We""ird: TRUNCATE: x";
        commit;
        insert into public.t values (4, 'x');"#,
    );
    capture.once();

    let records = capture.records();
    let mut by_place: Vec<&Value> = records.iter().map(|(_, _, value)| value).collect();
    by_place.sort_by_key(|value| (value["commit_lsn"].as_str(), value["seq"].as_u64()));
    let lines: Vec<&str> = by_place.iter().map(|value| value["data"].as_str().expect("a line")).collect();
    assert_eq!(
        lines,
        [
            "table public.t: INSERT: id[integer]:1 t[text]:'a \"quoted\" \\ back\nline ✓'",
            "table public.t: INSERT: id[integer]:2 t[text]:null",
            "table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:7 t[text]:'a \"quoted\" \\ back\nline ✓'",
            "table public.t: DELETE: id[integer]:2",
            "table public.t: TRUNCATE: (no-flags)",
            "table public.\"We\"\"ird: TRUNCATE: x\": TRUNCATE: (no-flags)",
            "table public.t: INSERT: id[integer]:4 t[text]:'x'",
        ]
    );
    let seqs: Vec<&Value> = by_place.iter().map(|value| &value["seq"]).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 5, 0]);
    for value in &by_place {
        let fields: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["commit_lsn", "commit_time", "data", "lsn", "seq", "xid"]);
        assert_eq!(value["commit_time"].as_str().expect("a time").len(), "2026-11-22T12:34:56.123456Z".len());
    }
    let mut partitions: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (partition, key, value) in &records {
        assert!(value["data"].as_str().expect("a line").starts_with(&format!("table {key}: ")), "{key}: {value}");
        partitions.entry(key).or_default().insert(*partition);
    }
    let tables: Vec<&&str> = partitions.keys().collect();
    assert_eq!(tables, [&"public.\"We\"\"ird: TRUNCATE: x\"", &"public.t"]);
    assert!(partitions.values().all(|partitions| partitions.len() == 1), "{partitions:?}");
}

#[test]
fn restarts_go_on_and_a_book_of_it_equals_the_truth() {
    let capture = Capture::new("goes_on");
    for round in 0..3 {
        capture.database.pgbench(1, 200);
        capture.once();
        let position = capture.position();
        assert_eq!(position["partial"], Value::Null, "{position}");
        assert_eq!(position["position"], json!(capture.confirmed()), "round {round}: all that is there is confirmed");
    }
    let book = Book::new("goes_on");
    book.run_to_end(&[&capture.topic()], &["-w", "2"]);
    // The truth knows no days; changes may be committed before and after midnight.
    assert_same("captured", &book.counts().on_day("any"), &capture.database.truth(&["any"]));
    book.verify();
}

#[test]
fn a_slot_is_made_once_and_idle_wal_is_confirmed() {
    let mut capture = Capture::new("idle");
    capture.database.script("create table public.t (id int)");
    capture.slot.push_str("_made");
    let refused = capture.start(&["--once"]).wait(PATIENCE);
    refused.expect_code(2);
    refused.expect_said(&["there is no slot", "--create-slot"]);

    let mut running = capture.start(&["--create-slot"]);
    let began = Instant::now();
    while !running.stderr().contains("capturing") {
        running.expect_alive();
        assert!(began.elapsed() < PATIENCE, "{}", running.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    // No decoded change, but WAL.
    let other = Database::create("busy");
    other.script("create table public.t as select repeat('x', 1000) from generate_series(1, 30000)");
    let written = other.script("select pg_current_wal_lsn()");
    while lsn(&capture.confirmed()) + (16 << 20) < lsn(&written) {
        running.expect_alive();
        assert!(began.elapsed() < PATIENCE, "{} is confirmed, {written} written", capture.confirmed());
        thread::sleep(Duration::from_millis(100));
    }
    capture.database.script("insert into public.t values (1)");
    while capture.records().is_empty() {
        assert!(began.elapsed() < PATIENCE, "the change does not come:\n{}", running.stderr());
    }
    running.signal("TERM");
    let ended = running.wait(PATIENCE);
    ended.expect_code(0);
    assert!(ended.took < Duration::from_secs(2), "the end took {:?}", ended.took);
    assert_eq!(capture.position()["position"], json!(capture.confirmed()));

    // A slot that is gone is never made anew: that would hide a gap.
    capture.database.script(&format!("select pg_drop_replication_slot('{}')", capture.slot));
    let refused = capture.start(&["--create-slot"]).wait(PATIENCE);
    refused.expect_code(3);
    refused.expect_said(&["does not exist any more"]);
}

#[test]
fn a_kill_inside_a_large_transaction_repeats_nothing() {
    const ROWS: usize = 300_000;
    let capture = Capture::new("large");
    capture.once();
    capture.database.script(&format!(
        "create table public.large (id int); insert into public.large select generate_series(1, {ROWS});"
    ));
    let mut running = capture.start(&["--once"]);
    let began = Instant::now();
    let partial = loop {
        let position = capture.position();
        if position["partial"] != Value::Null {
            break position;
        }
        running.expect_alive();
        assert!(began.elapsed() < PATIENCE, "no part of it arrives:\n{}", running.stderr());
    };
    running.kill();
    assert!(
        lsn(partial["position"].as_str().expect("an LSN"))
            < lsn(partial["partial"]["commit_lsn"].as_str().expect("an LSN"))
    );
    assert!(lsn(&capture.confirmed()) <= lsn(partial["position"].as_str().expect("an LSN")), "none of it is confirmed");
    capture.once();

    let records = capture.records();
    let of_table: Vec<u64> = records
        .iter()
        .filter(|(_, key, _)| key == "public.large")
        .map(|(_, _, value)| value["seq"].as_u64().expect("a number"))
        .collect();
    assert!(
        of_table.iter().copied().eq(0..ROWS as u64),
        "{} records, {:?} …",
        of_table.len(),
        &of_table[..10.min(of_table.len())]
    );
    assert_eq!(capture.position()["partial"], Value::Null);
}

fn lsn(text: &str) -> u64 {
    let (high, low) = text.trim().split_once('/').expect("an LSN");
    let half = |half| u64::from_str_radix(half, 16).expect("an LSN");
    half(high) << 32 | half(low)
}
