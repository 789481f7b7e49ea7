//! `kill -9` of any process of a cluster, whose shape changes from start to start, loses nothing and repeats nothing; the others end
//! within seconds and name the process that was lost.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::cluster::hosts_of;
use crate::dice::Dice;
use crate::environment;
use crate::kills::{PARTITIONS, Stop, produce_until, truth_of, workload};
use crate::topic::Topic;
use crate::truth::assert_same;

/// Processes, and workers of each.
const SHAPES: [(usize, usize); 6] = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (1, 5)];

/// How long a process may take to end after another of its cluster has.
const END: Duration = Duration::from_secs(15);

#[test]
fn killed_clusters_of_changing_shapes_lose_nothing_and_repeat_nothing() {
    let mut dice = Dice::throw("cluster_kills");
    let kills = if environment::is_long() { 200 } else { 6 };
    let (lines, truth_of_one) = workload("cluster_kills");
    let topic = Topic::create_with("cluster_kills", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let (folder, book) = (environment::folder("hosts"), Book::new("cluster_kills"));
    let shapes = all_changes();
    let first = dice.below(shapes.len() as u64) as usize;
    let enough = AtomicBool::new(false);

    let rounds = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let (mut seen, mut slowest) = (0, Duration::ZERO);
        for kill in 0..kills {
            let shape = shapes[(first + kill) % shapes.len()];
            let interval = dice.pick(&["100ms", "300ms", "1s"]);
            let mut processes = start(&book, &topic, folder.path(), shape, &["--commit-interval", interval]);
            if shape.0 > 1 {
                processes.iter_mut().for_each(|process| process.await_said("are connected"));
            }
            thread::sleep(dice.between(Duration::from_millis(20), Duration::from_millis(2500)));
            let victim = dice.below(shape.0 as u64) as usize;
            processes.remove(victim).kill();
            let killed = Instant::now();
            for survivor in processes {
                let ended = survivor.wait(END.saturating_sub(killed.elapsed()));
                ended.expect_code(5);
                ended.expect_said(&[&format!("process {victim} ("), "of the cluster"]);
            }
            slowest = slowest.max(killed.elapsed());
            if book.parquet("counts").is_empty() {
                continue;
            }
            let committed = book.counts().total();
            assert!(committed >= seen, "kill {kill} of {shape:?}: {committed} changes after {seen}");
            seen = committed;
        }
        drop(stop);
        assert!(seen > 0, "no run lived long enough to commit");
        println!("{kills} kills; the slowest end of the others took {slowest:?}");
        producing.join().expect("the producer ends well")
    });

    for process in start(&book, &topic, folder.path(), (2, 1), &["--until-end"]) {
        process.wait(Duration::from_secs(300)).expect_code(0);
    }
    assert_same("after the kills", &book.counts(), &truth_of(rounds, &truth_of_one));
    book.verify();
}

/// Starts all processes of a cluster.
fn start(book: &Book, topic: &Topic, folder: &Path, shape: (usize, usize), arguments: &[&str]) -> Vec<Running> {
    let (processes, workers) = (shape.0, shape.1.to_string());
    let hosts = hosts_of(folder, processes);
    let (hosts, number) = (hosts.to_str().expect("temporary folders have plain names"), processes.to_string());
    let process = |index: usize| {
        let index = index.to_string();
        let cluster = ["-n", &number, "-p", &index, "--hosts", hosts];
        let cluster = if processes > 1 { &cluster[..] } else { &[] };
        book.run(&[topic], &[&["-w", &workers], cluster, arguments].concat())
    };
    (0..processes).map(process).collect()
}

/// A round of shapes in which each follows each other one, and itself, once.
fn all_changes() -> Vec<(usize, usize)> {
    let mut round = Vec::new();
    for (place, shape) in SHAPES.iter().enumerate() {
        round.push(*shape);
        SHAPES[place + 1..].iter().for_each(|later| round.extend([*shape, *later]));
    }
    round
}

#[test]
fn a_round_of_shapes_has_each_change_once() {
    let round = all_changes();
    let mut changes: Vec<_> = round.iter().zip(round.iter().cycle().skip(1)).collect();
    changes.sort();
    changes.dedup();
    assert_eq!((round.len(), changes.len()), (36, 36));
}
