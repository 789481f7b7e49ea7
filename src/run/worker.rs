//! A worker's life: build the dataflow, step it, stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use timely::worker::Worker;
use tracing::error;

use super::{ClusterShape, RunError};
use crate::change::{Epoch, Failure};
use crate::control::{Process, Progress, Shutdown};
use crate::dataflows::pipeline;
use crate::dataflows::pipeline::{LeaderShare, Share};
use crate::source::MakeSource;
use crate::table::FileOutput;

/// How long a worker without work sleeps before it checks whether the process has failed.
const PARK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the processes of a cluster wait for each other.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the workers of one process need.
pub struct Workers {
    /// The cluster's shape.
    pub shape: ClusterShape,
    /// What worker 0 needs in addition, in the leading process.
    pub leader: Option<LeaderShare>,
    /// Makes the source of the worker with this index.
    pub source: Arc<MakeSource>,
    /// Where event files go.
    pub events: FileOutput,
    /// Where reject files go.
    pub rejects: FileOutput,
    /// The counters of this process.
    pub progress: Progress,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// Runs the dataflow on all workers of this process until it is done or fails.
///
/// # Errors
/// The first failure of any of its parts, or that the workers could not be started.
pub fn run_workers(workers: Workers) -> Result<(), Failure> {
    let Workers { shape, leader, source, events, rejects, progress, shutdown } = workers;
    // Worker 0 takes it out; all workers of the process share the closure.
    let leader = Mutex::new(leader);
    let (at_work, working) = channel::<()>();
    let at_work = Mutex::new(vec![at_work; shape.workers]);
    let connected = Arc::new(AtomicBool::new(false));
    if shape.total() > shape.workers {
        end_unless_connected(Arc::clone(&connected));
    }
    let (of_workers, of_shape) = (shutdown.clone(), shape.clone());
    let guards = timely::execute(shape.config(), move |worker| {
        let _at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let leader = match worker.index() {
            0 => leader.lock().unwrap_or_else(PoisonError::into_inner).take(),
            _ => None,
        };
        let source = match source(worker.index()) {
            Ok(source) => source,
            Err(failure) => return of_workers.fail(failure),
        };
        let share = Share {
            leader,
            source,
            events: events.clone(),
            rejects: rejects.clone(),
            process: Process::new(progress.clone(), of_workers.clone()),
        };
        work(worker, share, &of_workers);
    })
    .map_err(|error| RunError::Workers(format!("{error}{}", own_address(&of_shape))))?;
    connected.store(true, Ordering::Relaxed);
    // Ends when the last worker has dropped its end.
    while working.recv().is_ok() {}
    shutdown.mark_finished();
    if let Some(failure) = shutdown.take_failure() {
        // Joining would wait for the other processes, and they wait for this one.
        std::mem::forget(guards);
        return Err(failure);
    }
    guards.join().into_iter().collect::<Result<(), String>>().map_err(|error| RunError::Workers(error).into())
}

/// Where this process listens to the others, for errors: timely's do not say it.
fn own_address(shape: &ClusterShape) -> String {
    shape
        .addresses
        .get(shape.process)
        .map_or_else(String::new, |address| format!(" (this process listens on {address})"))
}

/// Ends this process if the others do not come: timely would wait without end, also for one that died before it connected.
fn end_unless_connected(connected: Arc<AtomicBool>) {
    let watch = move || {
        thread::sleep(CONNECT_TIMEOUT);
        if !connected.load(Ordering::Relaxed) {
            error!(
                "the other processes of the cluster did not connect within {} s; start all of them again",
                CONNECT_TIMEOUT.as_secs()
            );
            std::process::exit(1);
        }
    };
    thread::Builder::new().name("connect".to_owned()).spawn(watch).expect("a thread can be started");
}

/// Steps the dataflow until everything is committed, or until the process has failed.
fn work(worker: &mut Worker, share: Share, shutdown: &Shutdown) {
    // Before anything can be read: from now on a signal must wait for a commit.
    shutdown.mark_started();
    let committed = worker.dataflow_named::<Epoch, _, _>("walbook", |scope| pipeline::build(scope, share));
    while !committed.done() && !shutdown.has_failed() {
        worker.step_or_park(Some(PARK_TIMEOUT));
    }
    if shutdown.has_failed() {
        // Nothing of it counts any more; the next start begins at the last commit.
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }
}
