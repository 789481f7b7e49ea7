//! A broker loses records that were captured, while the position of the capture survives.

use std::time::Duration;

use crate::broker::Broker;
use crate::capture::Capture;
use crate::database::Database;
use crate::environment;
use crate::topic::{Record, Topic};

const TIMEOUT: Duration = Duration::from_secs(120);

/// A broker of the test's own, and a capture of two hundred rows into a topic of one partition there.
fn captured(name: &str) -> (Broker, Database, Capture) {
    let broker = Broker::start(name);
    let database = Database::bare(&environment::postgres(), name);
    database.script("create table public.t (id int)");
    let capture = Capture::new(&database, &Topic::nowhere(broker.addresses(), name, 1));
    capture.first();
    database.script("insert into public.t select generate_series(1, 200)");
    capture.once(&[]);
    (broker, database, capture)
}

fn lose(broker: &mut Broker, topic: &Topic) {
    broker.stop();
    broker.lose(&topic.name, 0);
    broker.launch();
}

/// Fails unless the capture is refused, however often, with all offsets below `end`; the last may be a transaction's marker.
#[track_caller]
fn expect_refused(capture: &Capture, end: i64) {
    for _ in 0..2 {
        let ended = capture.once_with_code(3, &[]);
        ended.expect_said(&[&capture.topic.name, "partition 0"]);
        let ranges = [end - 1, end].map(|end| format!("offsets 0 to {end} "));
        assert!(ranges.iter().any(|range| ended.stderr.contains(range)), "no {ranges:?} in {}", ended.stderr);
    }
}

#[test]
fn a_topic_that_lost_captured_records_is_refused_with_their_range() {
    let (mut broker, database, capture) = captured("cut");
    // A healthy restart changes nothing.
    broker.stop();
    broker.launch();
    database.script("insert into public.t select generate_series(201, 210)");
    capture.once(&[]);
    let end = capture.topic.ends()[0];

    lose(&mut broker, &capture.topic);
    database.script("insert into public.t select generate_series(211, 220)");
    expect_refused(&capture, end);
    assert_eq!(capture.topic.ends(), [0], "something was written behind what is gone");
}

#[test]
fn a_topic_that_lost_captured_records_and_grew_again_is_refused_with_their_range() {
    let (mut broker, _database, capture) = captured("regrown");
    let end = capture.topic.ends()[0];
    lose(&mut broker, &capture.topic);
    let other = |_| Record { value: Some(b"another record".to_vec()), ..Record::default() };
    capture.topic.produce((0..2 * end).map(other));
    expect_refused(&capture, end);
}

#[test]
fn a_topic_that_loses_records_while_it_is_written_ends_the_capture() {
    let (mut broker, database, capture) = captured("cut_alive");
    let mut running = capture.start(&[]);
    running.await_said("capturing");
    broker.kill();
    broker.lose(&capture.topic.name, 0);
    broker.launch();
    database.script("insert into public.t select generate_series(211, 220)");
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&[&capture.topic.name, "partition 0", "was cut"]);
}

/// A broker that lacks the newest records becomes the leader, because the one that has them is gone.
#[test]
fn an_unclean_election_that_cuts_captured_records_ends_a_capture_that_is_down_or_up() {
    let [first, mut leader, mut follower] = Broker::cluster("capture_unclean");
    first.hold_transactions();
    let [down, up] = ["capture_unclean_down", "capture_unclean_up"].map(|name| {
        let database = Database::bare(&environment::postgres(), name);
        database.script("create table public.t (id int); insert into public.t select generate_series(1, 300)");
        let topic = Topic::nowhere(first.addresses(), name, 1);
        let settings = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
        topic.make_on(&[leader.id, follower.id], &settings);
        topic.of_position().make_on(&[first.id], &[("cleanup.policy", "compact")]);
        let capture = Capture::new(&database, &topic);
        capture.once(&["--create-slot"]);
        database.script("insert into public.t select generate_series(1, 300)");
        capture.once(&[]);
        (database, capture)
    });
    follower.kill();
    for (database, capture) in [&down, &up] {
        capture.topic.await_leader(leader.id, true);
        database.script("insert into public.t select generate_series(301, 500)");
        capture.once(&[]);
    }
    let mut running = up.1.start(&[]);
    running.await_said("capturing");
    leader.kill();
    follower.launch();
    for (database, capture) in [&down, &up] {
        capture.topic.await_leader(follower.id, true);
        database.script("insert into public.t select generate_series(501, 510)");
    }
    for ended in [down.1.once_with_code(3, &[]), running.wait(TIMEOUT), up.1.once_with_code(3, &[])] {
        ended.expect_code(3);
        ended.expect_said(&["partition 0 was cut", "unclean election"]);
    }
}
