//! How fast a backlog is captured, beside `pg_recvlogical` writing the same to a file.
//!
//! `WALBOOK_TEST_RELEASE` names a binary whose speed counts; without it the figures are only printed.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::psql;
use crate::topic::Topic;

/// The promised share of the speed of `pg_recvlogical`.
const SHARE: f64 = 0.8;

#[test]
fn a_backlog_is_captured_about_as_fast_as_it_can_be_received() {
    let changes: u32 = if environment::is_long() { 1_000_000 } else { 200_000 };
    let database = Database::bare(&environment::postgres(), "speed");
    database.pgbench_tables(5);
    database.script(&format!("alter database {} set synchronous_commit = off", database.name));
    let topic = Topic::create("speed", 4);
    let mut capture = Capture::new(&database, &topic);
    if let Some(release) = environment::release_binary() {
        capture.program = release.into();
    }
    let received = format!("{}_received", database.name);
    for slot in [&received, &capture.slot] {
        database.make_slot(slot, "'test_decoding'");
    }
    database.pgbench_transactions(changes / 4 / 2);
    let end = database.script("select pg_current_wal_insert_lsn()");
    // So that both find the WAL in memory and the catalog caches filled.
    database.script(&format!("select count(*) from pg_logical_slot_peek_changes('{received}', null, 1000)"));

    let folder = environment::folder("received");
    let mut client = Command::new(environment::postgres_program("pg_recvlogical"));
    client
        .args(["-d", &database.url(), "--slot", &received, "--start", "--no-loop", "--endpos", end.trim()])
        .args(["-o", "include-xids=1", "-o", "include-timestamp=1", "-f"])
        .arg(folder.path().join("lines"));
    let began = Instant::now();
    psql::run(&mut client, "");
    let receiving = began.elapsed();

    let began = Instant::now();
    let mut running = capture.start(&["--once"]);
    let mut usage = (Duration::ZERO, 0);
    while running.is_alive() {
        usage = running.usage().unwrap_or(usage);
        thread::sleep(Duration::from_millis(5));
    }
    let capturing = began.elapsed();
    running.wait(Duration::from_secs(1)).expect_code(0);
    assert_eq!(topic.stored_records(), changes as usize);

    let rate = |duration: Duration| f64::from(changes) / duration.as_secs_f64();
    println!(
        "{changes} changes: captured {:.0}/s with {:.2} CPU-s a million and {} MB, received {:.0}/s, share {:.2}",
        rate(capturing),
        usage.0.as_secs_f64() * 1e6 / f64::from(changes),
        usage.1 >> 20,
        rate(receiving),
        rate(capturing) / rate(receiving),
    );
    if environment::release_binary().is_some() {
        assert!(rate(capturing) >= SHARE * rate(receiving), "captured in {capturing:?}, received in {receiving:?}");
    }
}
