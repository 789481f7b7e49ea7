//! A network that loses packets without a word ends both processes of a cluster in time; nothing is lost or repeated.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::book::Book;
use crate::dice::Dice;
use crate::environment;
use crate::kills::{PARTITIONS, Stop, produce_until, truth_of, workload};
use crate::network::{Fault, Network};
use crate::topic::Topic;
use crate::truth::assert_same;

const FAULTS: [Fault; 4] = [Fault::FirstIsUnheard, Fault::SecondIsUnheard, Fault::Silent, Fault::Down];

/// How long both processes may take to end after the fault.
const END: Duration = Duration::from_secs(15);

#[test]
fn clusters_whose_link_fails_end_in_time_and_lose_nothing() {
    let mut dice = Dice::throw("link_faults");
    let times = if environment::is_long() { 20 } else { 1 };
    let (lines, truth_of_one) = workload("link_faults");
    let topic = Topic::create_with("link_faults", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let (network, folder) = (Network::new(&topic.brokers), environment::folder("hosts"));
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, network.addresses(4477).join("\n") + "\n").expect("the folder is ours");
    let hosts = hosts.to_str().expect("temporary folders have plain names");
    let book = Book::new("link_faults");
    let path = book.path().to_owned();
    let on_hosts = [0, 1].map(|host| Book::behind("link_faults", network.launcher(host), path.clone()));
    let start = |arguments: &[&str]| {
        let cluster = ["-n", "2", "-w", "1", "--hosts", hosts, "--cluster-insecure"];
        let process = |host: usize| {
            let index = host.to_string();
            on_hosts[host].run(&[&topic], &[&cluster[..], &["-p", &index], arguments].concat())
        };
        [process(0), process(1)]
    };
    let mut faults: Vec<Fault> = FAULTS.into_iter().cycle().take(FAULTS.len() * times).collect();
    dice.shuffle(&mut faults);
    let enough = AtomicBool::new(false);

    let rounds = thread::scope(|scope| {
        let stop = Stop(&enough);
        let producing = scope.spawn(|| produce_until(&enough, &lines, &topic));
        let (mut seen, mut slowest) = (0, Duration::ZERO);
        for (number, fault) in faults.iter().enumerate() {
            let mut processes = start(&["--commit-interval", dice.pick(&["100ms", "300ms", "1s"])]);
            processes.iter_mut().for_each(|process| process.await_said("are connected"));
            thread::sleep(dice.between(Duration::from_millis(20), Duration::from_millis(2500)));
            network.fail(*fault);
            let failed = Instant::now();
            for (index, process) in processes.into_iter().enumerate() {
                let ended = process.wait(END.saturating_sub(failed.elapsed()));
                ended.expect_code(5);
                ended.expect_said(&[&format!("process {} (", 1 - index), "of the cluster"]);
            }
            slowest = slowest.max(failed.elapsed());
            network.heal();
            if book.parquet("counts").is_empty() {
                continue;
            }
            let committed = book.counts().total();
            assert!(committed >= seen, "fault {number}, {fault:?}: {committed} changes after {seen}");
            seen = committed;
        }
        drop(stop);
        println!("{} faults of the link; the slowest end of both took {slowest:?}", faults.len());
        producing.join().expect("the producer ends well")
    });

    for process in start(&["--until-end"]) {
        process.wait(Duration::from_secs(300)).expect_code(0);
    }
    assert_same("after the faults", &book.counts(), &truth_of(rounds, &truth_of_one));
    book.verify();
}
