//! What is durable was told as live before; and where another run writes the book, nothing is live any more.

use std::time::{Duration, Instant};

use walbook::book::Snapshot;
use walbook::book::entry::SourceKind;
use walbook::change::End;
use walbook::testing::book_builder::BookBuilder;

use super::client::{ask, get, watch};
use super::played::{Played, await_status, up_to};
use crate::readers::loop_of_rows::folder;

#[test]
fn what_is_durable_is_never_ahead_of_what_is_live() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    let first = book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let second = book.commit(up_to(149)).expect("a commit");
    // Several looks at the log: the epochs of this commit are still on their way.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(1) {
        assert_eq!(get(run.address, "/api/status").json()["durable"]["commit"], first);
        assert_eq!(get(run.address, "/api/counts?level=durable").json()["complete_to"]["commit"], first);
    }
    run.read(1, 100, 140);
    run.read(2, 140, 150);
    let status = await_status(run.address, "durable", |status| status["durable"]["commit"] == second);
    assert_eq!(status["complete_to"]["positions"]["shop"]["0"], 150);
    assert_eq!(status["complete_to"]["level"], "live");
}

#[test]
fn who_has_lost_the_book_to_another_run_tells_what_that_one_commits() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let mut watching = watch(run.address, "/api/live", &[]);
    assert_eq!(watching.next().data["complete_to"]["level"], "live");
    assert_eq!(ask(run.address, "GET", "/api/counts?level=live", &[]).status, 200);

    let mut other = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book that is taken over");
    let status = await_status(run.address, "at rest", |status| status["state"] == "at_rest");
    let reason = status["state_reason"].as_str().expect("a reason");
    assert!(reason.contains("another run has taken the book over"), "{reason}");
    assert_eq!((&status["live"], &status["mode"]), (&serde_json::Value::Null, &"serve".into()));
    let mut event = watching.next();
    while event.kind != "snapshot" {
        event = watching.next();
    }
    assert_eq!(event.data["complete_to"]["level"], "durable");

    let commit = other.commit(up_to(149)).expect("a commit");
    await_status(run.address, "committed", |status| status["durable"]["commit"] == commit);
    // What this one goes on to read is of nobody's book.
    run.read(7, 100, 300);
    let event = watching.next();
    assert_eq!((event.kind.as_str(), &event.data["complete_to"]["commit"]), ("delta", &commit.into()));
    assert_eq!(event.data["rows"][0]["count"], 2);
    let counts = get(run.address, "/api/counts").json();
    assert_eq!((&counts["complete_to"]["level"], &counts["rows"][0]["count"]), (&"durable".into(), &2.into()));
    assert_eq!(ask(run.address, "GET", "/api/counts?level=live", &[]).status, 400);
    assert_eq!(ask(run.address, "GET", "/healthz", &[]).status, 200);
    assert!(!get(run.address, "/metrics").text().contains("walbook_epoch"));
}

#[test]
fn who_has_lost_the_book_before_it_serves_tells_what_is_there() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let opened = Snapshot::take(folder.path()).expect("a book");
    let mut other = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book that is taken over");
    other.commit(up_to(149)).expect("a commit");
    let run = Played::serve_after(&opened, folder.path(), SourceKind::Kafka, End::at(150));
    let counts = get(run.address, "/api/counts").json();
    assert_eq!((&counts["complete_to"]["level"], &counts["rows"][0]["count"]), (&"durable".into(), &2.into()));
    let commit = other.commit(up_to(159)).expect("a commit");
    await_status(run.address, "committed", |status| status["durable"]["commit"] == commit);
    assert_eq!(get(run.address, "/api/counts").json()["rows"][0]["count"], 3);
}
