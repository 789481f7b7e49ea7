//! Why a cluster does not form, or ends.

use std::io;
use std::time::Duration;

use crate::change::{Classified, FailureKind};

/// Why a cluster does not form, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The file of hosts cannot be read.
    #[error("could not read the hosts file {path}: {source}")]
    HostsUnreadable {
        /// The file.
        path: String,
        /// What the file system answered.
        source: io::Error,
    },
    /// The file of hosts does not name as many processes as there are.
    #[error("{path} names {found} hosts, but -n is {processes}")]
    HostsNumber {
        /// The file.
        path: String,
        /// The hosts in it.
        found: usize,
        /// The processes that were asked for.
        processes: usize,
    },
    /// A line of the file of hosts is no address.
    #[error("{address:?} in {path} is not host:port")]
    HostAddress {
        /// The file.
        path: String,
        /// The line.
        address: String,
    },
    /// The index of this process is too large.
    #[error("-p {process} is not below -n {processes}: indexes start at 0")]
    ProcessNumber {
        /// The index.
        process: usize,
        /// The processes that were asked for.
        processes: usize,
    },
    /// The processes are on several machines, and their connections would be plain.
    #[error(
        "{address} is not an address of this machine, and connections between the processes would not be encrypted: give \
         --cluster-cert, --cluster-key and --cluster-ca; or --cluster-insecure if the network between them is trusted"
    )]
    Plain {
        /// An address of the hosts file.
        address: String,
    },
    /// A file with a secret, a key or certificates cannot be used.
    #[error("{flag} {path}: {message}")]
    SecurityFile {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// This process cannot listen where the hosts file says.
    #[error("could not listen on {address}, the address of this process in the hosts file: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system answered.
        source: io::Error,
    },
    /// Processes differ, or one is not trusted.
    #[error("the processes of the cluster do not fit together, after {} s: {reason}", waited.as_secs())]
    Refused {
        /// The time since the start.
        waited: Duration,
        /// What differs, with the values of both.
        reason: String,
    },
    /// Not all processes came together in time.
    #[error("the cluster did not form within {} s: {missing}", waited.as_secs())]
    Incomplete {
        /// The time.
        waited: Duration,
        /// The processes that are missing, and what was seen of them.
        missing: String,
    },
    /// A process is silent.
    #[error("{peer} of the cluster does not answer: nothing came from it for {} s", silent.as_secs())]
    Silent {
        /// The process.
        peer: String,
        /// The time.
        silent: Duration,
    },
    /// A connection was closed, or broke, without a word of its process.
    #[error("{peer} of the cluster does not answer any more: {message}")]
    Gone {
        /// The process.
        peer: String,
        /// What was seen of the connection.
        message: String,
    },
    /// Another process failed.
    #[error("{peer} of the cluster failed: {message}")]
    Failed {
        /// The process.
        peer: String,
        /// What its failure means for all of them.
        kind: FailureKind,
        /// Its failure.
        message: String,
    },
    /// Another process was asked to end before anything was read.
    #[error("{peer} of the cluster ends: {message}")]
    Requested {
        /// The process.
        peer: String,
        /// What it said.
        message: String,
    },
    /// Another process has lost what it reads.
    #[error("{peer} of the cluster has not reached what it reads for {} s: {message}", waited.as_secs())]
    SourceLost {
        /// The process.
        peer: String,
        /// The time.
        waited: Duration,
        /// Why it does not reach it.
        message: String,
    },
    /// Sockets inside the process could not be made.
    #[error("could not prepare the connections between the processes: {0}")]
    Local(#[from] io::Error),
}

impl Classified for ClusterError {
    fn kind(&self) -> FailureKind {
        match self {
            ClusterError::HostsUnreadable { .. }
            | ClusterError::HostsNumber { .. }
            | ClusterError::HostAddress { .. }
            | ClusterError::ProcessNumber { .. }
            | ClusterError::Plain { .. }
            | ClusterError::SecurityFile { .. }
            | ClusterError::Refused { .. } => FailureKind::Usage,
            ClusterError::Incomplete { .. } | ClusterError::Silent { .. } | ClusterError::Gone { .. } => {
                FailureKind::Cluster
            }
            ClusterError::Failed { kind, .. } => *kind,
            ClusterError::Requested { .. } => FailureKind::Requested,
            ClusterError::Listen { .. } | ClusterError::SourceLost { .. } | ClusterError::Local(_) => {
                FailureKind::Other
            }
        }
    }
}
