//! A capture whose server, topics or settings fail says so within seconds, and leaves nothing behind.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::broker::Broker;
use crate::capture::Capture;
use crate::captured::Captured;
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;

const TIMEOUT: Duration = Duration::from_secs(120);
/// How soon a fault must be said: without a deadline of its own nothing is for a minute or two.
const SOON: Duration = Duration::from_secs(25);

/// An empty database of a table on a server of the test's own, and its capture.
fn captured_server(name: &str) -> (Server, Database, Capture) {
    let server = Server::start(name, &[]);
    let database = Database::bare(&server.url(), name);
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), name, 1));
    (server, database, capture)
}

/// Fails unless `running` says `words` within [`SOON`] from `since`.
#[track_caller]
fn expect_soon(running: &mut Running, words: &str, since: Instant) {
    running.await_said(words);
    assert!(since.elapsed() < SOON, "{words:?} was said after {:?}", since.elapsed());
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "could not send SIG{name} to {process}");
}

fn await_holder(database: &Database, slot: &str) -> u32 {
    let began = Instant::now();
    loop {
        if let Some(holder) = database.holder(slot) {
            return holder;
        }
        assert!(began.elapsed() < TIMEOUT, "slot {slot} is not read");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The server's process hangs, and the connection stays: only an answer that does not come shows it.
#[test]
fn a_server_process_that_hangs_ends_the_session_within_seconds() {
    let (_server, database, capture) = captured_server("hanging");
    let mut running = capture.start_first();
    running.await_said("capturing");
    let holder = await_holder(&database, &capture.slot);
    let since = Instant::now();
    signal(holder, "STOP");
    expect_soon(&mut running, "has sent nothing for", since);
    database.script("insert into public.t values (1)");
    signal(holder, "CONT");
    capture.topic.await_offsets(1, || running.expect_alive());
    running.signal("TERM");
    running.wait(TIMEOUT).expect_code(0);
    assert_eq!(Captured::read(&capture.topic).len(), 1);
}

#[test]
fn a_server_process_that_hangs_ends_the_session_of_a_run_within_seconds() {
    let (_server, database, _) = captured_server("hanging_run");
    let book = Book::new("hanging_run");
    let (url, slot) = (database.url(), format!("{}_read", database.name));
    let arguments = ["--postgres", &url, "--slot", &slot, "--create-slot", "--commit-interval", "100ms"];
    let mut running = book.start("run", &arguments);
    running.await_said("reading the slot");
    let holder = await_holder(&database, &slot);
    let since = Instant::now();
    signal(holder, "STOP");
    expect_soon(&mut running, "has sent nothing for", since);
    database.script("insert into public.t values (1)");
    signal(holder, "CONT");
    book.await_total(1, &mut running);
    running.signal("TERM");
    running.wait(TIMEOUT).expect_code(0);
}

#[test]
fn nothing_is_created_for_a_server_a_role_or_a_slot_that_cannot_be_captured() {
    let (server, database, mut capture) = captured_server("nothing_created");
    let refuse = |capture: &Capture, words: &[&str], create: &[&str]| {
        let ended = capture.once_with_code(2, &[&["--create-topic"], create].concat());
        ended.expect_said(words);
        assert!(!capture.topic.exists() && !capture.topic.of_position().exists(), "a topic was created: {words:?}");
    };
    refuse(&capture, &["there is no slot"], &[]);
    database.make_slot(&capture.slot, "'pgoutput'");
    refuse(&capture, &["pgoutput"], &["--create-slot"]);
    capture.slot += "_2";

    server.script("create role plain login");
    let url = std::mem::replace(&mut capture.url, format!("{}/{}", server.url_as("plain"), database.name));
    refuse(&capture, &["replication"], &["--create-slot"]);

    server.script("create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0");
    capture.url = format!("{}/latin", server.url());
    refuse(&capture, &["LATIN1"], &["--create-slot"]);
    let slots = server.script("select count(*) from pg_replication_slots where plugin = 'test_decoding'");
    assert_eq!(slots.trim(), "0");

    capture.url = url;
    capture.first();
}

#[test]
fn a_database_that_was_dropped_is_missing_data_where_something_was_read() {
    let (server, database, capture) = captured_server("dropped_database");
    let book = Book::new("dropped_database");
    let (url, slot) = (database.url(), format!("{}_read", database.name));
    let run = |arguments: &[&str]| {
        book.start("run", &[&["--postgres", &url, "--slot", &slot, "--until-end"], arguments].concat()).wait(TIMEOUT)
    };
    capture.first();
    run(&["--create-slot"]).expect_code(0);
    database.script("insert into public.t values (1)");
    capture.once(&[]);
    run(&[]).expect_code(0);
    let drop_slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots";
    server.script(&format!("{drop_slots}; drop database {}", database.name));

    for ended in [capture.once_with_code(3, &[]), run(&[])] {
        ended.expect_code(3);
        ended.expect_said(&[&database.name, "does not exist", "cannot be read"]);
    }
    // Nothing is known of it: a wrong setting.
    let mut new = Capture::new(&database, &Topic::nowhere(environment::brokers(), "dropped_database_2", 1));
    new.slot += "_2";
    new.once_with_code(2, &["--create-slot", "--create-topic"]).expect_said(&["does not exist"]);
    assert!(!new.topic.exists());
}

#[test]
fn a_position_that_is_deleted_is_noticed_within_seconds_of_the_next_commit() {
    let (_server, database, capture) = captured_server("deleted_soon");
    let running = capture.start_first();
    capture.topic.of_position().await_offsets(1, || ());
    capture.topic.of_position().delete();
    let since = Instant::now();
    database.script("insert into public.t values (1)");
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&capture.topic.of_position().name]);
    assert!(since.elapsed() < SOON, "noticed after {:?}", since.elapsed());
}

#[test]
fn too_few_copies_are_said_within_seconds_and_waited_for() {
    let [first, mut second, _third] = Broker::cluster("copies");
    first.hold_transactions();
    let database = Database::bare(&environment::postgres(), "copies");
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(first.addresses(), "copies", 1));
    capture.topic.make_on(&[first.id, second.id], &[("min.insync.replicas", "2")]);
    capture.topic.of_position().make_on(&[first.id], &[("cleanup.policy", "compact")]);
    let mut running = capture.start(&["--create-slot"]);
    running.await_said("capturing");
    second.kill();
    capture.topic.await_leader(first.id, true);
    let since = Instant::now();
    database.script("insert into public.t values (1)");
    expect_soon(&mut running, "NOT_ENOUGH_REPLICAS", since);
    assert!(running.stderr().contains("1 of 2 copies in sync"), "{}", running.stderr());
    running.expect_alive();
    second.launch();
    capture.topic.await_offsets(1, || running.expect_alive());
    running.signal("TERM");
    running.wait(TIMEOUT).expect_code(0);
    capture.once(&[]);
    assert_eq!(Captured::read(&capture.topic).len(), 1);
}
