//! How the processes are named in messages.

use std::sync::Arc;

/// The processes of a cluster by their addresses; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Peers(Arc<[String]>);

impl Peers {
    /// Those of a hosts file.
    pub(super) fn new(addresses: &[String]) -> Peers {
        Peers(addresses.into())
    }

    /// A process in messages: `process 1 (host:port)`.
    pub(super) fn name(&self, process: usize) -> String {
        format!("process {process} ({})", self.0[process])
    }
}
