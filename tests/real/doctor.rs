//! `walbook doctor`: a healthy system has no problems; each problem is found, with the command that fixes it.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::book::{Book, Running};
use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::{Record, Topic};

const DOCTOR_TIMEOUT: Duration = Duration::from_secs(120);

/// What the doctor reported.
struct DoctorReport {
    code: Option<i32>,
    findings: Vec<Value>,
    text: String,
}

fn doctor(arguments: &[&str]) -> DoctorReport {
    let folder = environment::folder("doctor");
    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.arg("doctor").args(arguments).args(["--format", "json"]);
    let ended = Running::start(walbook, folder.path()).wait(DOCTOR_TIMEOUT);
    let json: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", ended.stdout, ended.stderr));
    let findings = json["findings"].as_array().expect("findings").clone();
    DoctorReport { code: ended.code(), findings, text: ended.stdout }
}

impl DoctorReport {
    /// Fails unless there is such a finding whose command contains these words.
    #[track_caller]
    fn expect(&self, subject: &str, check: &str, state: &str, command: &str) {
        let found = self.findings.iter().any(|finding| {
            finding["subject"] == subject
                && finding["check"] == check
                && finding["state"] == state
                && finding["command"].as_str().unwrap_or_default().contains(command)
        });
        assert!(found, "no {state} of {subject} {check} with {command:?} in {}", self.text);
    }

    fn states(&self) -> Vec<String> {
        let not_ok = self.findings.iter().filter(|finding| finding["state"] != "ok");
        not_ok.map(|finding| format!("{} {} {}", finding["subject"], finding["check"], finding["seen"])).collect()
    }
}

#[test]
fn a_healthy_system_has_no_problems() {
    let server = Server::start("healthy", &["max_slot_wal_keep_size=20GB"]);
    let database = Database::bare(&server.url(), "healthy");
    database.script("create table t (id int primary key)");
    let topic = Topic::create_with(
        "healthy",
        3,
        &[("retention.ms", "-1"), ("max.message.bytes", "67108864"), ("compression.type", "producer")],
    );
    let capture = Capture::new(&database, &topic);
    capture.once(&["--create-slot"]);
    database.script("insert into t select generate_series(1, 100)");
    capture.once(&[]);
    let book = Book::new("healthy");
    book.run_to_end(&[&topic], &[]);

    let (url, slot, path) = (database.url(), capture.slot.clone(), book.path().display().to_string());
    let kafka = ["--brokers", topic.brokers.as_str(), "--topic", topic.name.as_str()];
    let report = doctor(&[&["--postgres", &url, "--slot", &slot][..], &kafka, &[&path]].concat());
    assert_eq!(report.code, Some(0), "{}", report.text);
    // One broker keeps one copy.
    assert_eq!(report.states().len(), 1, "{:?}", report.states());
    report.expect("topic", "replication", "warning", "");
    for (subject, check) in [
        ("server", "wal_level"),
        ("server", "test_decoding"),
        ("role", "replication"),
        ("tables", "replica identity"),
        ("slot", "health"),
        ("topic", "position"),
        ("connect", "records"),
        ("book", "settings"),
        ("book", "lag"),
    ] {
        report.expect(subject, check, "ok", "");
    }
}

#[test]
fn each_problem_is_found_with_the_command_that_fixes_it() {
    let server =
        Server::start("sick", &["max_slot_wal_keep_size=100MB", "max_replication_slots=1", "max_wal_senders=1"]);
    let database = Database::bare(&server.url(), "sick");
    database.script(
        "create table \"No Key\" (id int); create unlogged table quick (id int primary key); create role plain login;
         select pg_create_logical_replication_slot('other', 'pgoutput')",
    );
    let topic = Topic::create_with(
        "sick",
        2,
        &[("cleanup.policy", "compact,delete"), ("retention.ms", "31536000000"), ("compression.type", "gzip")],
    );
    let record = |value: &str| Record {
        time: 1_790_000_000_000,
        key: Some(b"k".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        ..Record::default()
    };
    topic.produce([record(r#"{"schema":{},"payload":{"data":"table public.t: DELETE: (no-tuple-data)"}}"#)]);
    let (url, kafka) = (database.url(), ["--brokers", topic.brokers.as_str(), "--topic", topic.name.as_str()]);

    let report = doctor(&[&["--postgres", &url, "--slot", "other"][..], &kafka].concat());
    assert_eq!(report.code, Some(1), "{}", report.text);
    report.expect("server", "max_slot_wal_keep_size", "warning", "ALTER SYSTEM");
    report.expect("tables", "replica identity", "problem", "ALTER TABLE public.\"No Key\" REPLICA IDENTITY FULL");
    report.expect("tables", "unlogged", "warning", "SET LOGGED");
    report.expect("slot", "plugin", "problem", "walbook slot create");
    report.expect("topic", "cleanup.policy", "problem", "cleanup.policy=delete");
    report.expect("topic", "retention.ms", "warning", "retention.ms=-1");
    report.expect("topic", "compression.type", "warning", "compression.type=producer");
    report.expect(
        "connect",
        "lsn, xid",
        "warning",
        "lsn::text AS lsn, xid::text::bigint AS xid, data FROM pg_logical_slot_get_changes('other'",
    );
    report.expect("connect", "order", "warning", "");

    let report = doctor(&["--postgres", &url, "--slot", "absent"]);
    assert_eq!(report.code, Some(1), "{}", report.text);
    report.expect("slot", "absent", "problem", "walbook slot create --slot absent");
    report.expect("server", "max_replication_slots", "problem", "max_replication_slots");
    report.expect("tables", "replica identity", "warning", "ADD PRIMARY KEY");

    let plain = url.replace("postgres@", "plain@");
    let report = doctor(&["--postgres", &plain]);
    assert_eq!(report.code, Some(1), "{}", report.text);
    report.expect("role", "replication", "problem", "ALTER ROLE \"plain\" REPLICATION");
}

#[test]
fn a_slots_book_is_ok_while_it_is_written_and_a_problem_once_another_reader_consumed_changes() {
    let database = Database::create("doctor_slot");
    database.script("create table t (id int primary key)");
    let book = Book::new("doctor_slot");
    let (url, slot, path) = (database.url(), database.name.clone(), book.path().display().to_string());
    book.start("run", &["--postgres", &url, "--slot", &slot, "--until-end"]).wait(DOCTOR_TIMEOUT).expect_code(0);
    let running = book.start("run", &["--postgres", &url, "--slot", &slot, "--commit-interval", "50ms"]);
    thread::scope(|scope| {
        let busy = scope.spawn(|| {
            for round in 0..60 {
                database.script(&format!("insert into t select {round} * 1000 + n from generate_series(1, 500) n"));
            }
        });
        while !busy.is_finished() {
            let report = doctor(&["--postgres", &url, "--slot", &slot, &path]);
            report.expect("book", "lag", "ok", "");
            assert!(report.text.contains("of WAL behind the end of slot"), "{}", report.text);
        }
    });
    running.kill();

    // The server releases a slot as soon as it notices that its reader is gone.
    let consume = format!(
        "insert into t values (-1); select pg_terminate_backend(active_pid) from pg_replication_slots \
         where slot_name = '{slot}' and active; select pg_sleep(1); \
         select count(*) from pg_logical_slot_get_changes('{slot}', null, null)"
    );
    database.script(&consume);
    let report = doctor(&["--postgres", &url, "--slot", &slot, &path]);
    assert_eq!(report.code, Some(1), "{}", report.text);
    report.expect("book", "lag", "problem", "make a new book");
    assert!(report.text.contains("consumed by another client"), "{}", report.text);
    book.start("run", &["--postgres", &url, "--slot", &slot, "--until-end"]).wait(DOCTOR_TIMEOUT).expect_code(3);
}

#[test]
fn what_cannot_be_reached_is_a_finding_and_the_rest_is_checked() {
    let topic = Topic::nowhere(environment::brokers(), "absent", 1);
    let nowhere = format!("postgresql://u:secret@127.0.0.1:{}/d", environment::free_port());
    let report =
        doctor(&["--postgres", &nowhere, "--brokers", &topic.brokers, "--topic", &topic.name, "/nowhere/book"]);
    assert_eq!(report.code, Some(1), "{}", report.text);
    assert!(!report.text.contains("secret"), "{}", report.text);
    report.expect("server", "connection", "problem", "");
    report.expect("topic", &topic.name, "problem", "--create-topic");
    report.expect("book", "log", "warning", "walbook run /nowhere/book");

    let server = Server::start("deaf", &["wal_level=replica"]);
    let report = doctor(&["--postgres", &server.maintenance()]);
    assert_eq!(report.code, Some(1), "{}", report.text);
    report.expect("server", "wal_level", "problem", "ALTER SYSTEM SET wal_level = logical");
}
