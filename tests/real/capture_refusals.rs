//! What a capture refuses: WAL that was consumed without it, exit 3 with the range; settings that cannot work, exit 2.

use std::time::Duration;

use crate::capture::{Capture, expect_range};
use crate::captured::Captured;
use crate::database::Database;
use crate::environment;
use crate::psql;
use crate::server::Server;
use crate::topic::{Record, Topic};

/// A database of one table on the server of `./test`, and its capture, not started yet.
fn database(name: &str) -> (Database, Capture) {
    let database = Database::bare(&environment::postgres(), name);
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), name, 1));
    (database, capture)
}

/// The same with a hundred rows captured.
fn captured(name: &str) -> (Database, Capture) {
    let (database, capture) = database(name);
    capture.first();
    insert(&database, 100);
    capture.once(&[]);
    assert_eq!(Captured::read(&capture.topic).len(), 100);
    (database, capture)
}

fn insert(database: &Database, rows: u32) {
    database.script(&format!("insert into public.t select generate_series(1, {rows})"));
}

#[test]
fn a_slot_that_another_client_advanced_is_refused_with_the_range() {
    let advances = [
        "select pg_replication_slot_advance('SLOT', pg_current_wal_lsn())",
        "select count(*) from pg_logical_slot_get_changes('SLOT', null, null)",
    ];
    for advance in advances {
        let (database, capture) = captured("advanced");
        let before = database.confirmed(&capture.slot);
        insert(&database, 10);
        database.script(&advance.replace("SLOT", &capture.slot));
        let ended = capture.once_with_code(3, &[]);
        ended.expect_said(&[&capture.slot]);
        expect_range(&ended, before, database.confirmed(&capture.slot));
        // It is still refused, and nothing was written.
        capture.once_with_code(3, &[]);
        assert_eq!(Captured::read(&capture.topic).len(), 100);
    }
}

#[test]
fn a_slot_that_was_dropped_is_missing_data() {
    let (database, capture) = captured("dropped");
    database.script(&format!("select pg_drop_replication_slot('{}')", capture.slot));
    insert(&database, 10);
    capture.once_with_code(3, &[]).expect_said(&[&capture.slot]);
    capture.once_with_code(3, &["--create-slot"]).expect_said(&[&capture.slot]);
    assert_eq!(Captured::read(&capture.topic).len(), 100);
}

#[test]
fn a_slot_that_does_not_exist_at_the_first_start_is_a_wrong_setting() {
    let (_database, capture) = database("no_slot");
    capture.once_with_code(2, &["--create-topic"]).expect_said(&[&capture.slot, "--create-slot"]);
}

#[test]
fn slots_of_another_plugin_or_with_two_phases_are_refused() {
    let (database, mut capture) = database("wrong_slots");
    for (name, arguments, word) in
        [("other", "'pgoutput'", "pgoutput"), ("phases", "'test_decoding', false, true", "two")]
    {
        capture.slot = format!("{}_{name}", database.name);
        database.make_slot(&capture.slot, arguments);
        capture.once_with_code(2, &["--create-topic"]).expect_said(&[&capture.slot, word]);
    }
}

#[test]
fn a_physical_slot_or_one_of_another_database_is_refused() {
    let (database, mut capture) = database("foreign_slots");
    let other = Database::create("foreign_slots_other");
    capture.slot = other.name.clone();
    capture.once_with_code(2, &["--create-topic"]).expect_said(&[&capture.slot, &other.name]);
    capture.slot = format!("{}_physical", database.name);
    database.script(&format!("select pg_create_physical_replication_slot('{}')", capture.slot));
    let ended = capture.start(&["--once", "--create-topic"]).wait(Duration::from_secs(60));
    database.script(&format!("select pg_drop_replication_slot('{}')", capture.slot));
    ended.expect_code(2);
    ended.expect_said(&[&capture.slot]);
}

#[test]
fn streamed_changes_and_unknown_options_are_refused() {
    let (_database, capture) = captured("plugin_options");
    for (option, word) in [("stream-changes=1", "stream-changes"), ("no-such-option=1", "no-such-option")] {
        capture.once_with_code(2, &["--plugin-option", option]).expect_said(&[word]);
    }
    capture.once(&["--plugin-option", "only-local=1"]);
}

#[test]
fn a_database_that_is_not_utf8_is_refused() {
    for (encoding, locale) in [("LATIN1", "C"), ("SQL_ASCII", "C")] {
        let name = environment::unique("encoding");
        let maintenance = format!("{}/postgres", environment::postgres());
        psql::script(
            &maintenance,
            &format!("create database {name} encoding '{encoding}' locale '{locale}' template template0"),
        );
        let (_database, mut capture) = database("encoding");
        capture.url = format!("{}/{name}", environment::postgres());
        let ended = capture.once_with_code(2, &["--create-slot", "--create-topic"]);
        ended.expect_said(&[encoding, "UTF8"]);
        let slots =
            psql::script(&maintenance, &format!("select count(*) from pg_replication_slots where database = '{name}'"));
        assert_eq!(slots.trim(), "0", "a slot was left behind");
    }
}

#[test]
fn a_server_a_role_or_a_password_that_cannot_replicate_is_refused() {
    let server = Server::start("unable", &["wal_level=replica"]);
    server.script("create role plain login; create role secret login superuser password 'right'");
    server.admit("host all secret 127.0.0.1/32 scram-sha-256");
    let database = Database::bare(&server.url(), "unable");
    let mut capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "unable", 1));
    let first = ["--create-slot", "--create-topic"];
    capture.once_with_code(2, &first).expect_said(&["wal_level"]);
    capture.url = format!("{}/{}", server.url_as("secret:right"), database.name);
    capture.once_with_code(2, &first).expect_said(&["wal_level"]);
    capture.url = format!("{}/{}", server.url_as("secret:wrong"), database.name);
    capture.once_with_code(2, &first).expect_said(&["password"]);

    // A role's missing privilege is checked on a server that can replicate.
    let (on_good, mut capture) = self::database("no_privilege");
    on_good.script(&format!("create role {} login", on_good.name));
    capture.url = on_good.url().replace("postgres@", &format!("{}@", on_good.name));
    let ended = capture.start(&["--once", "--create-slot", "--create-topic"]).wait(Duration::from_secs(60));
    on_good.script(&format!("drop role {}", on_good.name));
    ended.expect_code(2);
    assert!(ended.stderr.to_lowercase().contains("replication"), "{}", ended.stderr);
}

#[test]
fn a_topic_of_another_slot_is_refused() {
    let (database, mut capture) = captured("two_slots");
    capture.slot += "_other";
    database.make_slot(&capture.slot, "'test_decoding'");
    insert(&database, 10);
    let ended = capture.once_with_code(3, &[]);
    ended.expect_said(&[&capture.topic.name, &capture.slot]);
    assert_eq!(Captured::read(&capture.topic).len(), 100);
}

#[test]
fn a_recreated_topic_is_refused() {
    let (database, capture) = captured("made_anew");
    capture.topic.recreate();
    insert(&database, 10);
    capture.once_with_code(3, &[]).expect_said(&[&capture.topic.name]);
    assert_eq!(capture.topic.stored_records(), 0);
}

#[test]
fn a_topic_with_records_and_no_position_is_refused_until_one_is_assumed() {
    let (database, mut capture) = database("no_position");
    capture.topic = Topic::create("no_position", 1);
    let record = Record { time: 1_790_000_000_000, value: Some(b"before".to_vec()), ..Record::default() };
    capture.topic.produce([record]);
    database.make_slot(&capture.slot, "'test_decoding'");
    insert(&database, 100);
    let from = database.script("select pg_current_wal_lsn()");
    insert(&database, 10);
    capture.once_with_code(3, &[]).expect_said(&[&capture.topic.name, "--assume-position"]);
    assert_eq!(capture.topic.stored_records(), 1);

    capture.once(&["--assume-position", from.trim()]);
    assert_eq!(capture.topic.stored_records(), 11);
    capture.once(&[]);
    assert_eq!(capture.topic.stored_records(), 11);
}

#[test]
fn a_slot_that_the_server_invalidated_is_missing_data() {
    let server = Server::start("lost_slot", &["max_slot_wal_keep_size=1MB"]);
    let database = Database::bare(&server.url(), "lost_slot");
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "lost_slot", 1));
    capture.first();
    for _ in 0..6 {
        insert(&database, 10);
        server.script("select pg_switch_wal()");
    }
    server.script("checkpoint");
    let status = database.script("select wal_status from pg_replication_slots");
    assert_eq!(status.trim(), "lost");
    let ended = capture.once_with_code(3, &[]);
    ended.expect_said(&[&capture.slot, "is lost", "max_slot_wal_keep_size"]);
}

#[test]
fn a_topic_that_does_not_exist_is_created_only_on_request() {
    let (_database, capture) = database("no_topic");
    capture.once_with_code(2, &["--create-slot"]).expect_said(&[&capture.topic.name, "--create-topic"]);
    assert!(!capture.topic.exists());
}
