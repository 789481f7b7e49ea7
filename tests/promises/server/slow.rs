//! Clients that read nothing of their answers, or send nothing, delay no other client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use walbook::server::Access;

use super::client::{Watching, ask, get, send, watch};
use super::serve;
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::Rows;

/// Clients that the stream admits.
const WATCHERS: usize = 500;

#[test]
fn idle_clients_delay_no_other_and_are_bounded() {
    let folder = folder();
    let mut rows = Rows::new(2);
    let mut book = open(folder.path());
    book.commit(rows.commit(100, 4)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    // Clients that connect and send nothing.
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    // Clients that watch and read nothing.
    let watching: Vec<Watching> = (0..WATCHERS).map(|_| watch(address, "/api/live", &[])).collect();
    let refused = ask(address, "GET", "/api/live", &[]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
    assert_eq!(refused.json()["error"]["code"], "busy");

    for _ in 0..3 {
        book.commit(rows.commit(50, 4)).expect("a commit");
        let begin = Instant::now();
        (0..50).for_each(|_| assert_eq!(get(address, "/api/counts?by=op").status, 200));
        assert!(begin.elapsed() < Duration::from_secs(10), "50 answers took {:?}", begin.elapsed());
    }
    assert!(get(address, "/metrics").text().contains(&format!("walbook_watchers {WATCHERS}\n")));

    // A place is free again after its client has disconnected.
    drop(watching);
    let begin = Instant::now();
    while !get(address, "/metrics").text().contains("walbook_watchers 0\n") {
        assert!(begin.elapsed() < Duration::from_secs(60), "watchers that disconnected still count");
        book.commit(rows.commit(5, 4)).expect("a commit");
    }
    drop(silent);
}

#[test]
fn a_health_check_is_answered_beside_thousands_of_idle_connections() {
    let folder = folder();
    drop(open(folder.path()));
    let address = serve(folder.path(), Access::default());
    // Some were answered once, the others send nothing; and one sends half of a request.
    let idle: Vec<TcpStream> = (0..2_000)
        .map(|number| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            let request =
                ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /healthz HTTP/1.1\r\nHo"][number % 3];
            // The server may have closed it already.
            let _ = stream.write_all(request.as_bytes());
            stream
        })
        .collect();
    let watching = watch(address, "/api/live", &[]);
    for path in ["/healthz", "/metrics", "/readyz", "/healthz"] {
        let begin = Instant::now();
        get(address, path);
        assert!(begin.elapsed() < Duration::from_secs(2), "{path} took {:?}", begin.elapsed());
    }
    drop((idle, watching));
}

#[test]
fn the_head_of_a_request_has_at_most_32_kib() {
    let folder = folder();
    drop(open(folder.path()));
    let address = serve(folder.path(), Access::default());
    // `GET /healthz HTTP/1.1`, `Host: 127.0.0.1:12345`, `Connection: close`, `X: …`, and the empty line.
    let others = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX: \r\n\r\n").len();
    for (bytes, status) in [(32 << 10, 200), ((32 << 10) + 1, 431), (33_000, 431), (64 << 10, 431)] {
        let filler = "x".repeat(bytes - others);
        assert_eq!(ask(address, "GET", "/healthz", &[("X", &filler)]).status, status, "{bytes} bytes");
    }
}

#[test]
fn unread_large_answers_are_bounded() {
    let folder = folder();
    let mut rows = Rows::new(3);
    let mut book = open(folder.path());
    let mut contents = rows.commit(60, 1);
    for (_, event) in &mut contents.events {
        event.data = format!("{} {}", event.data, "x".repeat(1 << 20));
    }
    let events = contents.events.len();
    book.commit(contents).expect("a commit");
    let address = serve(folder.path(), Access::default());

    // A page ends before its rows are too large, and has the cursor of the next one.
    let (mut seen, mut cursor) = (0, String::new());
    while seen < events {
        let page = get(address, &format!("/api/events?limit=1000{cursor}")).json();
        let rows = page["rows"].as_array().map_or(0, Vec::len);
        assert!(rows > 0 && rows <= 16, "{rows} rows of a megabyte");
        seen += rows;
        assert_eq!(page["next"].is_null(), seen == events);
        cursor = format!("&cursor={}", page["next"].as_str().unwrap_or_default());
    }

    let path = "/api/events?limit=1000";
    let unread: Vec<TcpStream> = (0..20).map(|_| send(address, "GET", path, &[])).collect();
    // Each has its answer or was refused: the last one waits for those before it.
    let statuses = unread.iter().map(status);
    let busy = statuses.filter(|status| *status == 503).count();
    assert!((1..20).contains(&busy), "{busy} of 20 were refused");
    assert_eq!(get(address, "/api/counts?by=op").status, 200);
    drop(unread);
    let begin = Instant::now();
    while ask(address, "GET", path, &[]).status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(60), "answers of clients that disconnected still count");
    }
}

/// The status of an answer of which nothing else is read.
fn status(stream: &TcpStream) -> u16 {
    let mut line = [0; 12];
    (&*stream).read_exact(&mut line).expect("a status line");
    std::str::from_utf8(&line[9..]).ok().and_then(|status| status.parse().ok()).expect("a status")
}
