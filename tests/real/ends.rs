//! LSNs that are no end of a transaction, and servers whose WAL ends before what was read: nothing is skipped silently.

use std::process::Command;
use std::time::Duration;

use crate::book::Book;
use crate::capture::{Capture, expect_range};
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;

const TIMEOUT: Duration = Duration::from_secs(60);

/// The end of the newest COMMIT that a slot has not confirmed.
fn newest_commit(database: &Database, slot: &str) -> u64 {
    let sql = format!(
        "select max(lsn) - '0/0' from pg_logical_slot_peek_changes('{slot}', null, null) where data like 'COMMIT %'"
    );
    database.script(&sql).trim().parse().expect("there is a COMMIT")
}

#[test]
fn an_end_inside_a_commit_record_skips_nothing() {
    let database = Database::bare(&environment::postgres(), "inside");
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "inside", 1));
    capture.first();
    database.script("insert into public.t values (1)");
    database.script("insert into public.t values (2)");
    let inside = newest_commit(&database, &capture.slot) - 8;
    database.script("insert into public.t values (3)");
    let until = format!("{:X}/{:X}", inside >> 32, inside & 0xFFFF_FFFF);
    capture.start(&["--until-lsn", &until]).wait(TIMEOUT).expect_code(0);
    assert_eq!(capture.topic.stored_records(), 1);
    assert!(database.confirmed(&capture.slot) < inside, "an LSN inside a COMMIT record was confirmed");
    capture.once(&[]);
    assert_eq!(capture.topic.stored_records(), 3);
}

#[test]
fn an_end_read_while_commits_are_unsynced_skips_nothing() {
    let database = Database::bare(&environment::postgres(), "unsynced");
    database.script(&format!("alter database {} set synchronous_commit = off", database.name));
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "unsynced", 1));
    capture.first();
    let direct = Book::new("unsynced");
    let slot = format!("{}_direct", database.name);
    database.make_slot(&slot, "'test_decoding'");
    let rows = 20_000;
    std::thread::scope(|scope| {
        let url = database.url();
        let load = scope.spawn(move || {
            let script = format!(
                "do $$ begin for n in 1..{rows} loop insert into public.t values (n); commit; end loop; end $$"
            );
            let mut psql = Command::new(environment::postgres_program("psql"));
            assert!(psql.args(["-X", "-q", &url, "-c", &script]).status().expect("psql runs").success());
        });
        while !load.is_finished() {
            capture.once(&[]);
            read_slot(&direct, &database, &slot);
        }
    });
    capture.once(&[]);
    read_slot(&direct, &database, &slot);
    assert_eq!(capture.topic.stored_records(), rows);
    assert_eq!(direct.counts().total(), i64::try_from(rows).expect("few rows"));
    direct.verify();
}

#[track_caller]
fn read_slot(book: &Book, database: &Database, slot: &str) {
    let arguments = ["--postgres", &database.url(), "--slot", slot, "--until-end"];
    book.start("run", &arguments).wait(TIMEOUT).expect_code(0);
}

#[test]
fn a_server_that_was_set_back_is_refused_with_the_range() {
    let mut server = Server::start("set_back", &[]);
    let database = Database::bare(&server.url(), "set_back");
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "set_back", 1));
    capture.first();
    let book = Book::new("set_back");
    let slot = format!("{}_direct", database.name);
    database.make_slot(&slot, "'test_decoding'");
    read_slot(&book, &database, &slot);
    server.stop("fast");
    let copy = environment::folder("set_back_copy");
    let cp = |from: &std::path::Path, to: &std::path::Path| {
        let status = Command::new("cp").arg("-aT").arg(from).arg(to).status().expect("cp is installed");
        assert!(status.success());
    };
    cp(&server.data(), copy.path());
    server.launch();
    database.script("insert into public.t select generate_series(1, 5000)");
    capture.once(&[]);
    read_slot(&book, &database, &slot);
    let position = database.confirmed(&capture.slot);
    server.stop("fast");
    std::fs::remove_dir_all(server.data()).expect("the folder is ours");
    cp(copy.path(), &server.data());
    server.launch();
    database.script("insert into public.t values (1), (2)");
    let end = database.end();
    let ended = capture.once_with_code(3, &[]);
    ended.expect_said(&["restored from an older copy"]);
    expect_range(&ended, end.saturating_sub(1 << 20), position);
    let arguments = ["--postgres", &database.url(), "--slot", &slot, "--until-end"];
    let ended = book.start("run", &arguments).wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&["restored from an older copy"]);
}

#[test]
fn a_position_beyond_the_servers_wal_is_not_assumed() {
    let database = Database::bare(&environment::postgres(), "beyond");
    let capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "beyond", 1));
    database.make_slot(&capture.slot, "'test_decoding'");
    let ended = capture.once_with_code(2, &["--create-topic", "--assume-position", "7F/0"]);
    ended.expect_said(&["--assume-position", "beyond"]);
}
