//! The API of a run that reads a slot: it is live while only other databases write, and reports when the server is down.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::book::Book;
use crate::client::{ask, get};
use crate::database::Database;
use crate::server::Server;

/// Waits until the status meets a condition.
#[track_caller]
fn await_status(address: SocketAddr, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let status = get(address, "/api/status").json();
        if is(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "not {what}: {status:#}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_slot_is_live_while_others_write_and_disconnected_when_its_server_is_down() {
    let mut server = Server::start("served-slot", &[]);
    let database = Database::bare(&server.url(), "served");
    database.script("create table public.t (id int)");
    let book = Book::new("served-slot");
    let url = database.url();
    let run = book.start(
        "run",
        &["--postgres", &url, "--slot", "served", "--create-slot", "--serve", "127.0.0.1:0", "--commit-interval", "1s"],
    );
    let address = run.page();
    await_status(address, "empty", |status| status["state"] == "waiting" && status["lag_bytes"] == 0);
    database.script("insert into public.t select generate_series(1, 100)");
    let status = await_status(address, "live", |status| status["state"] == "live" && status["lag_bytes"] == 0);
    assert_eq!((&status["lag_records"], &status["topics"][0]["source"]), (&Value::Null, &"slot".into()));

    // Another database writes all the time, less than would advance the position within 10 s.
    let mut worst = 0.0_f64;
    for number in 0..30 {
        server.script(&format!("create table other{number} as select generate_series(1, 100)"));
        let status = get(address, "/api/status").json();
        let seconds = status["topics"][0]["partitions"][0]["lag_seconds"].as_f64().expect("it is known");
        worst = worst.max(seconds);
        assert_eq!(status["state"], "live", "{status:#}");
        thread::sleep(Duration::from_millis(300));
    }
    println!("the highest lag of an idle slot: {worst} s");
    let status = await_status(address, "read to the end", |status| status["lag_bytes"] == 0);
    assert!(status["durable"]["complete_at"].is_string() && status["complete_at"].is_string(), "{status:#}");
    assert!(status["durable"]["took_seconds"].is_number() && status["durable"]["changes"].is_number(), "{status:#}");

    server.stop("immediate");
    let status = await_status(address, "disconnected", |status| status["state"] == "disconnected");
    assert!(status["state_reason"].as_str().is_some_and(|why| why.contains("server of the slot")), "{status:#}");
    server.launch();
    database.script("insert into public.t values (0)");
    await_status(address, "live again", |status| status["state"] == "live" && status["lag_bytes"] == 0);
    let counts = get(address, "/api/counts?by=table").json();
    assert_eq!(counts["rows"][0]["count"], 101);
    assert_eq!(ask(address, "GET", "/healthz", &[]).status, 200);
    run.signal("TERM");
    run.wait(Duration::from_secs(15)).expect_code(0);
    book.verify();
}
