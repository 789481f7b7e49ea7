//! The shape of the cluster: processes × workers, and where they are.

use std::fs;
use std::path::Path;

use super::ClusterError;

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

impl ClusterShape {
    /// One process.
    pub fn single(workers: usize) -> ClusterShape {
        ClusterShape { workers, process: 0, addresses: Vec::new() }
    }

    /// `processes` processes of which this is number `process`; `hosts` has one `host:port` a line, the same in all.
    ///
    /// # Errors
    /// [`ClusterError`] when the file cannot be read or the numbers do not fit.
    pub fn cluster(
        workers: usize,
        processes: usize,
        process: usize,
        hosts: &Path,
    ) -> Result<ClusterShape, ClusterError> {
        let path = || hosts.display().to_string();
        let text =
            fs::read_to_string(hosts).map_err(|source| ClusterError::HostsUnreadable { path: path(), source })?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let addresses: Vec<String> = lines.map(str::to_owned).collect();
        if addresses.len() != processes {
            return Err(ClusterError::HostsNumber { path: path(), found: addresses.len(), processes });
        }
        if process >= processes {
            return Err(ClusterError::ProcessNumber { process, processes });
        }
        let is_address = |line: &String| line.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if let Some(address) = addresses.iter().find(|line| !is_address(line)) {
            return Err(ClusterError::HostAddress { path: path(), address: address.clone() });
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

    /// Whether there are several processes.
    pub fn is_cluster(&self) -> bool {
        self.addresses.len() > 1
    }
}
