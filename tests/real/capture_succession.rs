//! One capture reads the slot: a second one waits and gives up, a suspended one is fenced, a signal ends it with exit 0.

use std::thread;
use std::time::Duration;

use crate::book::Running;
use crate::capture::Capture;
use crate::captured::{Captured, OPTIONS, SETTINGS};
use crate::database::Database;
use crate::dice::Dice;
use crate::environment;
use crate::topic::Topic;
use crate::truth::assert_same;
use crate::workload::{TABLES, Workload};

const DAY: &str = "a day";

/// A database with the random workload's tables, and its capture into a topic. The slot exists before the first change, the
/// topic does not.
fn captured_database(name: &str) -> (Database, Capture) {
    let database = Database::create_to_survive(&environment::postgres(), name, TABLES);
    let topic = Topic::nowhere(environment::brokers(), name, 3);
    let capture = Capture::new(&database, &topic);
    database.make_slot(&capture.slot, "'test_decoding'");
    (database, capture)
}

/// Starts the first capture of a slot and waits until it has written something.
fn start_and_await(capture: &Capture) -> Running {
    let mut running = capture.start_first();
    capture.topic.await_offsets(100, || running.expect_alive());
    running
}

/// Captures the rest, and fails unless the topic equals the database's changes.
#[track_caller]
fn check_the_rest(database: &Database, capture: &Capture) {
    capture.once(&[]);
    let captured = Captured::read(&capture.topic);
    assert_same("the topic", &captured.counts(DAY), &database.surviving_truth(DAY));
    captured.assert_same_as(&Captured::of_lines(&database.take("null", SETTINGS, OPTIONS)));
}

#[test]
fn a_second_capture_waits_and_gives_up_with_the_holder() {
    let (database, capture) = captured_database("two_captures");
    let workload = Workload::start(&database.url(), 1, &mut Dice::throw("two_captures"));
    let mut first = start_and_await(&capture);
    let holder = database.holder(&capture.slot).expect("the first capture reads the slot").to_string();

    let second = capture.start(&[]).wait(Duration::from_secs(150));
    second.expect_code(2);
    second.expect_said(&[&capture.slot, &holder]);
    assert!(second.took > Duration::from_secs(80), "it gave up after {:?}", second.took);
    first.expect_alive();
    workload.finish();
    first.signal("TERM");
    first.wait(Duration::from_secs(10)).expect_code(0);
    check_the_rest(&database, &capture);
}

#[test]
fn a_suspended_capture_that_was_replaced_is_fenced() {
    let (database, capture) = captured_database("suspended");
    let workload = Workload::start(&database.url(), 2, &mut Dice::throw("capture_suspended"));
    let first = start_and_await(&capture);
    first.signal("STOP");
    let holder = database.holder(&capture.slot).expect("the first capture reads the slot");
    database.script(&format!("select pg_terminate_backend({holder})"));

    let mut second = capture.start(&[]);
    while database.holder(&capture.slot).is_none_or(|pid| pid == holder) {
        second.expect_alive();
        thread::sleep(Duration::from_millis(20));
    }
    let written = capture.topic.ends().iter().sum::<i64>();
    capture.topic.await_offsets(written + 500, || second.expect_alive());
    first.signal("CONT");
    first.wait(Duration::from_secs(60)).expect_code(4);
    second.expect_alive();
    workload.finish();
    second.signal("TERM");
    second.wait(Duration::from_secs(10)).expect_code(0);
    check_the_rest(&database, &capture);
}

#[test]
fn a_signal_ends_a_capture_within_two_seconds_and_the_next_continues() {
    let (database, capture) = captured_database("signal");
    let workload = Workload::start(&database.url(), 2, &mut Dice::throw("capture_signal"));
    let mut running = start_and_await(&capture);
    for signal in ["TERM", "INT", "TERM"] {
        thread::sleep(Duration::from_millis(1500));
        running.expect_alive();
        running.signal(signal);
        let ended = running.wait(Duration::from_secs(10));
        ended.expect_code(0);
        assert!(ended.took < Duration::from_secs(2), "SIG{signal} took {:?}", ended.took);
        running = capture.start(&[]);
    }
    running.kill();
    workload.finish();
    check_the_rest(&database, &capture);
}
