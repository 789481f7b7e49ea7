//! What is known of the other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::change::instant::now_micros;

/// The processes of a cluster, as seen by one of them; clones share what is known.
#[derive(Clone, Debug)]
pub struct Peers {
    own: usize,
    peers: Arc<[Peer]>,
}

#[derive(Debug)]
struct Peer {
    address: String,
    /// Microseconds since 1970-01-01 UTC, 0 for never.
    received_at: AtomicI64,
}

/// A process of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its index.
    pub process: usize,
    /// Its `host:port` in the hosts file.
    pub address: String,
    /// When something last came from it, in microseconds since 1970-01-01 UTC; `None` for the process itself, and before the
    /// first time.
    pub received_at: Option<i64>,
}

impl Peers {
    /// Those of a hosts file; `own` is the index of this process.
    pub fn new(addresses: &[String], own: usize) -> Peers {
        let peers = addresses.iter().map(|address| Peer { address: address.clone(), received_at: AtomicI64::new(0) });
        Peers { own, peers: peers.collect() }
    }

    /// Notes that something came from a process.
    pub(super) fn received_from(&self, process: usize) {
        self.peers[process].received_at.store(now_micros(), Ordering::Relaxed);
    }

    /// A process in messages: `process 1 (host:port)`.
    pub(super) fn name(&self, process: usize) -> String {
        format!("process {process} ({})", self.peers[process].address)
    }

    /// The state of all of them, by index.
    pub fn status(&self) -> Vec<PeerStatus> {
        let status = |(process, peer): (usize, &Peer)| PeerStatus {
            process,
            address: peer.address.clone(),
            received_at: Some(peer.received_at.load(Ordering::Relaxed)).filter(|at| process != self.own && *at > 0),
        };
        self.peers.iter().enumerate().map(status).collect()
    }
}
