//! How the processes come together: each listens, dials, and agrees with each of the others.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use super::contacts::Contacts;
use super::handshake::{Channel, HandshakeError, Introduction, Refusal, difference};
use super::link::Link;
use super::options::UNKNOWN_BOOK;
use super::{ClusterError, ClusterOptions, ClusterShape, handshake, transport};
use crate::change::Failure;
use crate::control::{Deadline, Shutdown};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two attempts to reach a process.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// How often the listener is looked at.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(20);
/// The most handshakes at once with processes that dialled.
const MAX_HANDSHAKES: usize = 64;
/// The most different reasons that are logged of connections which are no process of the cluster.
const MAX_REASONS: usize = 8;

/// By process: the connection, and timely's end of it.
pub(super) type Connected = BTreeMap<usize, (Link, UnixStream)>;

/// Connects a process with all others; returns the connections that there are, and whether these are all.
pub(super) fn connect_all(
    shape: &ClusterShape,
    options: &ClusterOptions,
    contacts: &Contacts,
    shutdown: &Shutdown,
) -> Result<(Connected, Result<(), Failure>), Failure> {
    let own = &shape.addresses[shape.process];
    let not_listening = |source| ClusterError::Listen { address: own.clone(), source };
    let listener = TcpListener::bind(own).map_err(not_listening)?;
    listener.set_nonblocking(true).map_err(not_listening)?;
    info!("process {} of {} waits for the others; it listens on {own}", shape.process, shape.addresses.len());
    let mut forming = Forming {
        shape,
        options,
        contacts,
        shutdown,
        deadline: Deadline::after(options.form_timeout),
        run: (shape.process == 0).then(|| uuid::Uuid::new_v4().to_string()),
        seen: BTreeMap::new(),
        difference: None,
        refused: BTreeSet::new(),
        connected: BTreeMap::new(),
    };
    let formed = forming.dial_all().and_then(|()| forming.accept_all(&listener));
    if formed.is_ok() {
        contacts.set_formed(forming.run.unwrap_or_default());
    }
    Ok((forming.connected, formed))
}

/// A cluster that is coming together.
struct Forming<'a> {
    shape: &'a ClusterShape,
    options: &'a ClusterOptions,
    contacts: &'a Contacts,
    shutdown: &'a Shutdown,
    deadline: Deadline,
    /// The start that this process belongs to, once it knows.
    run: Option<String>,
    /// By process that was dialled: what was last seen there.
    seen: BTreeMap<usize, String>,
    /// How a process that was seen last does not fit.
    difference: Option<String>,
    /// Why connections to the listener were refused.
    refused: BTreeSet<String>,
    connected: Connected,
}

/// What came of a connection to the listener.
type Accepted = (SocketAddr, Result<(usize, Channel), HandshakeError>);

impl Forming<'_> {
    fn introduction(&self) -> Introduction {
        let (process, settings) = (self.shape.process, self.options.settings.clone());
        Introduction { process, run: self.run.clone(), settings }
    }

    fn connect(&mut self, process: usize, channel: Channel) -> Result<(), Failure> {
        let link = Link::start(process, self.contacts, channel, self.shutdown).map_err(ClusterError::Local)?;
        self.connected.insert(process, link);
        info!("{} is connected", self.contacts.name(process));
        Ok(())
    }

    /// Why forming has to end before all processes are connected.
    fn check(&self) -> Result<(), Failure> {
        if let Some(failure) = self.shutdown.has_failed().then(|| self.shutdown.take_failure()).flatten() {
            return Err(failure);
        }
        if !self.deadline.has_passed() {
            return Ok(());
        }
        let missing = (0..self.shape.addresses.len())
            .filter(|process| *process != self.shape.process && !self.connected.contains_key(process))
            .map(|process| {
                let name = self.contacts.name(process);
                match self.seen.get(&process) {
                    Some(seen) => format!("{name}: {seen}"),
                    None if process < self.shape.process => format!("{name} was not dialled yet"),
                    None => format!("{name} has not connected"),
                }
            });
        let refused = self.refused.iter().map(|reason| format!("refused meanwhile: {reason}"));
        let missing = missing.chain(refused).collect::<Vec<_>>().join("; ");
        let waited = self.deadline.timeout();
        Err(match &self.difference {
            Some(_) => ClusterError::Refused { waited, reason: missing },
            None => ClusterError::Incomplete { waited, missing },
        }
        .into())
    }

    /// Dials the processes before this one, process 0 first: it knows which start this is.
    fn dial_all(&mut self) -> Result<(), Failure> {
        for process in 0..self.shape.process {
            loop {
                self.check()?;
                let (reason, differs) = match self.dial(process) {
                    Ok((channel, theirs)) => {
                        self.run = self.run.take().or(theirs.run);
                        self.difference = None;
                        self.connect(process, channel)?;
                        break;
                    }
                    Err(HandshakeError::Refused(reason)) => {
                        let reason = format!("{}: {reason}", self.contacts.name(process));
                        return Err(ClusterError::Refused { waited: self.deadline.elapsed(), reason }.into());
                    }
                    Err(HandshakeError::Differs(reason)) => (reason, true),
                    Err(HandshakeError::Failed(reason)) => (reason, false),
                };
                // A process that does not fit may have ended since: that it did not fit says more.
                if differs || self.difference.is_none() {
                    if self.seen.get(&process) != Some(&reason) {
                        info!("{} cannot be reached yet: {reason}", self.contacts.name(process));
                    }
                    self.difference = differs.then(|| reason.clone());
                    self.seen.insert(process, reason);
                }
                thread::sleep(RETRY_INTERVAL);
            }
        }
        Ok(())
    }

    fn dial(&self, process: usize) -> Result<(Channel, Introduction), HandshakeError> {
        let address = &self.shape.addresses[process];
        let (socket, tls) = (dial_socket(address)?, self.options.security.dialing(address));
        let mut channel = channel_of(socket, tls)?;
        let own = self.introduction();
        let theirs = handshake::dial(&mut channel, &self.options.security, &own)?;
        if theirs.process != process {
            let text = format!("{address} is process {} there, and {process} in the hosts file here", theirs.process);
            return Err(HandshakeError::Refused(text));
        }
        Ok((channel, theirs))
    }

    /// Accepts the processes after this one.
    fn accept_all(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        let expected = self.shape.addresses.len() - 1;
        let connected_indexes = Arc::new(Mutex::new(HashSet::new()));
        let (done, accepted) = channel();
        let mut handshakes = 0;
        while self.connected.len() < expected {
            self.check()?;
            // Without room the rest waits in the listener's queue; each handshake has a deadline.
            while handshakes < MAX_HANDSHAKES
                && let Ok((socket, from)) = listener.accept()
            {
                handshakes += usize::from(self.start_handshake(socket, from, &connected_indexes, &done));
            }
            let Ok((from, result)) = accepted.recv_timeout(ACCEPT_INTERVAL) else { continue };
            handshakes -= 1;
            match result {
                Ok((process, channel)) => self.connect(process, channel)?,
                Err(HandshakeError::Failed(reason)) => self.note_refused(from, reason),
                Err(HandshakeError::Differs(reason) | HandshakeError::Refused(reason)) => {
                    // It may have been started by mistake, and the right one may still come.
                    self.difference = Some(reason.clone());
                    self.note_refused(from, reason);
                }
            }
        }
        Ok(())
    }

    /// Logs each reason once: port scanners open many connections.
    fn note_refused(&mut self, from: SocketAddr, reason: String) {
        if self.refused.len() < MAX_REASONS && !self.refused.contains(&reason) {
            warn!("a connection from {from} is refused: {reason}");
            self.refused.insert(reason);
        }
    }

    /// Starts a handshake on a thread of its own; returns whether it could be started.
    fn start_handshake(
        &self,
        socket: TcpStream,
        from: SocketAddr,
        connected_indexes: &Arc<Mutex<HashSet<usize>>>,
        done: &Sender<Accepted>,
    ) -> bool {
        let (own, security) = (self.introduction(), self.options.security.clone());
        let processes = self.shape.addresses.len();
        let (connected_indexes, done) = (Arc::clone(connected_indexes), done.clone());
        let work = move || {
            let accepted = socket
                .set_nonblocking(false)
                .map_err(HandshakeError::from)
                .and_then(|()| channel_of(socket, security.accepting()))
                .and_then(|mut channel| {
                    let admit = |theirs: &Introduction| admit(theirs, &own, processes, &connected_indexes);
                    let (theirs, place) = handshake::accept(&mut channel, &security, admit)?;
                    place.keep();
                    Ok((theirs.process, channel))
                });
            // The receiver is gone once the cluster has formed or failed.
            let _ = done.send((from, accepted));
        };
        thread::Builder::new().name("handshake".to_owned()).spawn(work).is_ok()
    }
}

/// Decides about a process that has the secret.
fn admit(
    theirs: &Introduction,
    own: &Introduction,
    processes: usize,
    connected_indexes: &Arc<Mutex<HashSet<usize>>>,
) -> Result<(Introduction, ConnectedIndex), Refusal> {
    if let Some(difference) = difference(own, theirs) {
        let has_unknown = [own, theirs].iter().any(|one| one.settings.iter().any(|(_, value)| value == UNKNOWN_BOOK));
        return Err(if has_unknown && difference.contains(UNKNOWN_BOOK) {
            Refusal::ReadTooEarly(difference)
        } else {
            Refusal::Differs(difference)
        });
    }
    if theirs.process <= own.process || theirs.process >= processes {
        return Err(Refusal::WrongIndex(format!(
            "process {} of {processes} does not connect to process {}: is -p right?",
            theirs.process, own.process
        )));
    }
    if theirs.run.is_some() && theirs.run != own.run {
        return Err(Refusal::OtherRun);
    }
    if !connected_indexes.lock().unwrap_or_else(PoisonError::into_inner).insert(theirs.process) {
        return Err(Refusal::IndexTaken(format!("another process {} is connected already", theirs.process)));
    }
    Ok((own.clone(), ConnectedIndex { process: theirs.process, all: Arc::clone(connected_indexes) }))
}

/// The index of a process among those that have connected; free again if its handshake does not end well.
struct ConnectedIndex {
    process: usize,
    all: Arc<Mutex<HashSet<usize>>>,
}

impl ConnectedIndex {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for ConnectedIndex {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process);
    }
}

fn dial_socket(address: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, HANDSHAKE_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A connection with its deadline, and TLS where there is a state for it.
fn channel_of(socket: TcpStream, tls: Result<Option<rustls::Connection>, String>) -> Result<Channel, HandshakeError> {
    let deadline = Deadline::after(HANDSHAKE_TIMEOUT);
    let (receiving, sending) = match tls.map_err(HandshakeError::Failed)? {
        None => transport::plain(socket, deadline)?,
        Some(tls) => transport::encrypted(socket, tls, deadline)?,
    };
    Ok(Channel { receiving, sending })
}
