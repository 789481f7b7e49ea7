//! The processes of a cluster as one of them sees them at one instant.

use std::time::Duration;

/// A process that has not reached what it reads for so long is a fault of the cluster …
const LOST_AFTER: Duration = Duration::from_secs(5);
/// … if another one has reached it within this time: else it is what they read that is away.
const REACHED_WITHIN: Duration = Duration::from_secs(3);

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
    /// Whether it reaches what it reads; `None` while that is not known.
    pub source: Option<SourceReport>,
}

/// Whether a process reaches what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// How long ago it reached it last.
    pub silent: Duration,
    /// Why it does not; `None` if it does.
    pub error: Option<String>,
}

impl ClusterReport {
    /// The processes that do not answer.
    pub fn silent(&self) -> impl Iterator<Item = &ProcessReport> {
        self.processes.iter().filter(|process| !process.answers)
    }

    /// Sets whether the process that sees this reaches what it reads.
    pub fn set_own_source(&mut self, source: SourceReport) {
        self.processes[self.process].source = Some(source);
    }

    /// The process that has not reached what it reads for the longest time while another one does, with how long and why.
    pub fn without_source(&self) -> Option<(&ProcessReport, Duration, &str)> {
        let sources = || self.processes.iter().filter_map(|process| Some((process, process.source.as_ref()?)));
        let is_reached = sources().any(|(_, source)| source.error.is_none() && source.silent < REACHED_WITHIN);
        let lost = sources().filter_map(|(process, source)| Some((process, source.silent, source.error.as_deref()?)));
        lost.filter(|(_, silent, _)| is_reached && *silent >= LOST_AFTER).max_by_key(|(_, silent, _)| *silent)
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
