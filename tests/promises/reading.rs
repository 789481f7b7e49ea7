//! A source that failed moves no position, and a durable commit wakes whoever waits for it, on all workers and processes.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use timely::dataflow::operators::capture::Event;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capture, Exchange, Input, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;
use timely::{CommunicationConfig, Config, WorkerConfig};
use walbook::change::{
    CommitNumber, Epoch, Failure, LeaderCommand, Partition, PartitionStart, PolledBatch, Start, Tick,
};
use walbook::control::{Process, Progress, Shutdown};
use walbook::leader::wake_on_commit;
use walbook::source::{Cursors, Source, Waker, read_partitions};

/// Fails after it has moved its cursors past a record that it does not return, or never has one.
struct TestSource {
    cursors: Cursors,
    fails: bool,
    polls: Rc<Cell<usize>>,
}

impl Source for TestSource {
    fn set_waker(&mut self, _waker: Waker) {}

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        partitions.iter().for_each(|start| {
            self.cursors.add(start);
        });
        Ok(())
    }

    fn poll_batch(&mut self, _limit: usize) -> Result<Option<PolledBatch>, Failure> {
        self.polls.set(self.polls.get() + 1);
        if self.fails {
            self.cursors.accept(0, 0);
            return Err(Failure::new("the record after it is lost"));
        }
        Ok(None)
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        None
    }
}

/// The first command of a run that reads one partition.
fn start() -> LeaderCommand {
    let partition = Partition { topic: "t".to_owned(), number: 0 };
    LeaderCommand::Start(Start {
        book: String::new(),
        generation: String::new(),
        time_zone: "UTC".to_owned(),
        day_from: "auto".to_owned(),
        commit: 1,
        until_end: false,
        partitions: vec![PartitionStart::new(partition, 0, None)],
        views: Vec::new(),
    })
}

fn tick(epoch: Epoch, commit: CommitNumber) -> LeaderCommand {
    LeaderCommand::Tick(Tick { epoch, commit })
}

fn step(worker: &mut Worker) {
    for _ in 0..20 {
        worker.step();
    }
}

fn drop_dataflows(worker: &mut Worker) {
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
}

#[test]
fn a_source_that_failed_moves_no_position() {
    timely::execute_directly(|worker| {
        let (shutdown, polls) = (Shutdown::new(), Rc::new(Cell::new(0)));
        let source = TestSource { cursors: Cursors::default(), fails: true, polls: Rc::clone(&polls) };
        let (mut commands, mut commits, positions) = worker.dataflow::<Epoch, _, _>(|scope| {
            let (commands, to_all) = scope.new_input::<Vec<LeaderCommand>>();
            let (commits, committed) = scope.new_input::<Vec<CommitNumber>>();
            let probe = ProbeHandle::new();
            committed.probe_with(&probe);
            let read = read_partitions(
                scope,
                Box::new(source),
                to_all,
                probe,
                Process::new(Progress::new(), shutdown.clone()),
            );
            (commands, commits, read.positions.capture())
        });
        commands.send(start());
        commands.flush();
        step(worker);
        assert!(shutdown.has_failed() && polls.get() == 1);
        commands.send(tick(2, 1));
        commands.flush();
        step(worker);
        let sent = positions.try_iter().filter(|event| matches!(event, Event::Messages(..)));
        assert_eq!(sent.count(), 0, "the record was read, but never returned");
        commits.flush();
        drop_dataflows(worker);
    });
}

#[test]
fn a_durable_commit_wakes_a_reader_without_credit() {
    timely::execute_directly(|worker| {
        let (shutdown, polls) = (Shutdown::new(), Rc::new(Cell::new(0)));
        let source = TestSource { cursors: Cursors::default(), fails: false, polls: Rc::clone(&polls) };
        let (mut commands, mut commits) = worker.dataflow::<Epoch, _, _>(|scope| {
            let (commands, to_all) = scope.new_input::<Vec<LeaderCommand>>();
            let (commits, committed) = scope.new_input::<Vec<CommitNumber>>();
            let probe = ProbeHandle::new();
            let read = read_partitions(
                scope,
                Box::new(source),
                to_all,
                probe.clone(),
                Process::new(Progress::new(), shutdown),
            );
            wake_on_commit(committed.probe_with(&probe), [read.wake]);
            (commands, commits)
        });
        for command in [start(), tick(2, 2), tick(3, 3)] {
            commands.send(command);
        }
        commands.flush();
        step(worker);
        assert_eq!(polls.get(), 0, "two commits are not durable");
        commits.advance_to(2);
        step(worker);
        assert_eq!(polls.get(), 1, "the first of them is durable now");
        drop_dataflows(worker);
    });
}

/// Parks until the commit of worker 0 wakes an operator of this worker.
fn await_commit(worker: &mut Worker, ready: &Sender<()>) {
    const LONG: Duration = Duration::from_secs(120);
    let woken = Rc::new(Cell::new(0));
    let mut commits: InputHandleVec<Epoch, CommitNumber> = worker.dataflow::<Epoch, _, _>(|scope| {
        let (commits, committed) = scope.new_input::<Vec<CommitNumber>>();
        let builder = OperatorBuilder::new("Woken".to_owned(), scope);
        let wake = scope.activator_for(builder.operator_info().address);
        let count = Rc::clone(&woken);
        builder.build_reschedule(move |_capabilities| {
            move |_frontiers| {
                count.set(count.get() + 1);
                true
            }
        });
        let probe = ProbeHandle::new();
        wake_on_commit(committed.exchange(|_| 0).probe_with(&probe), [wake]);
        commits
    });
    if worker.index() > 0 {
        // Only worker 0 commits.
        commits.close();
    } else {
        // Let the others park first, so that it is the commit that wakes them.
        thread::sleep(Duration::from_millis(300));
        commits.advance_to(7);
    }
    step(worker);
    let (before, begin) = (woken.get(), Instant::now());
    while worker.index() > 0 && woken.get() == before {
        worker.step_or_park(Some(LONG));
        assert!(begin.elapsed() < LONG, "the commit woke nothing");
    }
    let _ = ready.send(());
    while worker.index() == 0 && begin.elapsed() < Duration::from_secs(2) {
        worker.step_or_park(Some(Duration::from_millis(50)));
    }
    drop_dataflows(worker);
}

fn run(communication: CommunicationConfig, woken: Sender<()>) {
    let config = Config { communication, worker: WorkerConfig::default() };
    let guards = timely::execute(config, move |worker| await_commit(worker, &woken)).expect("workers start");
    guards.join().into_iter().for_each(|ended| ended.expect("a worker ends well"));
}

#[test]
fn a_durable_commit_wakes_the_workers_of_all_processes() {
    let (woken, all) = channel();
    run(CommunicationConfig::Process(2), woken);
    assert_eq!(all.iter().count(), 2);

    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().expect("it is bound").to_string());
    drop(listeners);
    let (woken, all) = channel();
    let processes = [0, 1].map(|process| {
        let (addresses, woken) = (addresses.to_vec(), woken.clone());
        let cluster = CommunicationConfig::Cluster { threads: 1, process, addresses, report: false, zerocopy: false };
        thread::spawn(move || run(cluster, woken))
    });
    drop(woken);
    processes.into_iter().for_each(|process| process.join().expect("a process ends well"));
    assert_eq!(all.iter().count(), 2);
}
