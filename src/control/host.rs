//! What a process needs of its machine besides files: the time, and threads for work that blocks.
//!
//! *Why a trait*: a simulation replaces the machine, so that time and the order of work follow a seed.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::{Progress, Shutdown};

/// What all parts of a process share.
#[derive(Clone)]
pub struct Process {
    /// Its counters.
    pub progress: Progress,
    /// How it ends.
    pub shutdown: Shutdown,
    /// The machine.
    pub host: Arc<dyn Host>,
}

impl Process {
    /// A process on the real machine.
    pub fn new(progress: Progress, shutdown: Shutdown) -> Process {
        Process { progress, shutdown, host: Arc::new(Machine) }
    }
}

/// The machine that a process runs on.
pub trait Host: Send + Sync {
    /// The present; never goes back.
    fn now(&self) -> Instant;

    /// Starts a task that may block, beside the workers.
    fn start(&self, name: &str, task: Box<dyn Task>);
}

/// Jobs that are done one after the other.
pub trait Task: Send {
    /// Does all jobs as they come; returns when there will be no more.
    fn run(&mut self);

    /// Does one job if one is at hand; returns whether it did.
    fn run_ready(&mut self) -> bool;
}

/// The real machine: each task gets a thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Host for Machine {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn start(&self, name: &str, mut task: Box<dyn Task>) {
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || task.run());
        started.expect("a thread can be started");
    }
}
