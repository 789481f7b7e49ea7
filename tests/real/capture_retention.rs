//! Idle databases that are read do not make the server keep the WAL of a busy one.

use std::thread;
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::psql::Session;
use crate::server::Server;
use crate::topic::Topic;

/// Bytes of WAL that the busy database writes in a second.
const BYTES_A_SECOND: u64 = 1_600_000;
const LIMIT: u64 = 64 << 20;

#[test]
fn idle_databases_that_are_read_keep_little_wal() {
    let server = Server::start("retention", &["checkpoint_timeout=30s", "min_wal_size=32MB"]);
    let captured = Database::bare(&server.url(), "captured");
    let read = Database::bare(&server.url(), "read");
    let busy = Database::bare(&server.url(), "busy");
    busy.script("create table public.t (id int, v text)");
    let capture = Capture::new(&captured, &Topic::nowhere(environment::brokers(), "retention", 1));
    capture.first();
    let book = Book::new("retention");
    read.make_slot(&read.name, "'test_decoding'");
    let mut running = [
        capture.start(&[]),
        book.start("run", &["--postgres", &read.url(), "--slot", &read.name, "--commit-interval", "1s"]),
    ];
    let slots = [&capture.slot, &read.name];

    let mut session = Session::open(&busy.url(), "");
    let (first, began) = (busy.end(), Instant::now());
    let length = Duration::from_secs(if environment::is_long() { 300 } else { 45 });
    let (mut most, mut written) = ([0, 0], 0);
    while began.elapsed() < length {
        while u128::from(written) < u128::from(BYTES_A_SECOND) * began.elapsed().as_millis() / 1000 {
            let rows =
                "insert into public.t select i, repeat(md5(random()::text), 40) from generate_series(1, 200) as i";
            assert!(session.run(rows), "the busy session is connected");
            written = busy.end() - first;
        }
        for ((slot, most), running) in slots.iter().zip(&mut most).zip(&mut running) {
            running.expect_alive();
            let kept = server.script(&format!(
                "select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint from pg_replication_slots where slot_name = '{slot}'"
            ));
            *most = kept.trim().parse::<u64>().expect("a number of bytes").max(*most);
        }
        thread::sleep(Duration::from_millis(500));
    }
    println!("{} MB written, at most {} and {} MB kept", written >> 20, most[0] >> 20, most[1] >> 20);
    assert!(written > LIMIT, "too little was written for a result");
    assert!(most.iter().all(|kept| *kept < LIMIT), "{most:?} bytes were kept");
    for running in running {
        running.signal("TERM");
        running.wait(Duration::from_secs(10)).expect_code(0);
    }
}
