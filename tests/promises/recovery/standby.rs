//! `--standby`: a run that waits until the one that has the book is gone, and never ends one that is not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::world::{COMMIT_INTERVAL, Process, World};

/// How long a run may be silent here.
const LEASE: Duration = Duration::from_secs(2);
/// How soon after that a standby must have committed, besides the commit interval: 2 s, and more beside other tests, in a build that is
/// not optimized. `tests/real/recovery.rs` holds the promised times.
const TAKEOVER: Duration = Duration::from_secs(10);

const STANDBY: [&str; 3] = ["--standby", "--lease-timeout", "2s"];

/// A run that has committed, and one that stands by for it.
fn leader_and_standby(world: &mut World) -> (Process, Process) {
    world.produce(100);
    let leader = world.run(&["--lease-timeout", "2s"]);
    world.await_all(&[&leader]);
    let mut standby = world.run(&STANDBY);
    standby.await_logged("another run has the book");
    (leader, standby)
}

fn holder(process: &Process) -> String {
    format!("process {}\"", process.id())
}

#[test]
fn a_standby_takes_over_at_once_when_the_run_ends_in_order() {
    let mut world = World::new();
    let (mut leader, standby) = leader_and_standby(&mut world);
    assert!(standby.log().contains(&holder(&leader)), "who has the book is logged: {}", standby.log());
    leader.signal("TERM");
    leader.expect_code(0);
    world.produce(100);
    let took = world.await_all(&[&standby]);
    println!("after an orderly end: {took:?}");
    assert!(took < TAKEOVER + COMMIT_INTERVAL, "{took:?}\n{}", standby.log());
    world.check();
}

#[test]
fn a_standby_takes_over_when_the_run_is_killed() {
    let mut world = World::new();
    let (mut leader, standby) = leader_and_standby(&mut world);
    leader.kill();
    world.produce(100);
    let took = world.await_all(&[&standby]);
    println!("after a kill: {took:?}");
    assert!(took < LEASE + TAKEOVER + COMMIT_INTERVAL, "{took:?}\n{}", standby.log());
    world.check();
}

#[test]
fn a_run_that_was_stopped_for_too_long_is_fenced_when_it_continues() {
    let mut world = World::new();
    let (mut leader, standby) = leader_and_standby(&mut world);
    leader.signal("STOP");
    world.produce(100);
    let took = world.await_all(&[&standby]);
    assert!(took < LEASE + TAKEOVER + COMMIT_INTERVAL, "{took:?}\n{}", standby.log());
    // Also when there is nothing that it could commit.
    leader.signal("CONT");
    leader.expect_code(4);
    world.produce(100);
    world.await_all(&[&standby]);
    world.check();
}

#[test]
fn a_run_that_has_nothing_to_commit_keeps_its_book() {
    let mut world = World::new();
    let (mut leader, mut standby) = leader_and_standby(&mut world);
    thread::sleep(3 * LEASE);
    // A standby that was stopped itself has not seen that the run was silent.
    standby.signal("STOP");
    thread::sleep(2 * LEASE);
    standby.signal("CONT");
    thread::sleep(LEASE);
    assert_eq!(world.fences(), 1, "{}", standby.log());
    world.produce(100);
    world.await_all(&[&leader]);
    standby.signal("TERM");
    standby.expect_code(0);
    leader.signal("TERM");
    leader.expect_code(0);
    assert_eq!(world.fences(), 1);
    world.check();
}

#[test]
fn of_two_standbys_one_takes_over_and_the_other_stands_by_for_it() {
    let mut world = World::new();
    let (mut leader, standby) = leader_and_standby(&mut world);
    let mut standbys = vec![standby, world.run(&STANDBY)];
    standbys[1].await_logged("another run has the book");
    leader.kill();
    world.produce(100);
    world.await_all(&standbys.iter().collect::<Vec<_>>());
    let leads = |standby: &Process| standby.log().contains("reading changes");
    let mut leader = standbys.remove(standbys.iter().position(leads).expect("one has taken over"));
    standbys[0].await_logged(&holder(&leader));
    thread::sleep(2 * LEASE);
    assert_eq!(world.fences(), 2, "the other one stands by: {}", standbys[0].log());
    leader.kill();
    world.produce(100);
    world.await_all(&[&standbys[0]]);
    assert_eq!(world.fences(), 3);
    world.check();
}

#[test]
fn a_standby_makes_a_book_where_there_is_none_and_continues_one_without_a_lease() {
    let mut world = World::new();
    world.produce(100);
    let mut standby = world.run(&STANDBY);
    let begin = Instant::now();
    world.await_all(&[&standby]);
    assert!(begin.elapsed() >= LEASE, "another run may be about to make it");
    standby.kill();
    // As after a run of an earlier version.
    for staging in fs::read_dir(world.book().join("_walbook/staging")).expect("a folder").flatten() {
        fs::remove_file(staging.path().join("lease.json")).expect("its lease");
    }
    world.produce(100);
    let mut next = world.run(&STANDBY);
    let begin = Instant::now();
    world.await_all(&[&next]);
    assert!(begin.elapsed() >= LEASE, "a run without a lease may have it");
    next.signal("TERM");
    next.expect_code(0);
    // The run has ended in order, and said so.
    world.produce(100);
    let last = world.run(&["--standby", "--lease-timeout", "60s"]);
    let begin = Instant::now();
    world.await_all(&[&last]);
    assert!(begin.elapsed() < Duration::from_secs(30), "a released book is free, whenever it was released");
    world.check();
}

#[test]
fn a_supervised_standby_that_is_fenced_stands_by_again() {
    let mut world = World::new();
    world.produce(100);
    let mut standby = world.run(&[&STANDBY[..], &["--supervise"]].concat());
    world.await_all(&[&standby]);
    let mut other = world.run(&["--lease-timeout", "2s"]);
    standby.await_logged("exit code 4");
    world.produce(100);
    world.await_all(&[&other]);
    other.kill();
    world.produce(100);
    world.await_all(&[&standby]);
    assert_eq!(world.fences(), 3, "{}", standby.log());
    standby.signal("TERM");
    standby.expect_code(0);
    world.check();
}

#[test]
fn a_cluster_stands_by_for_a_run() {
    let mut world = World::new();
    world.produce(100);
    let mut leader = world.run(&["--lease-timeout", "2s"]);
    world.await_all(&[&leader]);
    let hosts = world.hosts(2);
    let cluster = [&STANDBY[..], &["-n", "2", "--hosts", &hosts]].concat();
    let mut standbys = ["0", "1"].map(|index| world.run(&[&cluster[..], &["-p", index]].concat()));
    standbys[0].await_logged("another run has the book");
    leader.kill();
    world.produce(100);
    let took = world.await_all(&standbys.each_ref());
    assert!(took < LEASE + TAKEOVER + COMMIT_INTERVAL, "{took:?}\n{}", standbys[0].log());
    standbys[1].signal("TERM");
    for process in &mut standbys {
        process.expect_code(0);
    }
    world.check();
}

#[test]
fn a_standby_says_so_to_clients_until_it_serves_the_book() {
    let mut world = World::new();
    let (mut leader, mut standby) = leader_and_standby(&mut world);
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound").to_string();
    standby.kill();
    standby = world.run(&[&STANDBY[..], &["--serve", &free]].concat());
    standby.await_logged("another run has the book");
    let ask = || -> String {
        let mut client = TcpStream::connect(&free).expect("it listens");
        client.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("text");
        answer
    };
    let answer = ask();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""code":"standby""#), "{answer}");
    leader.signal("TERM");
    leader.expect_code(0);
    standby.await_logged("the page is at");
    assert!(ask().starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_file_has_no_standby() {
    let mut world = World::new();
    let book = world.book();
    let mut run = world.walbook(&["run", book.to_str().expect("a plain path"), "--input", "f", "--standby"]);
    run.expect_code(2);
    assert!(run.log().contains("--standby: a file is read by one run"), "{}", run.log());
}
