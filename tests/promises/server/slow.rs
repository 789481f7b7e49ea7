//! Those who take nothing of their answers, or say nothing, keep nobody else waiting.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use walbook::server::Access;

use super::client::{Watching, ask, get, watch};
use super::serve;
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::Rows;

/// Clients of the stream that are taken.
const WATCHERS: usize = 500;

#[test]
fn clients_that_rest_keep_nobody_waiting_and_are_bounded() {
    let folder = folder();
    let mut rows = Rows::new(2);
    let mut book = open(folder.path());
    book.commit(rows.commit(100, 4)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    // Who connects and says nothing.
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    // Who watches and reads nothing.
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

    // A place that is left is free again.
    drop(watching);
    let begin = Instant::now();
    while !get(address, "/metrics").text().contains("walbook_watchers 0\n") {
        assert!(begin.elapsed() < Duration::from_secs(60), "watchers that are gone still count");
        book.commit(rows.commit(5, 4)).expect("a commit");
    }
    drop(silent);
}
