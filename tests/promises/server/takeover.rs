//! Commits of a run become durable after they were live, and without their files; after another run takes over, nothing is live.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::book_builder::BookBuilder;
use walbook::book::Snapshot;
use walbook::book::log::entry::SourceKind;
use walbook::change::End;

use super::client::{ask, get, watch};
use super::played::{Played, await_status, newest_commit, up_to};
use crate::readers::loop_of_rows::folder;

#[test]
fn the_durable_state_is_never_ahead_of_the_live_state() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    let first = book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let second = book.commit(up_to(149)).expect("a commit");
    run.commit();
    // Longer than the log is looked at: the epochs of this commit have not arrived yet.
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
    // The other order is the usual one.
    let third = book.commit(up_to(159)).expect("a commit");
    run.read(3, 150, 160);
    await_status(run.address, "read", |status| status["complete_to"]["positions"]["shop"]["0"] == 160);
    run.commit();
    await_status(run.address, "durable", |status| status["durable"]["commit"] == third);
}

#[test]
fn a_commit_of_the_served_run_becomes_durable_without_its_files() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let mut contents = up_to(149);
    contents.events[0].1.commit_time = Some(1_790_000_000_000_000);
    let commit = book.commit(contents).expect("a commit");
    for files in ["events", "counts"] {
        fs::remove_dir_all(folder.path().join(files)).expect("the book has these files");
    }
    run.read(1, 100, 150);
    run.commit();
    let status = await_status(run.address, "durable", |status| status["durable"]["commit"] == commit);
    assert_eq!((&status["durable"]["changes"], &status["complete_to"]["level"]), (&1.into(), &"live".into()));
    let counts = get(run.address, "/api/counts?level=durable").json();
    assert_eq!((&counts["complete_to"]["commit"], &counts["rows"][0]["count"]), (&commit.into(), &2.into()));
    assert_eq!(counts["complete_to"]["commit_time"], "2026-09-21T14:13:20.000000Z");
}

#[test]
fn after_a_takeover_answers_are_those_of_the_other_run() {
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
    // What the first run still reads belongs to no book.
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
fn a_commit_on_its_way_to_the_server_is_no_takeover() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), SourceKind::Kafka, End::at(100));
    let first = newest_commit(folder.path());
    book.commit(up_to(149)).expect("a commit");
    // Longer than the log is looked at: it has an entry of this run that was not reported yet.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        assert_eq!(get(run.address, "/api/counts").json()["complete_to"]["level"], "live");
    }
    assert_eq!(get(run.address, "/api/status").json()["durable"]["commit"], first.entry.commit);
}

#[test]
fn a_takeover_before_the_server_starts_is_noticed() {
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
