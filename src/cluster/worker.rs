//! A worker's life: build the dataflow, step it, stop.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use timely::worker::Worker;
use tracing::error;

use super::{Leader, Peers};
use crate::book::Committing;
use crate::change::Epoch;
use crate::dataflows::pipeline::{self, Share};
use crate::live::ClosedEpoch;
use crate::process::{Progress, Shutdown};
use crate::source::MakeSource;
use crate::table::FileOutput;

/// How long a worker without work sleeps before it looks whether the process has failed.
const PARK: Duration = Duration::from_millis(100);

/// How long the processes of a cluster wait for each other.
const CONNECT: Duration = Duration::from_secs(60);

/// Everything that the workers of one process share out among themselves.
pub struct Run {
    /// The cluster's shape.
    pub peers: Peers,
    /// In the leading process: the clock, and the book that is committed to.
    pub leader: Option<(Leader, Committing)>,
    /// In the leading process: who hears of closed epochs.
    pub listener: Option<Sender<ClosedEpoch>>,
    /// Makes the source of the worker with this index.
    pub source: Arc<MakeSource>,
    /// Where event files go.
    pub events: FileOutput,
    /// Where reject files go.
    pub rejects: FileOutput,
    /// What is counted on the way.
    pub progress: Progress,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// Runs the dataflow on all workers of this process until it is done or fails.
///
/// # Errors
/// The first failure of any of its parts, or that the workers could not be started.
pub fn run(run: Run) -> Result<(), Box<dyn Error + Send + Sync>> {
    let shutdown = run.shutdown.clone();
    let config = run.peers.config();
    // Worker 0 takes it; the closure is shared by all workers of the process.
    let leader = Mutex::new(run.leader.map(|leader| (leader, run.listener)));
    let Run { source, events, rejects, progress, shutdown: end, .. } = run;
    let (at_work, working) = channel::<()>();
    let at_work = Mutex::new(vec![at_work; run.peers.workers]);
    let connected = Arc::new(AtomicBool::new(false));
    if run.peers.total() > run.peers.workers {
        end_unless_connected(Arc::clone(&connected));
    }
    let guards = timely::execute(config, move |worker| {
        let _at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let leader = match worker.index() {
            0 => leader.lock().unwrap_or_else(PoisonError::into_inner).take(),
            _ => None,
        };
        let (leader, listener) = leader.unzip();
        let source = match source(worker.index()) {
            Ok(source) => source,
            Err(error) => return end.fail(error),
        };
        let share = Share {
            leader,
            listener: listener.flatten(),
            source,
            events: events.clone(),
            rejects: rejects.clone(),
            progress: progress.clone(),
            shutdown: end.clone(),
        };
        work(worker, share, &end);
    })?;
    connected.store(true, Ordering::Relaxed);
    // Ends when the last worker has dropped its end.
    while working.recv().is_ok() {}
    shutdown.end_work();
    if let Some(failure) = shutdown.take_failure() {
        // Joining would wait for the other processes, and they wait for this one.
        std::mem::forget(guards);
        return Err(failure);
    }
    for result in guards.join() {
        result?;
    }
    Ok(())
}

/// Ends this process if the others do not come: timely would wait for ever, also for one that died before it connected.
fn end_unless_connected(connected: Arc<AtomicBool>) {
    let watch = move || {
        thread::sleep(CONNECT);
        if !connected.load(Ordering::Relaxed) {
            error!(
                "the other processes of the cluster did not connect within {} s; start all of them again",
                CONNECT.as_secs()
            );
            std::process::exit(1);
        }
    };
    thread::Builder::new().name("connect".to_owned()).spawn(watch).expect("a thread can be started");
}

/// Steps the dataflow until everything is committed, or until the process has failed.
fn work(worker: &mut Worker, share: Share, shutdown: &Shutdown) {
    // Before anything can be read: a signal that comes now has something to wait for.
    shutdown.begin_work();
    let committed = worker.dataflow_named::<Epoch, _, _>("walbook", |scope| pipeline::build(scope, share));
    while !committed.done() && !shutdown.has_failed() {
        worker.step_or_park(Some(PARK));
    }
    if shutdown.has_failed() {
        // Nothing of it counts any more; the next start begins at the last commit.
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }
}
