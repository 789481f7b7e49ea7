//! However a process of a cluster ends, the others end with the same code, also while the cluster starts.

use std::thread;
use std::time::{Duration, Instant};

use super::world::{Process, World};

/// Much less than the deadline of a silent process, and enough beside other tests.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Starts the processes of a cluster; `arguments` are those of each.
fn start(world: &mut World, processes: usize, indexes: &[&str], arguments: &[&str]) -> Vec<Process> {
    let (hosts, number) = (world.hosts(processes), processes.to_string());
    let cluster = ["-n", &number, "--hosts", &hosts];
    indexes.iter().map(|index| world.run(&[&cluster[..], &["-p", index], arguments].concat())).collect()
}

#[test]
fn a_signal_to_one_process_of_a_cluster_that_forms_ends_the_others_in_order() {
    for victim in [0, 1] {
        let mut world = World::new();
        // The third one is missing.
        let mut processes = start(&mut world, 3, &["0", "1"], &[]);
        processes[0].await_logged(") is connected");
        processes[victim].signal("TERM");
        expect_orderly_ends(&mut processes);
        assert!(!world.book().exists(), "nothing is written");
    }
}

#[test]
fn a_signal_to_one_process_of_a_cluster_that_starts_ends_the_others_in_order() {
    for victim in [0, 1] {
        let mut world = World::new();
        let mut processes = starting(&mut world);
        processes[victim].signal("TERM");
        expect_orderly_ends(&mut processes);
        assert!(!world.book().exists(), "nothing is written");
    }
}

fn expect_orderly_ends(processes: &mut [Process]) {
    for process in processes {
        let took = process.expect_code(0);
        assert!(took < AT_ONCE, "{took:?}\n{}", process.log());
        assert!(process.log().contains("asked to end before anything was read"), "{}", process.log());
    }
}

#[test]
fn a_process_that_dies_while_another_one_is_busy_starting_is_noticed() {
    let mut world = World::new();
    let mut processes = starting(&mut world);
    processes[1].kill();
    let begin = Instant::now();
    processes[0].expect_code(5);
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
}

/// Two processes that are connected, of which the first one waits for a broker: it is as busy as one that builds views.
fn starting(world: &mut World) -> Vec<Process> {
    world.silence_broker();
    let mut processes = start(world, 2, &["0", "1"], &[]);
    processes.iter_mut().for_each(|process| process.await_logged("are connected"));
    thread::sleep(Duration::from_millis(200));
    processes
}

#[test]
fn rejects_that_are_to_fail_a_run_fail_all_of_its_processes() {
    let mut world = World::new();
    world.produce(100);
    world.produce_rejects(7);
    for process in &mut start(&mut world, 2, &["0", "1"], &["--until-end", "--fail-on-rejects"]) {
        process.expect_code(1);
        let words = "7 records could not be read, and --fail-on-rejects is set: everything that was read is committed";
        assert!(process.log().contains(words), "{}", process.log());
    }
    world.check();
}
