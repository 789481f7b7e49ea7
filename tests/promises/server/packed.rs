//! Clients that accept gzip get the same answers in fewer bytes, and each event at once.

use std::io::Read;

use flate2::read::GzDecoder;
use walbook::server::Access;

use super::client::{ask, get, watch};
use super::serve;
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::Rows;

const ACCEPTS_GZIP: [(&str, &str); 1] = [("Accept-Encoding", "br, gzip")];

#[test]
fn packed_answers_are_the_same_bytes() {
    let folder = folder();
    let mut rows = Rows::new(31);
    open(folder.path()).commit(rows.commit(4_000, 6)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    for path in [
        "/api/counts",
        "/api/counts?format=csv",
        "/api/counts?by=table,op,day",
        "/api/events?limit=1000",
        "/api/events?limit=1000&format=csv",
        "/api/openapi.json",
    ] {
        let (plain, packed) = (get(address, path), ask(address, "GET", path, &ACCEPTS_GZIP));
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")), "{path}");
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")), "{path}");
        assert!(packed.body.len() * 2 < plain.body.len(), "{path}: {} of {}", packed.body.len(), plain.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("gzip with its end");
        assert!(unpacked == plain.body, "{path}");
    }
    // Not small answers, nor formats with their own compression, nor errors.
    for path in ["/api/counts?by=op", "/api/counts?format=parquet", "/api/nothing"] {
        assert_eq!(ask(address, "GET", path, &ACCEPTS_GZIP).header("content-encoding"), None, "{path}");
    }
}

#[test]
fn each_event_of_a_packed_stream_arrives_at_once() {
    let folder = folder();
    let mut rows = Rows::new(32);
    let mut book = open(folder.path());
    book.commit(rows.commit(2_000, 6)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    let (mut plain, mut packed) = (watch(address, "/api/live", &[]), watch(address, "/api/live", &ACCEPTS_GZIP));
    let (one, other) = (plain.next(), packed.next());
    assert_eq!((one.kind.as_str(), &one.id, &one.data["rows"]), ("snapshot", &other.id, &other.data["rows"]));
    for _ in 0..3 {
        // Nothing follows that could flush it.
        book.commit(rows.commit(30, 4)).expect("a commit");
        let (one, other) = (plain.next(), packed.next());
        assert_eq!((one.kind.as_str(), &one.id, &one.data["rows"]), ("delta", &other.id, &other.data["rows"]));
    }
}
