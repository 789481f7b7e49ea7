//! A captured database in which nothing happens does not hold back the log of a busy one.

use std::thread;
use std::time::{Duration, Instant};

use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::psql::Session;
use crate::server::Server;
use crate::topic::Topic;

/// What the busy database writes in a second.
const BYTES_A_SECOND: u64 = 1_500_000;
const LIMIT: u64 = 64 << 20;

#[test]
fn an_idle_captured_database_keeps_little_log() {
    let server = Server::start("retention", &["checkpoint_timeout=30s", "min_wal_size=32MB"]);
    let idle = Database::bare(&server.url(), "idle");
    let busy = Database::bare(&server.url(), "busy");
    idle.script("create table public.t (id int)");
    busy.script("create table public.t (id int, v text)");
    let capture = Capture::new(&idle, &Topic::nowhere(environment::brokers(), "retention", 1));
    capture.first();
    let mut running = capture.start(&[]);

    let mut session = Session::open(&busy.url(), "");
    let (first, began) = (busy.end(), Instant::now());
    let length = Duration::from_secs(if environment::is_long() { 300 } else { 60 });
    let (mut most, mut written) = (0, 0);
    while began.elapsed() < length {
        while written < BYTES_A_SECOND * began.elapsed().as_millis() as u64 / 1000 {
            let row =
                "insert into public.t select i, repeat(md5(random()::text), 40) from generate_series(1, 200) as i";
            assert!(session.run(row), "the busy session lives");
            written = busy.end() - first;
        }
        running.expect_alive();
        let kept = idle.script(&format!(
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint from pg_replication_slots where slot_name = '{}'",
            capture.slot
        ));
        most = most.max(kept.trim().parse::<u64>().expect("a number of bytes"));
        thread::sleep(Duration::from_millis(500));
    }
    println!("{} MB written, at most {} MB kept", written >> 20, most >> 20);
    assert!(written > LIMIT, "too little was written to tell");
    assert!(most < LIMIT, "{most} bytes were kept");
    running.signal("TERM");
    running.wait(Duration::from_secs(10)).expect_code(0);
}
