//! The connections of a process to all others, from the agreement to the end.

use std::any::Any;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use timely::CommunicationConfig;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use tracing::info;

use super::contacts::Contacts;
use super::link::{Link, wait_until_closed};
use super::{ClusterError, ClusterOptions, ClusterShape, connect};
use crate::change::Failure;
use crate::control::{Deadline, Shutdown};

/// How long a failing process waits until the others have its notice.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a process that has succeeded looks whether another one has failed.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The connections to the other processes; none for a single process.
pub struct Cluster {
    shape: ClusterShape,
    contacts: Option<Contacts>,
    links: Vec<Link>,
    /// Timely's ends, by process.
    sockets: Vec<Option<UnixStream>>,
}

impl Cluster {
    /// Connects this process with all others, and agrees with them; from then on the end of one fails `shutdown`.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] when settings differ, [`ClusterError::Incomplete`] when not all came in time.
    pub fn form(shape: &ClusterShape, options: &ClusterOptions, shutdown: &Shutdown) -> Result<Cluster, Failure> {
        let mut cluster = Cluster { shape: shape.clone(), contacts: None, links: Vec::new(), sockets: Vec::new() };
        if !shape.is_cluster() {
            return Ok(cluster);
        }
        let contacts = Contacts::new(shape);
        let (connected, formed) = connect::connect_all(shape, options, &contacts, shutdown)?;
        cluster.contacts = Some(contacts);
        cluster.sockets = shape.addresses.iter().map(|_| None).collect();
        for (process, (link, socket)) in connected {
            cluster.links.push(link);
            cluster.sockets[process] = Some(socket);
        }
        match formed {
            Ok(()) => {
                info!("all {} processes of the cluster are connected", shape.addresses.len());
                Ok(cluster)
            }
            Err(failure) => {
                cluster.fail(&failure);
                Err(failure)
            }
        }
    }

    /// What this process knows of the others; `None` for a single process.
    pub fn contacts(&self) -> Option<&Contacts> {
        self.contacts.as_ref()
    }

    /// What timely's workers of this process are made of.
    ///
    /// # Errors
    /// [`ClusterError::Local`] when the system gives no threads or sockets.
    pub fn allocators(&mut self) -> Result<(Vec<AllocatorBuilder>, Box<dyn Any + Send>), Failure> {
        let workers = self.shape.workers;
        if !self.shape.is_cluster() {
            let config = if workers == 1 { CommunicationConfig::Thread } else { CommunicationConfig::Process(workers) };
            return config.try_build().map_err(Failure::new);
        }
        let hooks = Hooks::default();
        let local = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        let sockets = std::mem::take(&mut self.sockets);
        let (builders, guard) = initialize_networking_from_sockets(local, sockets, self.shape.process, workers, hooks)
            .map_err(ClusterError::Local)?;
        Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
    }

    /// Ends with success, once all others have; `shutdown` has what they fail of.
    ///
    /// # Errors
    /// The failure of another process.
    pub fn finish(self, shutdown: &Shutdown) -> Result<(), Failure> {
        for link in &self.links {
            while !link.is_sent_within(CHECK_INTERVAL) && !shutdown.has_failed() {}
        }
        if let Some(failure) = shutdown.take_failure() {
            self.fail(&failure);
            return Err(failure);
        }
        self.links.iter().for_each(Link::send_finished);
        for link in &self.links {
            while !link.is_closed_within(CHECK_INTERVAL) && !shutdown.has_failed() {}
        }
        match shutdown.take_failure() {
            None => Ok(()),
            Some(failure) => {
                self.links.into_iter().for_each(Link::abandon);
                Err(failure)
            }
        }
    }

    /// Tells the others that this process fails, and why, so that they end with the same exit code.
    pub fn fail(self, failure: &Failure) {
        let deadline = Deadline::after(NOTICE_TIMEOUT);
        let sending: Vec<_> = self.links.iter().map(|link| link.send_failure(failure)).collect();
        // A peer that has succeeded has closed its side long before it gets the notice.
        for sent in &sending {
            let _ = sent.recv_timeout(deadline.remaining());
        }
        wait_until_closed(&self.links, deadline);
        self.links.into_iter().for_each(Link::abandon);
        self.sockets.into_iter().flatten().for_each(std::mem::forget);
    }
}
