//! A book straight from a slot: kills of the run and crashes of PostgreSQL lose nothing and repeat nothing.

use std::thread;
use std::time::Duration;

use crate::book::{Book, Running};
use crate::capture::expect_range;
use crate::database::Database;
use crate::dice::Dice;
use crate::environment;
use crate::server::Server;
use crate::truth::{Counts, assert_same};
use crate::workload::{TABLES, Workload};

const DAY: &str = "a day";

/// How long a run to the end may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Starts a run from a slot.
fn run(book: &Book, url: &str, slot: &str, arguments: &[&str]) -> Running {
    book.start("run", &[&["--postgres", url, "--slot", slot], arguments].concat())
}

#[test]
fn a_killed_run_from_a_slot_loses_nothing_and_repeats_nothing() {
    let mut dice = Dice::throw("direct_kills");
    let kills = if environment::is_long() { 100 } else { 8 };
    let mut server = Server::start("direct_kills", &[]);
    let database = Database::create_to_survive(&server.url(), "direct_kills", TABLES);
    let slot = format!("{}_read", database.name);
    let book = Book::new("direct_kills");
    run(&book, &database.url(), &slot, &["--create-slot", "--until-end"]).wait(TIMEOUT).expect_code(0);

    let workload = Workload::start(&database.url(), 4, &mut dice);
    let mut faults: Vec<bool> = [vec![true; kills], vec![false; 3]].concat();
    dice.shuffle(&mut faults);
    let (mut crashes, mut survived, mut seen) = (0, 0, 0);
    for is_kill in faults {
        let interval = dice.pick(&["100ms", "300ms", "1s"]);
        let workers = dice.pick(&["1", "2", "3"]);
        let mut running = run(&book, &database.url(), &slot, &["--commit-interval", interval, "-w", workers]);
        thread::sleep(dice.between(Duration::from_millis(100), Duration::from_millis(2500)));
        running.expect_alive();
        if !is_kill {
            server.restart_immediate();
            crashes += 1;
            thread::sleep(Duration::from_millis(1500));
            survived += u32::from(running.is_alive());
        }
        running.kill();
        if !book.parquet("counts").is_empty() {
            let committed = book.counts().total();
            assert!(committed >= seen, "{committed} changes after {seen}");
            seen = committed;
        }
    }
    assert!(seen > 0, "no run was alive long enough to commit");
    let transactions = workload.finish();
    println!(
        "{transactions} transactions, {survived} runs survived {crashes} crashes, {seen} changes before the last run"
    );

    run(&book, &database.url(), &slot, &["--until-end"]).wait(TIMEOUT).expect_code(0);
    assert_same("the book", &book.counts().on_day(DAY), &database.surviving_truth(DAY));
    book.verify();
}

#[test]
fn a_slot_is_confirmed_only_to_what_the_book_holds() {
    let database = Database::create("direct_confirm");
    database.script("create table public.t (id int); insert into public.t select generate_series(1, 1000);");
    let book = Book::new("direct_confirm");
    let before = database.confirmed(&database.name);
    // Nothing commits by itself before the kill.
    let running = run(&book, &database.url(), &database.name, &["--commit-interval", "1h"]);
    thread::sleep(Duration::from_secs(3));
    running.kill();
    assert_eq!(database.confirmed(&database.name), before, "confirmed without a commit");

    run(&book, &database.url(), &database.name, &["--until-end"]).wait(TIMEOUT).expect_code(0);
    assert_same("the book", &book.counts().on_day(DAY), &inserted(1000));
    assert!(database.confirmed(&database.name) > before, "not confirmed after a commit");
    book.verify();
}

#[test]
fn changes_that_another_client_consumed_from_the_slot_end_the_run() {
    let database = Database::create("direct_consumed");
    database.script("create table public.t (id int); insert into public.t select generate_series(1, 1000);");
    let book = Book::new("direct_consumed");
    run(&book, &database.url(), &database.name, &["--until-end"]).wait(TIMEOUT).expect_code(0);
    database.script("insert into public.t select generate_series(1, 10);");
    assert!(!database.take("null", "", "").is_empty(), "there was a transaction");

    let ended = run(&book, &database.url(), &database.name, &["--until-end"]).wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&database.name]);
    expect_range(&ended, 1, database.confirmed(&database.name));
    assert_same("the book stays as it was", &book.counts().on_day(DAY), &inserted(1000));
    book.verify();
}

#[test]
fn a_slot_that_was_dropped_ends_the_run() {
    let database = Database::create("direct_dropped");
    database.script("create table public.t (id int); insert into public.t select generate_series(1, 1000);");
    let book = Book::new("direct_dropped");
    run(&book, &database.url(), &database.name, &["--until-end"]).wait(TIMEOUT).expect_code(0);
    database.script(&format!("select pg_drop_replication_slot('{}')", database.name));
    database.script("insert into public.t select generate_series(1, 10);");
    for arguments in [["--until-end"].as_slice(), &["--until-end", "--create-slot"]] {
        let ended = run(&book, &database.url(), &database.name, arguments).wait(TIMEOUT);
        ended.expect_code(3);
        ended.expect_said(&[&database.name]);
    }
    book.verify();
}

/// The counts of `number` inserts into `public.t`.
fn inserted(number: i64) -> Counts {
    let mut counts = Counts::default();
    counts.add(DAY, "public", "t", "INSERT", number);
    counts
}
