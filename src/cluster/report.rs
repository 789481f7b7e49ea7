//! The processes of a cluster as one of them sees them at one instant.

use std::time::Duration;

/// The processes of a cluster as one of them sees them.
#[derive(Clone, Debug)]
pub struct ClusterReport {
    /// The start of the cluster: another one at each start.
    pub run: String,
    /// When all processes were connected, in microseconds since 1970-01-01 UTC.
    pub formed_at: i64,
    /// The index of the process that sees this.
    pub process: usize,
    /// The index of the process that leads.
    pub leader: usize,
    /// Worker threads in each process.
    pub workers: usize,
    /// All processes, by index.
    pub processes: Vec<ProcessReport>,
}

/// A process as another one, or it itself, sees it.
#[derive(Clone, Debug)]
pub struct ProcessReport {
    /// Its index.
    pub process: usize,
    /// `host:port` in the hosts file.
    pub address: String,
    /// When it was connected, in microseconds since 1970-01-01 UTC; of the process that sees this, when it began to connect.
    pub connected_at: i64,
    /// How long ago something last came from it.
    pub silent: Duration,
    /// Whether that is less than [`SILENT_AFTER`](super::SILENT_AFTER) ago.
    pub answers: bool,
    /// Since when it has not reached what it reads, and why; `None` if it does, or leads.
    pub source_lost: Option<SourceLost>,
}

/// That a process does not reach what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLost {
    /// How long ago it reached it last.
    pub silent: Duration,
    /// Why it does not.
    pub error: String,
}

impl ClusterReport {
    /// The processes that do not answer.
    pub fn silent(&self) -> impl Iterator<Item = &ProcessReport> {
        self.processes.iter().filter(|process| !process.answers)
    }

    /// The processes that have not reached what they read for at least a time, with how long and why.
    pub fn without_source(&self, least: Duration) -> impl Iterator<Item = (&ProcessReport, &SourceLost)> {
        let lost = self.processes.iter().filter_map(|process| Some((process, process.source_lost.as_ref()?)));
        lost.filter(move |(_, lost)| lost.silent >= least)
    }
}

impl ProcessReport {
    /// The process in messages.
    pub fn name(&self) -> String {
        name(self.process, &self.address)
    }
}

/// A process in messages: `process 1 (host:port)`.
pub(super) fn name(process: usize, address: &str) -> String {
    format!("process {process} ({address})")
}
