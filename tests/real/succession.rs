//! One run owns a book: a later one fences it, a signal ends it with exit 0, new partitions join it.

use std::thread;
use std::time::Duration;

use crate::book::Book;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};
use crate::truth::{Counts, assert_same};

const TIME: i64 = 1_790_000_000_000;
const DAY: &str = "2026-09-21";

/// `number` records of one insert each.
pub(crate) fn inserts(number: usize, partitions: i32) -> impl Iterator<Item = Record> {
    let line = |id: usize| format!("table public.t: INSERT: id[integer]:{id}");
    (0..number).map(move |id| Record {
        partition: i32::try_from(id).expect("few records") % partitions,
        time: TIME,
        value: Some(lines::plain(Shape::Schemaless, &line(id))),
        ..Record::default()
    })
}

/// The counts of `number` of them.
pub(crate) fn inserted(number: i64) -> Counts {
    let mut counts = Counts::default();
    counts.add(DAY, "public", "t", "INSERT", number);
    counts
}

#[test]
fn a_second_run_fences_the_first() {
    let topic = Topic::create("takeover", 2);
    let book = Book::new("takeover");
    let mut first = book.run(&[&topic], &["--commit-interval", "100ms"]);
    topic.produce(inserts(1000, 2));
    book.await_total(1000, &mut first);

    let mut second = book.run(&[&topic], &["-w", "2", "--commit-interval", "100ms"]);
    while book.fences() < 2 {
        second.expect_alive();
        thread::sleep(Duration::from_millis(20));
    }
    topic.produce(inserts(1000, 2));
    first.wait(Duration::from_secs(30)).expect_code(4);
    book.await_total(2000, &mut second);
    second.signal("TERM");
    second.wait(Duration::from_secs(10)).expect_code(0);
    assert_same("after the second run", &book.counts(), &inserted(2000));
    book.verify();
}

#[test]
fn a_suspended_run_that_was_replaced_is_fenced() {
    let topic = Topic::create("suspended", 2);
    let book = Book::new("suspended");
    let mut sleeper = book.run(&[&topic], &["--commit-interval", "100ms"]);
    topic.produce(inserts(1000, 2));
    book.await_total(1000, &mut sleeper);
    topic.produce(inserts(5000, 2));
    sleeper.signal("STOP");

    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("the successor", &book.counts(), &inserted(6000));
    sleeper.signal("CONT");
    topic.produce(inserts(100, 2));
    sleeper.wait(Duration::from_secs(30)).expect_code(4);

    assert_same("after the sleeper woke", &book.counts(), &inserted(6000));
    book.verify();
    book.run_to_end(&[&topic], &[]);
    assert_same("after another run", &book.counts(), &inserted(6100));
    book.verify();
}

#[test]
fn a_signal_commits_what_is_read() {
    for signal in ["INT", "TERM"] {
        let topic = Topic::create("signal", 2);
        topic.produce(inserts(20_000, 2));
        let book = Book::new("signal");
        // Nothing commits by itself before the signal does.
        let mut run = book.run(&[&topic], &["-w", "2", "--commit-interval", "1h"]);
        while book.fences() < 1 {
            run.expect_alive();
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_secs(2));
        run.signal(signal);
        let ended = run.wait(Duration::from_secs(10));
        ended.expect_code(0);
        assert_same(&format!("SIG{signal}"), &book.counts(), &inserted(20_000));
        book.verify();
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let topic = Topic::create("second_signal", 1);
    topic.produce(inserts(200_000, 1));
    let book = Book::new("second_signal");
    let mut run = book.run(&[&topic], &["--commit-interval", "1h"]);
    while book.fences() < 1 {
        run.expect_alive();
        thread::sleep(Duration::from_millis(5));
    }
    run.signal("TERM");
    if run.is_alive() {
        run.signal("TERM");
    }
    let ended = run.wait(Duration::from_secs(2));
    println!("ended {:?} after the second signal", ended.took);
    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("after the signals", &book.counts(), &inserted(200_000));
    book.verify();
}

#[test]
fn partitions_that_are_added_while_it_runs_are_read_from_their_start() {
    let mut topic = Topic::create("growing", 1);
    let book = Book::new("growing");
    let mut run = book
        .run(&[&topic], &["-w", "2", "--commit-interval", "100ms", "-X", "topic.metadata.refresh.interval.ms=1000"]);
    topic.produce(inserts(1000, 1));
    book.await_total(1000, &mut run);

    topic.grow(5);
    topic.produce(inserts(1000, 5));
    book.await_total(2000, &mut run);
    run.signal("TERM");
    run.wait(Duration::from_secs(10)).expect_code(0);

    topic.grow(6);
    topic.produce(inserts(600, 6));
    book.run_to_end(&[&topic], &["-w", "3"]);
    assert_same("with new partitions", &book.counts(), &inserted(2600));
    book.verify();
}
