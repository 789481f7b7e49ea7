//! The harness of capture is itself tested: what it calls right is right, and what is wrong it sees.

use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::captured::{Captured, OPTIONS, SETTINGS};
use crate::database::Database;
use crate::dice::Dice;
use crate::server::Server;
use crate::topic::{Record, Topic};
use crate::workload::{TABLES, Workload};

#[test]
fn a_server_crashes_and_its_truth_survives() {
    let mut dice = Dice::throw("harness");
    let mut server = Server::start("harness", &[]);
    println!("version {}", server.version());
    let database = Database::create_to_survive(&server.url(), "harness", TABLES);
    let workload = Workload::start(&database.url(), 4, &mut dice);
    for _ in 0..3 {
        thread::sleep(Duration::from_secs(3));
        let began = std::time::Instant::now();
        server.restart_immediate();
        println!("restarted in {:?}", began.elapsed());
    }
    thread::sleep(Duration::from_secs(1));
    println!("{} transactions", workload.finish());
    let lines = database.take("null", SETTINGS, OPTIONS);
    let said = Captured::of_lines(&lines);
    println!("{} lines {}", lines.len(), said.len());
    crate::truth::assert_same("lines", &said.counts("d"), &database.surviving_truth("d"));
    let standby = server.standby("standby", &[]);
    standby.promote();
    println!("{}", standby.script("select pg_is_in_recovery(), timeline_id from pg_control_checkpoint()"));
}

#[test]
fn a_broker_is_killed() {
    let began = std::time::Instant::now();
    let mut broker = Broker::start("harness");
    println!("broker in {:?}", began.elapsed());
    let topic = Topic::create_on(broker.addresses(), "t", 3);
    for round in 1..4 {
        topic.produce((0..100).map(|_| Record {
            time: 1_790_000_000_000,
            value: Some(b"x".to_vec()),
            ..Record::default()
        }));
        let began = std::time::Instant::now();
        if round % 2 == 0 {
            broker.stop()
        } else {
            broker.kill()
        }
        println!("down {:?}", began.elapsed());
        broker.launch();
        println!("up {:?}", began.elapsed());
        assert_eq!(topic.stored_records(), 100 * round);
        println!("read {:?}", began.elapsed());
    }
}

fn toy(skip: usize, twice: usize) {
    let database = Database::create_to_survive(&crate::environment::postgres(), "toy", TABLES);
    let workload = Workload::start(&database.url(), 2, &mut Dice::throw("toy"));
    thread::sleep(Duration::from_secs(2));
    workload.finish();
    let lines = database.take("null", SETTINGS, OPTIONS);
    let said = Captured::of_lines(&lines);
    let topic = Topic::create("toy", 3);
    let mut records = Vec::new();
    for (at, change) in said.changes.iter().enumerate() {
        let key = crate::captured::tables(&change.data)[0].to_owned();
        let hex = |n: u64| format!("{:X}/{:X}", n >> 32, n & 0xffff_ffff);
        let value = serde_json::json!({"lsn": hex(change.lsn), "xid": change.xid, "commit_lsn": hex(change.commit_lsn),
            "commit_time": change.commit_time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "seq": change.seq, "data": change.data});
        let record = Record {
            partition: key.len() as i32 % 3,
            time: 1,
            key: Some(key.into_bytes()),
            value: Some(value.to_string().into_bytes()),
            ..Record::default()
        };
        if at != skip {
            records.push(record.clone());
        }
        if at == twice {
            records.push(record);
        }
    }
    topic.produce(records);
    let captured = Captured::read(&topic);
    crate::truth::assert_same("toy", &captured.counts("d"), &database.surviving_truth("d"));
    captured.assert_same_as(&said);
}
#[test]
fn toy_right() {
    toy(usize::MAX, usize::MAX)
}
#[test]
#[should_panic]
fn toy_skip() {
    toy(100, usize::MAX)
}
#[test]
#[should_panic]
fn toy_twice() {
    toy(usize::MAX, 100)
}
