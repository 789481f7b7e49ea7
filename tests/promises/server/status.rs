//! The status: rejects of a range, the newest commit, lost offsets, and how far a source is behind.

use crate::support::book_builder::{BookBuilder, Contents, rewrite_log};
use serde_json::Value;
use walbook::book::log::entry::SourceKind;
use walbook::change::End;
use walbook::query::Event;
use walbook::server::Access;

use super::client::{ask, get, watch};
use super::played::{Played, await_status, up_to};
use super::serve;
use crate::readers::loop_of_rows::{folder, newest_entry, open};
use crate::readers::random::{Rows, day};

#[test]
fn rejects_in_a_range_are_as_many_as_the_pages_show() {
    let folder = folder();
    let mut rows = Rows::new(13);
    let mut book = open(folder.path());
    let total = |address| get(address, "/api/status").json()["rejects"]["total"].as_u64();
    let first = rows.commit(200, 6);
    let mut all = first.rejects.len() as u64;
    book.commit(first).expect("a commit");
    let address = serve(folder.path(), Access::default());
    for _ in 0..2 {
        await_status(address, "read", |_| total(address) == Some(all));
        // They are summed after the counts, without a new frame.
        assert_eq!(watch(address, "/api/live", &[]).next().data["status"]["rejects_total"], all);
        let mut sum = 0;
        for number in 0..8 {
            let day = day(number);
            let shown = get(address, &format!("/api/rejects?day={day}&limit=1000")).json();
            let shown = shown["rows"].as_array().expect("rows").len();
            let status = get(address, &format!("/api/status?day={day}")).json();
            assert_eq!(status["rejects"]["in_range"], shown, "{day}");
            sum += shown as u64;
        }
        let range = get(address, &format!("/api/status?from={}&to={}", day(0), day(7))).json();
        assert_eq!(range["rejects"]["in_range"], sum);
        assert_eq!(get(address, "/api/status").json()["rejects"]["in_range"], Value::Null);
        // Those of later commits are added.
        let more = rows.commit(100, 6);
        all += more.rejects.len() as u64;
        book.commit(more).expect("a commit");
    }
    for wrong in ["from=2026-11-02&to=2026-11-01", "day=x", "table=a.b&table=a.c", "limit=1"] {
        assert_eq!(ask(address, "GET", &format!("/api/status?{wrong}"), &[]).status, 400, "{wrong}");
    }
}

#[test]
fn the_status_has_the_newest_commit_and_lost_offsets() {
    let folder = folder();
    let root = folder.path();
    let mut book = BookBuilder::open(root, "UTC", &[("shop", 1)]).expect("a book");
    // Offsets 3 to 9 are markers until the log is rewritten.
    let event = |offset| Event {
        topic: "shop".to_owned(),
        offset,
        schema: "public".to_owned(),
        table: "t".to_owned(),
        op: "INSERT".to_owned(),
        ..Event::default()
    };
    let events = [0, 1, 2, 10].map(|offset| (day(0), event(offset)));
    book.commit(Contents { events: events.into(), rejects: Vec::new() }).expect("a commit");
    drop(book);
    rewrite_log(root, &mut |entry| {
        for read in entry.topics.values_mut().flat_map(|topic| topic.positions.values_mut()) {
            read.lost = std::mem::take(&mut read.tally.markers);
            read.records -= read.lost;
        }
    });
    let position = newest_entry(root).topics["shop"].positions[&0].clone();
    assert_eq!(position.lost, 7);
    let address = serve(root, Access::default());
    let status = get(address, "/api/status").json();
    assert_eq!(status["durable"]["changes"], 4);
    assert!(status["book"]["made_at"].is_string() && status["durable"]["committed_at"].is_string());
    for unknown in ["complete_at", "took_seconds"] {
        assert_eq!(status["durable"][unknown], Value::Null, "there is no run");
    }
    let (from, to) = (position.interval.from, position.interval.to);
    let expected =
        serde_json::json!([{"topic": "shop", "partition": 0, "from": from, "to": to, "records": position.lost}]);
    assert_eq!(status["lost"], expected);
    assert!(walbook::book::verify(root, &mut |_| {}).expect("a report").ok);
}

#[test]
fn nothing_counts_as_read_while_it_lies_behind_an_open_transaction() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End { readable: 100, written: 150 });
    let end = |status: &Value| status["topics"][0]["partitions"][0]["end_offset"].clone();
    let status = await_status(run.address, "live", |status| status["state"] == "live" && end(status) == 100);
    assert_eq!((&status["lag_records"], &status["complete_at"]), (&0.into(), &Value::Null), "{status:#}");
    assert_eq!(status["durable"]["complete_at"], Value::Null);
    run.ends(Ok(End::at(151)));
    await_status(run.address, "committed there", |status| status["lag_records"] == 51);
    run.read(1, 100, 151);
    await_status(run.address, "whole", |status| status["complete_at"].is_string());
}

#[test]
fn a_new_partition_is_lag_before_anything_of_it_is_read() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let status = await_status(run.address, "live", |status| status["state"] == "live");
    assert_eq!(status["topics"][0]["partitions"].as_array().map(Vec::len), Some(1));
    run.grow(1, End::at(100));
    let status = await_status(run.address, "asked for", |status| status["lag_records"] == 100);
    let part = &status["topics"][0]["partitions"][1];
    assert_eq!((&part["partition"], &part["next_offset"], &part["end_offset"]), (&1.into(), &0.into(), &100.into()));
    assert_eq!((&status["state"], &status["complete_at"]), (&"catching_up".into(), &Value::Null), "{status:#}");
    assert_eq!(status["durable"]["complete_at"], Value::Null);
}

#[test]
fn an_idle_slot_is_live_and_one_with_a_backlog_is_not() {
    let folder = folder();
    // Another run has read another source into the book; the ends of that one are not asked for.
    BookBuilder::open(folder.path(), "UTC", &[("old", 1), ("shop", 1)])
        .and_then(|mut book| book.commit(up_to(99)))
        .expect("a commit");
    let slot = Played::serve(folder.path(), SourceKind::Slot, End::at(100));
    let part = |status: &Value| status["topics"][0]["partitions"][0].clone();
    let status = await_status(slot.address, "live", |status| status["state"] == "live");
    assert_eq!((&status["lag_records"], &status["lag_bytes"]), (&Value::Null, &0.into()));
    assert_eq!((&status["topics"][0]["name"], status["topics"].as_array().map(Vec::len)), (&"shop".into(), Some(1)));
    assert!(status["complete_at"].is_string() && status["durable"]["complete_at"].is_string(), "{status:#}");
    assert!(status["connected_at"].is_string() && status["commit_interval_seconds"] == 10.0);

    // Other databases write; the reader has not reported yet that it is nothing for this slot.
    slot.ends(Ok(End::at(5_100)));
    let status = await_status(slot.address, "behind", |status| status["lag_bytes"] == 5_000);
    assert_eq!((&part(&status)["next_offset"], &part(&status)["end_offset"]), (&100.into(), &5_100.into()));
    // It has: no position has moved.
    slot.source_progress.record_empty(100, 5_100);
    let status = await_status(slot.address, "idle", |status| status["lag_bytes"] == 0);
    assert_eq!((&status["state"], &part(&status)["next_offset"]), (&"live".into(), &100.into()));
    assert_eq!(part(&status)["lag_seconds"], 0.0);

    // A transaction, and a backlog that lasts.
    slot.ends(Ok(End::at(900_000)));
    await_status(slot.address, "catching up", |status| status["state"] == "catching_up");
    slot.read(1, 100, 400_000);
    let status = await_status(slot.address, "nearer", |status| status["lag_bytes"] == 500_000);
    assert!(status["state_reason"].as_str().is_some_and(|why| why.contains("slot shop")), "{status:#}");
    assert_ne!(status["durable"]["complete_at"], Value::Null);
    let metrics = get(slot.address, "/metrics");
    assert!(metrics.text().contains("walbook_partition_lag_bytes{topic=\"shop\""));
    assert!(metrics.text().contains("\nwalbook_source_connected 1\n"), "{}", metrics.text());
    slot.read(2, 400_000, 900_000);
    await_status(slot.address, "live again", |status| status["state"] == "live");

    slot.ends(Err("connection refused".to_owned()));
    let status = await_status(slot.address, "disconnected", |status| status["state"] == "disconnected");
    assert!(status["state_reason"].as_str().is_some_and(|why| why.contains("connection refused")), "{status:#}");
    assert_eq!(status["connected_at"], Value::Null);
    assert!(get(slot.address, "/metrics").text().contains("\nwalbook_source_connected 0\n"));
    // After a disconnect the last known end is stale.
    assert_eq!(status["lag_bytes"], Value::Null);
}
