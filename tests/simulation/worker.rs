//! Workers that move only when they are stepped: one in the driver's thread, several each in a thread that waits for its turn.
//!
//! *Why threads*: timely's workers of one process find each other while they start, each in a thread of its own. The driver
//! waits for the answer to each step, so at any time one thread runs, and the order is the driver's.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use timely::WorkerConfig;
use timely::communication::Hooks;
use timely::communication::allocator::{Allocator, ProcessBuilder, Thread};
use timely::dataflow::{ProbeHandle, Scope};
use timely::worker::Worker;

use walbook::change::Epoch;

/// Builds the dataflow with a worker's share of the run, in the worker's thread.
pub(crate) type BuildDataflow = Box<dyn for<'scope> FnOnce(Scope<'scope, Epoch>) -> ProbeHandle<Epoch> + Send>;

/// One worker of a run.
pub(crate) enum SteppedWorker {
    /// In the driver's thread.
    Here(Box<Dataflow>),
    /// In a thread that waits.
    Beside(Beside),
}

/// A worker with the dataflow.
pub(crate) struct Dataflow {
    worker: Worker,
    committed: ProbeHandle<Epoch>,
}

/// The driver's ends of the channels to a worker's thread.
pub(crate) struct Beside {
    steps: Option<Sender<()>>,
    answers: Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Dataflow {
    fn build(allocator: Allocator, config: WorkerConfig, build: BuildDataflow) -> Dataflow {
        // Without a timer a delayed activation comes at once: time is the history's.
        let mut worker = Worker::new(config, allocator, None);
        let committed = worker.dataflow_named::<Epoch, _, _>("walbook", build);
        Dataflow { worker, committed }
    }

    fn step(&mut self) -> bool {
        self.worker.step();
        self.committed.done()
    }
}

impl Drop for Dataflow {
    fn drop(&mut self) {
        for dataflow in self.worker.installed_dataflows() {
            self.worker.drop_dataflow(dataflow);
        }
    }
}

impl SteppedWorker {
    /// Builds the dataflow on as many workers as there are builders.
    pub(crate) fn build_all(config: &WorkerConfig, dataflows: Vec<BuildDataflow>) -> Vec<SteppedWorker> {
        let count = dataflows.len();
        if count == 1 {
            let allocator = || Allocator::Thread(Thread::default());
            let build =
                |dataflow| SteppedWorker::Here(Box::new(Dataflow::build(allocator(), config.clone(), dataflow)));
            return dataflows.into_iter().map(build).collect();
        }
        let hooks = Hooks::default();
        let builders = ProcessBuilder::new_typed_vector(count, hooks.refill, None);
        let workers: Vec<Beside> = builders
            .into_iter()
            .zip(dataflows)
            .map(|(builder, dataflow)| {
                let ((steps, turns), (answer, answers)) = (channel(), channel());
                let config = config.clone();
                let life = move || {
                    let allocator = Allocator::Process(builder.build());
                    // All have found each other: from here on one moves at a time.
                    if answer.send(false).is_err() || turns.recv().is_err() {
                        return;
                    }
                    let mut dataflow = Dataflow::build(allocator, config, dataflow);
                    while answer.send(dataflow.committed.done()).is_ok() && turns.recv().is_ok() {
                        dataflow.step();
                    }
                };
                Beside { steps: Some(steps), answers, thread: Some(thread::spawn(life)) }
            })
            .collect();
        let mut workers: Vec<SteppedWorker> = workers.into_iter().map(SteppedWorker::Beside).collect();
        for worker in &mut workers {
            worker.await_answer();
        }
        for worker in &mut workers {
            worker.step();
        }
        workers
    }

    /// Lets the operators run that have work; returns whether all of the run is committed.
    pub(crate) fn step(&mut self) -> bool {
        match self {
            SteppedWorker::Here(dataflow) => dataflow.step(),
            SteppedWorker::Beside(beside) => {
                let _ = beside.steps.as_ref().map(|steps| steps.send(()));
                self.await_answer()
            }
        }
    }

    fn await_answer(&mut self) -> bool {
        let SteppedWorker::Beside(beside) = self else { return false };
        match beside.answers.recv() {
            Ok(is_done) => is_done,
            Err(_) => match beside.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => resume_unwind(panic),
                _ => panic!("a worker's thread has ended"),
            },
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.steps = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
