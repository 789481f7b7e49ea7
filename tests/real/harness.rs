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
