//! The topics of a capture: their settings, the records that they accept, and what happens when they are replaced.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::capture::Capture;
use crate::captured::{Captured, lsn};
use crate::database::Database;
use crate::environment;
use crate::topic::{Record, Topic};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Inserts about `bytes` bytes that cannot be compressed.
fn insert_large(database: &Database, bytes: usize) {
    database.script(&format!(
        "insert into public.t select 2, string_agg(encode(sha256(n::text::bytea), 'base64'), '') from generate_series(1, {}) as n",
        bytes / 44
    ));
}

fn database(name: &str) -> Database {
    let database = Database::bare(&environment::postgres(), name);
    database.script("create table public.t (id int, v text)");
    database
}

#[test]
fn a_record_that_the_topic_does_not_accept_is_reported_and_never_skipped() {
    let database = database("too_large");
    let mut capture = Capture::new(&database, &Topic::create("too_large", 1));
    capture.once(&["--create-slot"]);
    database.script("insert into public.t values (1, 'small')");
    capture.once(&[]);
    let confirmed = database.confirmed(&capture.slot);
    database.script("begin; insert into public.t values (3, 'before it');");
    insert_large(&database, 3_000_000);
    database.script("insert into public.t values (4, 'behind it')");
    for _ in 0..2 {
        let ended = capture.once_with_code(1, &[]);
        ended.expect_said(&["public.t", "max.message.bytes=3", &capture.topic.name]);
        let names_it = ended.stderr.split(' ').any(|word| lsn(word).is_some_and(|at| at > confirmed));
        assert!(names_it, "no LSN in {}", ended.stderr);
        assert_eq!(Captured::read(&capture.topic).len(), 1);
    }
    let kept = database.script(&format!(
        "select count(*) from pg_logical_slot_peek_changes('{}', null, null) where data like 'table%'",
        capture.slot
    ));
    assert_eq!(kept.trim(), "2", "the slot was confirmed beyond it");

    // A topic that capture creates accepts it.
    capture.topic = Topic::nowhere(environment::brokers(), "not_too_large", 1);
    let before = database.script("select pg_current_wal_lsn()");
    let mut large = Capture::new(&database, &capture.topic);
    large.slot += "_2";
    large.first();
    insert_large(&database, 20_000_000);
    large.once(&[]);
    assert_eq!(Captured::read(&large.topic).len(), 1, "after {before}");
}

#[test]
fn topics_with_wrong_settings_are_refused_with_the_command_that_fixes_them() {
    let database = database("compacted");
    let capture = Capture::new(&database, &Topic::create_with("compacted", 1, &[("cleanup.policy", "compact")]));
    capture.once_with_code(2, &["--create-slot"]).expect_said(&["kafka-configs.sh", "cleanup.policy=delete"]);

    let mut other = Capture::new(&database, &Topic::nowhere(environment::brokers(), "position", 1));
    other.topic.of_position().make(&[]);
    let refused = other.once_with_code(2, &["--create-slot", "--create-topic"]);
    refused.expect_said(&["kafka-configs.sh", "cleanup.policy=compact", ".walbook-position"]);

    other.topic = Topic::nowhere(environment::brokers(), "positions", 2);
    other.topic.of_position().make(&[]);
    other.once_with_code(2, &["--create-slot", "--create-topic"]).expect_said(&["2 partitions"]);
    assert_eq!(
        database.script("select count(*) from pg_replication_slots where database = current_database()").trim(),
        "0"
    );
}

#[test]
fn a_topic_that_is_recreated_while_it_is_written_ends_the_capture() {
    let database = database("recreated_meanwhile");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "recreated_meanwhile", 1));
    let mut running = capture.start_first();
    running.await_said("capturing");
    capture.topic.recreate();
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&["recreated", &capture.topic.name]);
}

/// Deletes the topics that `which` returns while a capture writes; it must end without confirming later changes.
fn delete_under_a_busy_capture(name: &str, which: impl Fn(&Topic) -> Vec<Topic>) {
    let database = database(name);
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), name, 1));
    let mut running = capture.start_first();
    running.await_said("capturing");
    let deleted = which(&capture.topic);
    let (rows, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let first_behind = thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                let row = rows.load(Ordering::Relaxed);
                database.script(&format!("insert into public.t values ({row}, 'busy')"));
                rows.store(row + 1, Ordering::Relaxed);
            }
        });
        capture.topic.await_offsets(50, || running.expect_alive());
        for topic in &deleted {
            topic.delete();
        }
        // The insert that is in progress may have begun before.
        let first_behind = rows.load(Ordering::Relaxed) + 1;
        while rows.load(Ordering::Relaxed) < first_behind + 20 {
            thread::sleep(Duration::from_millis(10));
        }
        enough.store(true, Ordering::Relaxed);
        first_behind
    });
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    for topic in &deleted {
        ended.expect_said(&[&topic.name]);
        assert!(!topic.exists(), "{} was created again", topic.name);
    }
    let kept = database.script(&format!(
        "select count(*) from pg_logical_slot_peek_changes('{}', null, null) where data ~ 'id.integer.:{first_behind} '",
        capture.slot
    ));
    assert_eq!(kept.trim(), "1", "the slot was confirmed beyond what the topic holds");
}

#[test]
fn a_topic_that_is_deleted_while_it_is_written_ends_the_capture() {
    delete_under_a_busy_capture("deleted", |topic| vec![topic.clone()]);
}

#[test]
fn a_position_that_is_deleted_while_it_is_written_ends_the_capture() {
    delete_under_a_busy_capture("deleted_position", |topic| vec![topic.of_position()]);
}

#[test]
fn both_topics_deleted_while_they_are_written_are_missing_data_and_not_a_first_start() {
    delete_under_a_busy_capture("deleted_both", |topic| vec![topic.clone(), topic.of_position()]);
}

#[test]
fn a_position_behind_an_open_transaction_is_waited_for() {
    let database = database("open_transaction");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "open_transaction", 1));
    capture.first();
    database.script("insert into public.t values (1, 'behind it')");
    let positions = capture.topic.of_position();
    let other = positions.producer(&[("transactional.id", &positions.name)]);
    other.init_transactions();
    other.begin();
    let aborted = Record { key: Some(b"position".to_vec()), value: Some(b"aborted".to_vec()), ..Record::default() };
    other.produce([aborted]);

    let mut waiting = capture.start(&["--once"]);
    thread::sleep(Duration::from_secs(4));
    waiting.expect_alive();
    assert_eq!(Captured::read(&capture.topic).len(), 0);
    other.abort();
    waiting.wait(TIMEOUT).expect_code(0);
    assert_eq!(Captured::read(&capture.topic).len(), 1);
}

#[test]
fn settings_that_exactly_once_depends_on_cannot_be_passed() {
    let database = database("passed");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "passed", 1));
    for setting in [
        "acks=1",
        "allow.auto.create.topics=true",
        "enable.idempotence=false",
        "transactional.id=x",
        "partitioner=random",
        "isolation.level=x",
    ] {
        let ended = capture.once_with_code(2, &["-X", setting]);
        ended.expect_said(&[setting.split('=').next().expect("a key")]);
    }
    let arguments = ["--create-slot", "--create-topic", "-X", "compression.type=zstd", "-X", "linger.ms=1"];
    capture.once(&arguments);
}
