//! `--supervise`: a run that fails is started again, and no other.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::{COMMIT_INTERVAL, Process, World, exists, signal};

/// How soon after a kill it must commit again, besides the commit interval: 5 s, and more beside other tests, in a build that is not
/// optimized. `tests/real/recovery.rs` holds the promised times.
const RECOVERY: Duration = Duration::from_secs(15);
/// The same of what happens at once.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn a_run_that_is_killed_is_started_again_and_counts_everything_once() {
    let mut world = World::new();
    world.produce(500);
    // Its page keeps its address.
    let page = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound").to_string();
    let mut supervisor = world.run(&["--supervise", "--serve", &page, "--log-format", "json"]);
    world.await_all(&[&supervisor]);
    for kill in 1..=3 {
        signal(supervisor.supervised(), "KILL");
        world.produce(500);
        let took = world.await_all(&[&supervisor]);
        assert!(took < RECOVERY + COMMIT_INTERVAL, "kill {kill}: {took:?}\n{}", supervisor.log());
        TcpStream::connect(&page).expect("the page is there again");
    }
    supervisor.signal("TERM");
    supervisor.expect_code(0);
    world.check();
    // Each restart is one line, with fields.
    let lines: Vec<Value> =
        supervisor.log().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let restarts: Vec<&Value> =
        lines.iter().map(|line| &line["fields"]).filter(|fields| fields["restarts"].is_number()).collect();
    assert_eq!(restarts.len(), 3, "{}", supervisor.log());
    for (number, fields) in (1..).zip(restarts) {
        assert_eq!((&fields["restarts"], &fields["end"]), (&Value::from(number), &Value::from("signal 9")));
        assert!(fields["pause_ms"].as_u64().is_some_and(|pause| (100..=200).contains(&pause)), "{fields}");
    }
}

#[test]
fn a_supervised_cluster_of_which_any_process_is_killed_commits_again_within_seconds() {
    let mut world = World::new();
    world.produce(500);
    let hosts = world.hosts(2);
    let mut processes = ["0", "1"].map(|index| world.run(&["--supervise", "-n", "2", "-p", index, "--hosts", &hosts]));
    world.await_all(&processes.each_ref());
    for victim in [0, 1, 0, 1] {
        signal(processes[victim].supervised(), "KILL");
        world.produce(500);
        let took = world.await_all(&processes.each_ref());
        println!("process {victim} was killed: all is committed after {took:?}");
        assert!(took < RECOVERY + COMMIT_INTERVAL, "{took:?}\n{}", processes[victim].log());
    }
    processes[1].signal("TERM");
    for process in &mut processes {
        process.expect_code(0);
    }
    world.check();
}

#[test]
fn a_supervisor_that_is_killed_takes_its_run_with_it() {
    let mut world = World::new();
    world.produce(10);
    let mut supervisor = world.run(&["--supervise"]);
    world.await_all(&[&supervisor]);
    let run = supervisor.supervised();
    supervisor.kill();
    let begin = Instant::now();
    while exists(run) {
        assert!(begin.elapsed() < AT_ONCE, "the run outlives its supervisor");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_whose_supervisor_is_gone_does_not_begin() {
    let mut world = World::new();
    world.produce(10);
    world.run(&["--supervised-by", "1"]).expect_code(1);
    assert!(!world.book().exists(), "nothing is written");
}

fn restarts(process: &Process) -> usize {
    process.log().matches("is started again").count()
}

#[test]
fn what_a_restart_cannot_heal_ends_the_supervisor_with_the_same_code() {
    let mut world = World::new();
    let input = world.book().with_file_name("input");
    let line = "table public.t: INSERT: id[integer]:1\n";
    fs::write(&input, line.repeat(3)).expect("a file can be written");
    let (book, input) = (world.book().with_file_name("of-file"), input.to_str().expect("a plain path"));
    // Wrong settings: seen at once, and seen by the run.
    for wrong in
        [["run", "book", "--input", input, "--lease-timeout=1ms"], ["run", input, "--input", input, "--until-end"]]
    {
        let mut supervisor = world.walbook(&[&wrong[..], &["--supervise"]].concat());
        supervisor.expect_code(2);
        assert_eq!(restarts(&supervisor), 0, "{}", supervisor.log());
    }
    // A file that was cut: data is missing.
    let of_file = ["run", book.to_str().expect("a plain path"), "--input", input, "--until-end", "--supervise"];
    world.walbook(&of_file).expect_code(0);
    fs::write(input, line).expect("a file can be cut");
    let mut supervisor = world.walbook(&of_file);
    supervisor.expect_code(3);
    assert_eq!(restarts(&supervisor), 0, "{}", supervisor.log());
    // Another run has the book: also when there is nothing to commit.
    world.produce(10);
    let mut supervisor = world.run(&["--supervise", "--lease-timeout", "1s"]);
    world.await_all(&[&supervisor]);
    let other = world.run(&[]);
    supervisor.expect_code(4);
    assert_eq!(restarts(&supervisor), 0, "{}", supervisor.log());
    let words = "the run ended with exit code 4, and is not started again: it would take the book back";
    assert!(supervisor.log().contains(words), "{}", supervisor.log());
    world.produce(10);
    world.await_all(&[&other]);
    world.check();
}

#[test]
fn an_input_that_comes_only_once_is_not_supervised() {
    let mut world = World::new();
    let (book, pipe) = (world.book(), world.book().with_file_name("pipe"));
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts");
    assert!(made.success());
    let (book, pipe) = (book.to_str().expect("a plain path"), pipe.to_str().expect("a plain path"));
    // Standard input is /dev/null here: no file either.
    for input in ["-", "/dev/stdin", pipe] {
        let mut run = world.walbook(&["run", book, "--input", input, "--until-end", "--supervise"]);
        run.expect_code(2);
        let words = format!("--supervise: --input {input} is not a regular file");
        assert!(run.log().contains(&words) && restarts(&run) == 0, "{}", run.log());
    }
    assert!(!world.book().exists(), "nothing is written");
}

#[test]
fn a_run_that_must_fail_on_rejects_is_not_supervised() {
    let mut world = World::new();
    world.produce_rejects(3);
    let mut supervisor = world.run(&["--until-end", "--fail-on-rejects", "--supervise"]);
    supervisor.expect_code(2);
    assert!(supervisor.log().contains("--fail-on-rejects: not with --supervise"), "{}", supervisor.log());
    assert!(!world.book().exists(), "nothing is written");
}

#[test]
fn a_supervisor_that_inherits_ignored_children_still_sees_how_its_run_ends() {
    let mut world = World::new();
    world.produce(10);
    let mut supervisor = world.run_ignoring_children(&["--supervise", "--lease-timeout", "1s"]);
    world.await_all(&[&supervisor]);
    let other = world.run(&[]);
    supervisor.expect_code(4);
    assert_eq!(restarts(&supervisor), 0, "{}", supervisor.log());
    world.produce(10);
    world.await_all(&[&other]);
    world.check();
}

#[test]
fn commits_of_another_run_do_not_make_the_pauses_of_a_standby_short_again() {
    let mut world = World::new();
    world.produce(10);
    let leader = world.run(&[]);
    world.await_all(&[&leader]);
    let mut standby = world.run(&["--supervise", "--standby", "--log-format", "json"]);
    for kill in 1..=4 {
        let run = standby.supervised();
        // While it lives the other run commits.
        world.produce(10);
        world.await_all(&[&leader]);
        signal(run, "KILL");
        await_restarts(&mut standby, kill);
    }
    assert_doubling(&pauses(&standby));
    assert_eq!(world.fences(), 1, "{}", standby.log());
    world.check();
}

/// Two processes of a cluster, of which the first one fails with 1 as long as its port is taken.
fn failing_cluster(world: &mut World) -> (TcpListener, [Process; 2]) {
    let hosts = world.hosts(2);
    let address = fs::read_to_string(&hosts).expect("it was written");
    let taken = TcpListener::bind(address.lines().next().expect("two lines")).expect("a free port");
    let cluster = ["--supervise", "--log-format", "json", "-n", "2", "--hosts", &hosts];
    (taken, ["0", "1"].map(|index| world.run(&[&cluster[..], &["-p", index]].concat())))
}

#[track_caller]
fn await_restarts(process: &mut Process, number: usize) {
    while restarts(process) < number {
        assert!(process.is_alive(), "{}", process.log());
        thread::sleep(Duration::from_millis(5));
    }
}

/// The pauses before the restarts, in milliseconds.
fn pauses(process: &Process) -> Vec<u64> {
    let lines = process.log();
    let pause = |line| serde_json::from_str::<Value>(line).ok()?["fields"]["pause_ms"].as_u64();
    lines.lines().filter_map(pause).collect()
}

/// The first four pauses must be those of a run that never achieves anything.
#[track_caller]
fn assert_doubling(pauses: &[u64]) {
    assert!(pauses.len() >= 4, "{pauses:?}");
    for (pause, longest) in pauses.iter().zip([200, 400, 800, 1600]) {
        assert!((longest / 2..=longest).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_run_that_fails_each_time_is_started_less_and_less_often_until_it_commits() {
    let mut world = World::new();
    let (taken, mut processes) = failing_cluster(&mut world);
    await_restarts(&mut processes[0], 4);
    assert_doubling(&pauses(&processes[0]));
    drop(taken);
    world.produce(10);
    world.await_all(&processes.each_ref());
    // It has committed: the next pause is short again.
    let before = restarts(&processes[0]);
    signal(processes[0].supervised(), "KILL");
    await_restarts(&mut processes[0], before + 1);
    assert!(pauses(&processes[0]).last().is_some_and(|pause| *pause <= 200), "{:?}", pauses(&processes[0]));
    world.produce(10);
    world.await_all(&processes.each_ref());
    processes[0].signal("INT");
    for process in &mut processes {
        process.expect_code(0);
    }
    world.check();
}

#[test]
fn a_signal_between_two_runs_ends_the_supervisor_at_once() {
    let mut world = World::new();
    let (_taken, mut processes) = failing_cluster(&mut world);
    await_restarts(&mut processes[0], 4);
    processes[0].signal("TERM");
    let took = processes[0].expect_code(0);
    assert!(took < AT_ONCE, "{took:?}");
}
