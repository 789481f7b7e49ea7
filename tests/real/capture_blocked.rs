//! A capture that cannot write stays connected to PostgreSQL, confirms nothing, and continues when Kafka is back.

use std::thread;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::capture::Capture;
use crate::captured::{Captured, OPTIONS, SETTINGS};
use crate::database::Database;
use crate::dice::Dice;
use crate::server::Server;
use crate::topic::Topic;
use crate::workload::{TABLES, Workload};

#[test]
fn a_capture_answers_the_server_while_kafka_is_away() {
    let server = Server::start("blocked", &["wal_sender_timeout=2s"]);
    let mut broker = Broker::start("blocked");
    let database = Database::create_to_survive(&server.url(), "blocked", TABLES);
    let capture = Capture::new(&database, &Topic::nowhere(broker.addresses(), "blocked", 2));
    database.make_slot(&capture.slot, "'test_decoding'");
    let workload = Workload::start(&database.url(), 2, &mut Dice::throw("capture_blocked"));
    let mut running = capture.start_first();
    capture.topic.await_offsets(100, || running.expect_alive());

    let holder = database.holder(&capture.slot);
    assert!(holder.is_some(), "the slot is not read");
    broker.kill();
    thread::sleep(Duration::from_millis(500));
    let confirmed = database.confirmed(&capture.slot);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        thread::sleep(Duration::from_millis(500));
        running.expect_alive();
        assert_eq!(database.holder(&capture.slot), holder, "the server has closed the connection");
        assert_eq!(database.confirmed(&capture.slot), confirmed, "confirmed what the topic does not hold");
    }
    broker.launch();
    while database.confirmed(&capture.slot) == confirmed {
        running.expect_alive();
        assert!(began.elapsed() < Duration::from_secs(60), "it does not continue:\n{}", running.stderr());
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(database.holder(&capture.slot), holder, "the server has closed the connection");
    workload.finish();
    running.signal("TERM");
    running.wait(Duration::from_secs(10)).expect_code(0);
    capture.once(&[]);
    Captured::read(&capture.topic).assert_same_as(&Captured::of_lines(&database.take("null", SETTINGS, OPTIONS)));
}
