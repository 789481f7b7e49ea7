//! The shape of the cluster: processes × workers, and where they are.

use std::fs;
use std::panic::PanicHookInfo;
use std::path::Path;

use timely::{CommunicationConfig, Config, WorkerConfig};

use super::RunError;

/// Processes and worker threads of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterShape {
    /// Worker threads in each process.
    pub workers: usize,
    /// This process's index.
    pub process: usize,
    /// `host:port` of each process; one or none means a single process.
    pub addresses: Vec<String>,
}

/// Whether a panic is how timely reports that the connection to another process broke.
pub fn is_lost_process(panic: &PanicHookInfo<'_>) -> bool {
    // Its communication threads and, right after, the workers' queues between them panic with these words.
    let signs = ["timely communication error", "MergeQueue"];
    let message = panic.payload().downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.payload().downcast_ref::<&str>().copied()).unwrap_or_default();
    signs.iter().any(|sign| message.contains(sign))
}

impl ClusterShape {
    /// One process.
    pub fn single(workers: usize) -> ClusterShape {
        ClusterShape { workers, process: 0, addresses: Vec::new() }
    }

    /// `processes` processes of which this is number `process`; `hosts` has one `host:port` a line, the same in all.
    ///
    /// # Errors
    /// [`RunError`] when the file cannot be read or the numbers do not fit.
    pub fn cluster(workers: usize, processes: usize, process: usize, hosts: &Path) -> Result<ClusterShape, RunError> {
        let path = || hosts.display().to_string();
        let text = fs::read_to_string(hosts).map_err(|source| RunError::HostsUnreadable { path: path(), source })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let addresses: Vec<String> = lines.map(str::to_owned).collect();
        if addresses.len() != processes {
            return Err(RunError::HostsNumber { path: path(), found: addresses.len(), processes });
        }
        if process >= processes {
            return Err(RunError::ProcessNumber { process, processes });
        }
        let is_address = |line: &String| line.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if let Some(address) = addresses.iter().find(|line| !is_address(line)) {
            return Err(RunError::HostAddress { path: path(), address: address.clone() });
        }
        Ok(ClusterShape { workers, process, addresses })
    }

    /// Whether this process leads.
    pub fn is_leader(&self) -> bool {
        self.process == 0
    }

    /// All workers of all processes.
    pub fn total(&self) -> usize {
        self.workers * self.addresses.len().max(1)
    }

    /// The configuration of timely and differential.
    pub fn config(&self) -> Config {
        let communication = match (self.addresses.len(), self.workers) {
            (0 | 1, 1) => CommunicationConfig::Thread,
            (0 | 1, workers) => CommunicationConfig::Process(workers),
            (_, threads) => CommunicationConfig::Cluster {
                threads,
                process: self.process,
                addresses: self.addresses.clone(),
                report: false,
                zerocopy: false,
            },
        };
        let mut worker = WorkerConfig::default();
        // Idle workers merge what the arrangement has.
        let differential = differential_dataflow::Config::default().idle_merge_effort(Some(1000));
        differential_dataflow::configure(&mut worker, &differential);
        Config { communication, worker }
    }
}
