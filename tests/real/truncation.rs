//! Topics that were cut and grew again: the offsets fit, the records do not. Exit 3, and the range; never other counts.

use std::time::Duration;

use crate::book::{Book, Running};
use crate::broker::Broker;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

const TIMEOUT: Duration = Duration::from_secs(90);
/// Records that all brokers have.
const SHARED: i64 = 300;
/// Records that were read, up to where nobody has them any more.
const READ: i64 = 500;

fn produce(topic: &Topic, records: i64) {
    let records = inserts(usize::try_from(records).expect("few"), 1);
    topic.producer(&[("acks", "1")]).produce(records);
}

/// Fails unless a run has ended because the records from `from` on are others, and left the book as it was.
#[track_caller]
fn expect_truncated(book: &Book, run: Running, topic: &Topic, from: i64) {
    let ended = run.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&topic.name, &format!("offsets {from} to {READ} (exclusive)")]);
    assert_same("the book stays as it was", &book.counts(), &inserted(READ));
    book.verify();
}

#[test]
fn an_unclean_election_ends_each_run_that_has_read_what_it_cut() {
    let [first, mut leader, mut follower] = Broker::cluster("unclean");
    let topic = |name: &str| {
        let topic = Topic::nowhere(first.addresses(), name, 1);
        let settings = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
        topic.make_on(&[leader.id, follower.id], &settings);
        topic.producer(&[("acks", "all")]).produce(inserts(SHARED as usize, 1));
        topic
    };
    // Of a book that no run is up for, of a run that has read records, and of one that has read none yet.
    let [down, up, idle] = ["unclean_down", "unclean_up", "unclean_idle"].map(topic);
    let aborted = topic("unclean_aborted");
    let unaffected = Book::new("unclean_unaffected");
    unaffected.run_to_end(&[&down], &[]);

    follower.kill();
    aborted.await_leader(leader.id, true);
    for topic in [&down, &up, &idle] {
        topic.await_leader(leader.id, true);
        produce(topic, READ - SHARED);
    }
    // An aborted transaction leaves offsets without a record, which records will take.
    let producer = aborted.producer(&[("transactional.id", &aborted.name)]);
    producer.init_transactions();
    producer.begin();
    producer.produce(inserts(2, 1));
    producer.abort();
    // The marker comes a moment later.
    aborted.await_offsets(SHARED + 3, || {});
    let book_aborted = Book::new("unclean_aborted");
    book_aborted.run_to_end(&[&aborted], &[]);

    let [book_down, book_up, book_idle] = ["unclean_down", "unclean_up", "unclean_idle"].map(Book::new);
    book_down.run_to_end(&[&down], &[]);
    book_idle.run_to_end(&[&idle], &[]);
    let mut running_up = book_up.run(&[&up], &["--commit-interval", "100ms"]);
    book_up.await_total(READ, &mut running_up);
    let mut running_idle = book_idle.run(&[&idle], &["--commit-interval", "100ms"]);
    running_idle.await_said("reading");

    leader.kill();
    follower.launch();
    for topic in [&down, &up, &idle, &aborted] {
        topic.await_leader(follower.id, true);
    }
    // Cut and not grown again, then grown below the position, then past it.
    for records in [0, 100, 400] {
        produce(&down, records);
        expect_truncated(&book_down, book_down.run(&[&down], &["--until-end"]), &down, SHARED);
    }
    for (topic, book, running) in [(&up, &book_up, running_up), (&idle, &book_idle, running_idle)] {
        produce(topic, READ);
        expect_truncated(book, running, topic, SHARED);
        expect_truncated(book, book.run(&[topic], &["--until-end", "-w", "2"]), topic, SHARED);
    }
    produce(&aborted, READ);
    let ended = book_aborted.run(&[&aborted], &["--until-end"]).wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&aborted.name, "offsets 300 to 303 (exclusive)"]);
    assert_same("the book stays as it was", &book_aborted.counts(), &inserted(SHARED));
    book_aborted.verify();
    // A book that has read only what all brokers have continues.
    unaffected.run_to_end(&[&down], &[]);
    assert_same("what is there", &unaffected.counts(), &inserted(SHARED + READ));
    unaffected.verify();
}

#[test]
fn a_broker_that_lost_its_disk_ends_a_run_even_when_the_topic_has_grown_again() {
    let mut broker = Broker::start("lost_disk");
    let topic = Topic::nowhere(broker.addresses(), "lost_disk", 1);
    topic.make(&[]);
    produce(&topic, READ);
    let book = Book::new("lost_disk");
    book.run_to_end(&[&topic], &[]);
    // Nothing is wrong with a broker that only restarts.
    broker.stop();
    broker.launch();
    topic.await_leader(broker.id, true);
    book.run_to_end(&[&topic], &[]);

    broker.stop();
    broker.lose(&topic.name, 0);
    broker.launch();
    topic.await_leader(broker.id, true);
    produce(&topic, READ + 200);
    expect_truncated(&book, book.run(&[&topic], &["--until-end"]), &topic, 0);
}
