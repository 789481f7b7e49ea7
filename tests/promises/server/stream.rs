//! A stream of events has each count that changes and ends with the counts of the book, also for clients that reconnect.

use std::collections::BTreeMap;
use std::thread;

use serde_json::Value;
use walbook::server::Access;

use super::client::{Event, get, watch};
use super::serve;
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::Rows;

type Counts = BTreeMap<[String; 4], u64>;

/// Applies the rows of an event.
fn apply(counts: &mut Counts, rows: &Value) {
    for row in rows.as_array().expect("rows") {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        let key = [text("day"), text("schema"), text("table"), text("op")];
        let count = row["count"].as_u64().expect("a count");
        let before = counts.insert(key, count);
        assert!(before.is_none_or(|before| before <= count), "a count never shrinks");
    }
}

fn expect_kind(event: &Event, kind: &str) {
    assert_eq!(event.kind, kind, "{event:?}");
}

#[test]
fn a_watcher_ends_with_the_counts_of_the_book() {
    let folder = folder();
    let mut rows = Rows::new(21);
    let mut book = open(folder.path());
    book.commit(rows.commit(50, 4)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    for filter in ["", "?table=public.*&op=insert", "?from=2026-11-02"] {
        let mut watching = watch(address, &format!("/api/live{filter}"), &[]);
        let mut counts = Counts::new();
        let snapshot = watching.next();
        expect_kind(&snapshot, "snapshot");
        assert_eq!(snapshot.data["status"]["state"], "at_rest");
        apply(&mut counts, &snapshot.data["rows"]);

        let mut last = snapshot;
        for _ in 0..3 {
            let commit = book.commit(rows.commit(30, 4)).expect("a commit");
            while last.data["complete_to"]["commit"].as_u64() < Some(commit) {
                last = watching.next();
                expect_kind(&last, "delta");
                apply(&mut counts, &last.data["rows"]);
            }
        }
        let mut expected = Counts::new();
        apply(&mut expected, &get(address, &format!("/api/counts{filter}")).json()["rows"]);
        assert_eq!(counts, expected, "{filter}");

        // A client that reconnects is sent what changed meanwhile, and nothing else.
        drop(watching);
        let commit = book.commit(rows.commit(3, 4)).expect("a commit");
        while get(address, "/api/status").json()["durable"]["commit"] != commit {
            thread::sleep(std::time::Duration::from_millis(20));
        }
        let resumed = watch(address, &format!("/api/live{filter}"), &[("Last-Event-ID", &last.id)]).next();
        expect_kind(&resumed, "delta");
        apply(&mut counts, &resumed.data["rows"]);
        let mut expected = Counts::new();
        apply(&mut expected, &get(address, &format!("/api/counts{filter}")).json()["rows"]);
        assert_eq!(counts, expected, "{filter}");
        assert!(resumed.data["rows"].as_array().is_some_and(|rows| rows.len() <= 9));

        // The same frame number of another server means nothing here.
        let (number, _) = last.id.split_once('-').expect("a number and a server");
        let other_server = watch(address, "/api/live", &[("Last-Event-ID", &format!("{number}-00000000"))]).next();
        expect_kind(&other_server, "snapshot");
    }
}

#[test]
fn a_commit_of_thousands_of_counts_is_sent_as_any_other() {
    let folder = folder();
    let mut rows = Rows::new(22);
    let mut book = open(folder.path());
    book.commit(rows.commit(50, 4)).expect("a commit");
    let address = serve(folder.path(), Access::default());
    let mut watching: Vec<_> = (0..3).map(|_| watch(address, "/api/live", &[])).collect();
    let mut counts: Vec<Counts> = Vec::new();
    for watching in &mut watching {
        counts.push(Counts::new());
        apply(counts.last_mut().expect("just pushed"), &watching.next().data["rows"]);
    }
    book.commit(rows.commit(6_000, 400)).expect("a commit");
    let mut texts = Vec::new();
    for (watching, counts) in watching.iter_mut().zip(&mut counts) {
        let delta = watching.next();
        expect_kind(&delta, "delta");
        assert!(delta.data["rows"].as_array().is_some_and(|rows| rows.len() > 2_000));
        apply(counts, &delta.data["rows"]);
        texts.push(delta.data);
    }
    assert!(
        texts.windows(2).all(|pair| pair[0] == pair[1]),
        "clients that watch the same counts are sent the same text"
    );
    let mut expected = Counts::new();
    apply(&mut expected, &get(address, "/api/counts").json()["rows"]);
    assert!(counts.iter().all(|counts| *counts == expected));
}
