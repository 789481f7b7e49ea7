//! A worker's life: build the dataflow, step it, stop.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use timely::WorkerConfig;
use timely::worker::Worker;

use super::RunError;
use crate::change::{Epoch, Failure, WithContext};
use crate::cluster::Cluster;
use crate::control::{Process, Progress, Shutdown, return_freed_memory};
use crate::dataflows::pipeline;
use crate::dataflows::pipeline::{LeaderShare, Share};
use crate::source::MakeSource;
use crate::table::FileOutput;

/// How long a worker without work sleeps before it checks whether the process has failed.
const PARK_TIMEOUT: Duration = Duration::from_millis(250);

/// How long after its start a process returns freed memory to the system for the first time, and how long after that each time.
const FIRST_TRIM: Duration = Duration::from_secs(5);
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// What the workers of one process need.
pub struct Workers<'a> {
    /// How many there are.
    pub workers: usize,
    /// The connections to those of other processes.
    pub cluster: &'a mut Cluster,
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
pub fn run_workers(workers: Workers<'_>) -> Result<(), Failure> {
    let Workers { workers, cluster, leader, source, events, rejects, progress, shutdown } = workers;
    // Worker 0 takes it out; all workers of the process share the closure.
    let leader = Mutex::new(leader);
    let (at_work, working) = channel::<()>();
    let at_work = Mutex::new(vec![at_work; workers]);
    let of_workers = shutdown.clone();
    let (allocators, connections) = cluster.allocators()?;
    let guards = timely::execute::execute_from(allocators, connections, worker_config(), move |worker| {
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
    .map_err(RunError::Workers)?;
    // The workers have what the start has read after some seconds; each commit leaves freed memory later.
    let mut until_trim = FIRST_TRIM;
    // Ends when the last worker has dropped its end.
    while !matches!(working.recv_timeout(until_trim), Err(RecvTimeoutError::Disconnected)) {
        return_freed_memory();
        until_trim = TRIM_INTERVAL;
    }
    shutdown.mark_finished();
    if let Some(failure) = shutdown.take_failure() {
        // Joining would wait for the other processes, and they wait for this one.
        std::mem::forget(guards);
        return Err(failure);
    }
    // Timely's threads end when those of the other processes do; a process that is lost meanwhile ends them never.
    let (joined, joining) = channel();
    let join = move || drop(joined.send(guards.join().into_iter().collect::<Result<(), String>>()));
    thread::Builder::new().name("join".to_owned()).spawn(join).context("could not start a thread")?;
    loop {
        match joining.recv_timeout(PARK_TIMEOUT) {
            Ok(ended) => return ended.map_err(|error| RunError::Workers(error).into()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(RunError::Workers("they ended in a panic".to_owned()).into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(failure) = shutdown.take_failure() {
            return Err(failure);
        }
    }
}

/// The settings of timely and differential.
pub fn worker_config() -> WorkerConfig {
    let mut config = WorkerConfig::default();
    // Idle workers merge what the arrangement has.
    let differential = differential_dataflow::Config::default().idle_merge_effort(Some(1000));
    differential_dataflow::configure(&mut config, &differential);
    config
}

/// Steps the dataflow until everything is committed, or until the process has failed.
fn work(worker: &mut Worker, share: Share, shutdown: &Shutdown) {
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
