//! Data that Kafka no longer has is never skipped in silence: exit 3, and the range.

use std::thread;
use std::time::Duration;

use crate::book::Book;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

#[test]
fn records_lost_to_retention_end_the_start_with_their_range() {
    let topic = Topic::create("retention", 2);
    topic.produce(inserts(200, 2));
    let book = Book::new("retention");
    book.run_to_end(&[&topic], &[]);
    topic.produce(inserts(200, 2));
    topic.delete_below(1, 150);

    let ended = book.run(&[&topic], &["--until-end"]).wait(Duration::from_secs(60));
    ended.expect_code(3);
    ended.expect_said(&[&topic.name, "100", "150"]);
    assert_same("the book stays as it was", &book.counts(), &inserted(200));
    book.verify();
}

#[test]
fn records_lost_to_retention_while_it_sleeps_end_the_run() {
    let topic = Topic::create("retention_asleep", 1);
    topic.produce(inserts(200, 1));
    let book = Book::new("retention_asleep");
    let mut run = book.run(&[&topic], &["--commit-interval", "100ms", "-X", "fetch.wait.max.ms=10"]);
    book.await_total(200, &mut run);
    run.signal("STOP");
    // A request that rests at the broker would still be answered with the records that are deleted below.
    thread::sleep(Duration::from_millis(500));
    topic.produce(inserts(200, 1));
    topic.delete_below(0, 350);
    run.signal("CONT");
    let ended = run.wait(Duration::from_secs(60));
    ended.expect_code(3);
    ended.expect_said(&[&topic.name, "200", "350"]);
    assert_same("the book stays as it was", &book.counts(), &inserted(200));
    book.verify();
}

#[test]
fn a_book_that_starts_late_starts_at_the_first_record_there_is() {
    let topic = Topic::create("late", 1);
    topic.produce(inserts(200, 1));
    topic.delete_below(0, 150);
    let book = Book::new("late");
    book.run_to_end(&[&topic], &[]);
    assert_same("the rest", &book.counts(), &inserted(50));
    book.verify();

    let latest = Book::new("latest");
    latest.run_to_end(&[&topic], &["--from", "latest"]);
    topic.produce(inserts(30, 1));
    latest.run_to_end(&[&topic], &[]);
    assert_same("from the latest", &latest.counts(), &inserted(30));
    latest.verify();
}

#[test]
fn a_topic_that_was_made_anew_is_another_topic() {
    let topic = Topic::create("recreated", 1);
    topic.produce(inserts(200, 1));
    let book = Book::new("recreated");
    book.run_to_end(&[&topic], &[]);
    topic.recreate();
    // More records than before: positions alone would look right.
    topic.produce(inserts(300, 1));

    let ended = book.run(&[&topic], &["--until-end"]).wait(Duration::from_secs(60));
    ended.expect_code(3);
    ended.expect_said(&[&topic.name]);
    assert_same("the book stays as it was", &book.counts(), &inserted(200));
    book.verify();
}

#[test]
fn a_topic_that_is_made_anew_while_it_is_read_ends_the_run() {
    let topic = Topic::create("recreated_alive", 1);
    topic.produce(inserts(200, 1));
    let book = Book::new("recreated_alive");
    let mut run = book.run(&[&topic], &["--commit-interval", "1s"]);
    book.await_total(200, &mut run);
    topic.recreate();
    // The offsets that come next are there again, with other records.
    topic.produce(inserts(1000, 1));

    let ended = run.wait(Duration::from_secs(60));
    ended.expect_code(3);
    ended.expect_said(&[&topic.name]);
    assert_same("the book stays as it was", &book.counts(), &inserted(200));
    book.verify();
}
