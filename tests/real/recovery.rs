//! Runs and clusters that heal themselves: supervised ones under `kill -9`, and standbys that take over from killed and from stopped
//! ones, while records arrive all the time. Nothing is lost and nothing repeated.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::cluster::hosts_of;
use crate::database::Database;
use crate::dice::Dice;
use crate::environment;
use crate::kills::{PARTITIONS, Stop, produce_until, truth_of, workload};
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};
use walbook::book::log::entry::EntryKind;

/// How long a run that is asked to end may take.
const END: Duration = Duration::from_secs(60);
/// How soon a supervised cluster must commit again, besides the commit interval.
const RECOVERY: Duration = Duration::from_secs(5);
/// How much longer it may take beside other tests: `./test --long` runs these alone, when it is asked for them.
const BESIDE_OTHERS: Duration = Duration::from_secs(8);
/// How long a run may be silent in these tests.
const LEASE: Duration = Duration::from_secs(2);
/// How soon after that a standby must have committed, besides the commit interval.
const TAKEOVER: Duration = Duration::from_secs(2);
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);

fn beside_others() -> Duration {
    if environment::is_long() { Duration::ZERO } else { BESIDE_OTHERS }
}

/// The generation of the run that has a book; none before the first.
fn generation(book: &Book) -> Option<String> {
    book.newest_entry().map(|entry| entry.generation)
}

/// Waits for the first commit of a run that follows the one of this generation; returns how long that took.
#[track_caller]
fn await_successor(book: &Book, before: Option<String>, running: &[&Running]) -> Duration {
    let begin = Instant::now();
    let of_successor = || {
        let entry = book.newest_entry().filter(|entry| Some(&entry.generation) != before.as_ref());
        entry.is_some_and(|entry| entry.kind == EntryKind::Commit)
    };
    while !of_successor() {
        let logs = || running.iter().map(|run| run.stderr()).collect::<Vec<_>>().join("\n---\n");
        assert!(begin.elapsed() < Duration::from_secs(120), "no run follows {before:?}:\n{}", logs());
        thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}

/// The least, middle and longest of some times.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let [least, middle, longest] = [0, times.len() / 2, times.len() - 1].map(|place| times[place]);
    format!("{} times: least {least:.2?}, middle {middle:.2?}, longest {longest:.2?}", times.len())
}

#[test]
fn a_supervised_cluster_under_kills_loses_nothing_and_repeats_nothing() {
    let mut dice = Dice::throw("recovery_kills");
    let kills = if environment::is_long() { 40 } else { 8 };
    let (lines, truth_of_one) = workload("recovery_kills");
    let topic = Topic::create_with("recovery_kills", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let (folder, book) = (environment::folder("hosts"), Book::new("recovery_kills"));
    let hosts = hosts_of(folder.path(), 2);
    let hosts = hosts.to_str().expect("temporary folders have plain names");
    let process = |index: &str| {
        let cluster = ["--supervise", "-n", "2", "-p", index, "-w", "1", "--hosts", hosts];
        book.run(&[&topic], &[&cluster[..], &["--commit-interval", "200ms"]].concat())
    };
    let enough = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let mut processes = [process("0"), process("1")];
        await_successor(&book, None, &processes.each_ref());
        let mut times = Vec::new();
        for kill in 0..kills {
            thread::sleep(dice.between(Duration::from_millis(100), Duration::from_millis(1500)));
            let victim = kill % 2;
            let before = generation(&book);
            processes[victim].kill_supervised();
            let took = await_successor(&book, before, &processes.each_ref());
            assert!(
                took < RECOVERY + COMMIT_INTERVAL + beside_others(),
                "{took:?} after kill {kill}:\n{}",
                processes[victim].stderr()
            );
            times.push(took);
        }
        drop(stop);
        let rounds = producing.join().expect("the producer ends well");
        println!("from kill -9 of a process to the next commit, {}", spread(times));
        processes[dice.below(2) as usize].signal("TERM");
        for process in processes {
            process.wait(END).expect_code(0);
        }
        rounds
    });
    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("after the kills", &book.counts(), &truth_of(rounds, &truth_of_one));
    book.verify();
}

#[test]
fn standbys_take_over_from_killed_and_stopped_runs_and_lose_and_repeat_nothing() {
    let (takeovers, lease) = (if environment::is_long() { 20 } else { 3 }, ["--lease-timeout", "2s"]);
    let (lines, truth_of_one) = workload("recovery_standby");
    let topic = Topic::create_with("recovery_standby", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let book = Book::new("recovery_standby");
    let run = |arguments: &[&str]| {
        book.run(&[&topic], &[&lease[..], &["-w", "2", "--commit-interval", "200ms"], arguments].concat())
    };
    let enough = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let mut leader = run(&[]);
        await_successor(&book, None, &[&leader]);
        let [mut killed, mut stopped, mut zombies] = [(); 3].map(|()| Vec::new());
        for turn in 0..2 * takeovers {
            let mut standby = run(&["--standby"]);
            standby.await_said("another run has the book");
            let before = generation(&book);
            let times = if turn % 2 == 0 {
                leader.kill();
                killed.push(await_successor(&book, before, &[&standby]));
                &killed
            } else {
                leader.signal("STOP");
                stopped.push(await_successor(&book, before, &[&standby]));
                leader.signal("CONT");
                let zombie = leader.wait(END);
                zombie.expect_code(4);
                zombies.push(zombie.took);
                &stopped
            };
            let took = times[times.len() - 1];
            assert!(
                took < LEASE + TAKEOVER + COMMIT_INTERVAL + beside_others(),
                "{took:?} in turn {turn}:\n{}",
                standby.stderr()
            );
            leader = standby;
        }
        // A standby leaves a run alone that is well, and follows it at once when it ends in order.
        let mut standby = run(&["--standby"]);
        standby.await_said("another run has the book");
        let fences = book.fences();
        assert_eq!(fences, 2 * takeovers + 1, "each turn is one fence");
        let before = generation(&book);
        leader.signal("TERM");
        leader.wait(END).expect_code(0);
        let ended = await_successor(&book, before, &[&standby]);
        println!("with a lease of {LEASE:?}: from kill -9 to the standby's commit, {}", spread(killed));
        println!("from SIGSTOP to the standby's commit, {}", spread(stopped));
        println!("from SIGCONT to the exit of the fenced run, {}", spread(zombies));
        println!("from the end of a run in order to the standby's commit, {ended:.2?}");
        drop(stop);
        let rounds = producing.join().expect("the producer ends well");
        standby.signal("TERM");
        standby.wait(END).expect_code(0);
        rounds
    });
    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("after the takeovers", &book.counts(), &truth_of(rounds, &truth_of_one));
    book.verify();
}

#[test]
fn a_standby_takes_a_slot_over() {
    let database = Database::create("recovery_slot");
    database.script("create table public.t (id int); insert into public.t select generate_series(1, 100);");
    let book = Book::new("recovery_slot");
    let url = database.url();
    let run = |arguments: &[&str]| {
        let slot =
            ["--postgres", &url, "--slot", &database.name, "--lease-timeout", "2s", "--commit-interval", "200ms"];
        book.start("run", &[&slot[..], arguments].concat())
    };
    let mut leader = run(&[]);
    book.await_total(100, &mut leader);
    let mut standby = run(&["--standby"]);
    standby.await_said("another run has the book");
    leader.kill();
    database.script("insert into public.t select generate_series(101, 200);");
    book.await_total(200, &mut standby);
    let mut next = run(&["--standby"]);
    next.await_said("another run has the book");
    standby.signal("TERM");
    standby.wait(END).expect_code(0);
    database.script("insert into public.t select generate_series(201, 300);");
    book.await_total(300, &mut next);
    next.signal("TERM");
    next.wait(END).expect_code(0);
    let mut truth = Counts::default();
    truth.add("a day", "public", "t", "INSERT", 300);
    assert_same("after two takeovers", &book.counts().on_day("a day"), &truth);
    book.verify();
}
