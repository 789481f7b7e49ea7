//! A link carries timely's bytes to another process and back, and notices when that process is gone.
//!
//! Four threads for each peer: one sends what timely wrote, one receives, one hands to timely what came, one sends heartbeats. So a
//! dataflow that is not built yet, or does not read, keeps back no heartbeat. A link never closes timely's end of the socket pair
//! after a failure: timely would panic, and the failure names the cause better.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown as Direction;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ClusterError;
use super::contacts::{Contacts, SourceNotice};
use super::frames::{self, FrameKind};
use super::handshake::Channel;
use super::transport::{ReceivingHalf, SendingHalf};
use crate::change::{Failure, FailureKind};
use crate::control::{Deadline, Shutdown};

/// How long nothing may come from another process.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two heartbeats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of timely that are sent in one frame.
const MAX_DATA: usize = 64 << 10;

/// The connection to one process, while it is used.
pub(super) struct Link {
    sending: Arc<Mutex<SendingHalf>>,
    /// Timely's bytes, from and to the dataflow of this process.
    local: UnixStream,
    /// Disconnected once all that timely wrote is sent.
    data: Receiver<()>,
    /// Disconnected once the peer has closed its side.
    receiving: Receiver<()>,
    /// Ends the heartbeats when it is dropped.
    heartbeat_stop: Sender<()>,
}

/// The failure of a process, as it is sent to the others.
#[derive(Serialize, Deserialize)]
struct FailureNotice {
    exit_code: u8,
    message: String,
}

impl Link {
    /// Starts to use the connection to a process, whose end or silence fails this one. Also returns timely's end.
    pub(super) fn start(
        process: usize,
        contacts: &Contacts,
        channel: Channel,
        shutdown: &Shutdown,
    ) -> io::Result<(Link, UnixStream)> {
        let Channel { mut receiving, sending } = channel;
        receiving.set_timeout(PEER_TIMEOUT)?;
        contacts.note_frame(process);
        let (local, of_timely) = UnixStream::pair()?;
        let sending = Arc::new(Mutex::new(sending));
        let (to_timely, received) = mpsc::channel();
        let from_peer = local.try_clone()?;
        spawn(format!("data-{process}"), move || deliver(&received, from_peer))?;
        let (is_open, closed) = mpsc::channel::<()>();
        let receiver = FrameReceiver {
            process,
            contacts: contacts.clone(),
            to_timely,
            shutdown: shutdown.clone(),
            _is_open: is_open,
        };
        spawn(format!("from-{process}"), move || receiver.run(receiving))?;
        let (from_timely, to_peer, of_process) = (local.try_clone()?, Arc::clone(&sending), shutdown.clone());
        let (has_data, data) = mpsc::channel::<()>();
        spawn(format!("to-{process}"), move || {
            send_data(from_timely, &to_peer, &of_process);
            drop(has_data);
        })?;
        let (heartbeat_stop, stopped) = mpsc::channel::<()>();
        let (to_peer, of_process) = (Arc::clone(&sending), contacts.clone());
        let beating = spawn(format!("beat-{process}"), move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) && send_heartbeat(&to_peer, &of_process).is_ok() {
                // Unparked when there is something to report.
                thread::park_timeout(HEARTBEAT_INTERVAL);
            }
        })?;
        contacts.add_beating(beating);
        Ok((Link { sending, local, data, receiving: closed, heartbeat_stop }, of_timely))
    }

    /// Waits until all that timely wrote is sent, at most for a time; returns whether it is. Timely has closed its end before.
    pub(super) fn is_sent_within(&self, time: Duration) -> bool {
        self.data.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }

    /// Tells the peer that this process has succeeded, and closes this side. All data must be sent.
    pub(super) fn send_finished(&self) {
        // A peer that is gone is noticed by the receiving thread.
        let _ = send(&self.sending, FrameKind::Finished, &[]);
        close(&self.sending);
    }

    /// Tells the peer that this process fails, and closes this side; on a thread of its own, because a peer that takes nothing
    /// would block it. What is returned is disconnected once that is done.
    pub(super) fn send_failure(&self, failure: &Failure) -> Receiver<()> {
        let notice = FailureNotice { exit_code: failure.kind().exit_code(), message: failure.chain() };
        let sending = Arc::clone(&self.sending);
        let (is_sending, sent) = mpsc::channel();
        // Without threads the peer learns of it by the end of the connection.
        let _ = spawn("failure".to_owned(), move || {
            let body = serde_json::to_vec(&notice).unwrap_or_default();
            let _ = send(&sending, FrameKind::Failure, &body);
            close(&sending);
            drop(is_sending);
        });
        sent
    }

    /// Waits until the peer has closed its side, at most for a time; returns whether it has. Before that, closing the connection
    /// could discard what is on its way to the peer.
    pub(super) fn is_closed_within(&self, time: Duration) -> bool {
        self.receiving.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }

    /// Keeps timely's end open until the process ends.
    pub(super) fn abandon(self) {
        std::mem::forget((self.local, self.heartbeat_stop));
    }
}

/// Waits until the peers of all links have closed their sides, until a deadline.
pub(super) fn wait_until_closed(links: &[Link], deadline: Deadline) {
    for link in links {
        link.is_closed_within(deadline.remaining());
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    thread::Builder::new().name(name).spawn(work).map(|started| started.thread().clone())
}

fn send(sending: &Mutex<SendingHalf>, kind: FrameKind, body: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(body.len() + frames::HEAD);
    frames::write(&mut frame, kind, body)?;
    sending.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame)
}

/// Sends a heartbeat; the receiving thread learns of a broken connection too.
fn send_heartbeat(sending: &Mutex<SendingHalf>, contacts: &Contacts) -> io::Result<()> {
    send(sending, FrameKind::Heartbeat, &serde_json::to_vec(&contacts.own_source())?)
}

fn close(sending: &Mutex<SendingHalf>) {
    let sending = sending.lock().unwrap_or_else(PoisonError::into_inner);
    // It may be broken already.
    let _ = sending.socket().shutdown(Direction::Write);
}

/// Sends what timely writes, until it has written all.
fn send_data(mut local: UnixStream, sending: &Mutex<SendingHalf>, shutdown: &Shutdown) {
    let mut data = vec![0; MAX_DATA];
    loop {
        let sent = match local.read(&mut data) {
            // Workers that stop because of a failure end timely's stream too: that is not the end of the data.
            Ok(0) if shutdown.has_failed() => return,
            Ok(0) => {
                let _ = send(sending, FrameKind::End, &[]);
                return;
            }
            Ok(count) => send(sending, FrameKind::Data, &data[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(_) => return,
        };
        if sent.is_err() {
            // The receiving thread learns of it too, and names it. Timely must not wait here.
            while matches!(local.read(&mut data), Ok(count) if count > 0) {}
            return;
        }
    }
}

/// Hands to timely what was received, and its end.
fn deliver(received: &Receiver<Received>, mut local: UnixStream) {
    for received in received {
        match received {
            // Timely reads all that comes; where it does not, this process has failed already.
            Received::Data(data) => drop(local.write_all(&data)),
            Received::End => drop(local.shutdown(Direction::Write)),
        }
    }
}

/// What was received for timely.
enum Received {
    Data(Vec<u8>),
    End,
}

/// The thread that receives.
struct FrameReceiver {
    process: usize,
    contacts: Contacts,
    to_timely: Sender<Received>,
    shutdown: Shutdown,
    _is_open: Sender<()>,
}

impl FrameReceiver {
    fn run(self, receiving: ReceivingHalf) {
        let mut input = BufReader::with_capacity(MAX_DATA, receiving);
        let mut body = Vec::with_capacity(MAX_DATA);
        let (mut has_all_data, mut has_last_frame) = (false, false);
        loop {
            let kind = match frames::read(&mut input, &mut body, frames::MAX_BODY) {
                Ok(kind) => kind,
                // Nothing follows a last frame.
                Err(_) if has_last_frame => return,
                Err(error) => return self.lost(&error),
            };
            self.contacts.note_frame(self.process);
            match kind {
                FrameKind::Heartbeat => match serde_json::from_slice::<SourceNotice>(&body) {
                    Ok(notice) => self.contacts.note_source(self.process, notice),
                    Err(error) => {
                        return self.lost(&frames::invalid(format!("a heartbeat that cannot be read: {error}")));
                    }
                },
                FrameKind::Data => drop(self.to_timely.send(Received::Data(std::mem::take(&mut body)))),
                FrameKind::End => {
                    has_all_data = true;
                    drop(self.to_timely.send(Received::End));
                }
                FrameKind::Finished if !has_all_data => {
                    // The dataflow of this process would wait for the rest for ever.
                    return self.lost(&frames::invalid("success before the end of its data".to_owned()));
                }
                FrameKind::Finished => {
                    has_last_frame = true;
                    self.contacts.note_finished(self.process);
                }
                FrameKind::Failure => {
                    has_last_frame = true;
                    self.failed(&body);
                }
                FrameKind::Handshake => {
                    return self.lost(&frames::invalid("a step of a handshake, long after it".to_owned()));
                }
            }
        }
    }

    fn name(&self) -> String {
        self.contacts.name(self.process)
    }

    fn lost(&self, error: &io::Error) {
        let peer = self.name();
        self.shutdown.fail(match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => ClusterError::Silent { peer, silent: PEER_TIMEOUT },
            ErrorKind::UnexpectedEof => {
                ClusterError::Gone { peer, message: "its connection was closed before its end".to_owned() }
            }
            _ => ClusterError::Gone { peer, message: error.to_string() },
        });
    }

    fn failed(&self, body: &[u8]) {
        let (kind, message) = match serde_json::from_slice::<FailureNotice>(body) {
            Ok(FailureNotice { exit_code, message }) => (FailureKind::of_exit_code(exit_code), message),
            Err(error) => (FailureKind::Other, format!("its reason cannot be read: {error}")),
        };
        let peer = self.name();
        self.shutdown.fail(match kind {
            FailureKind::Requested => ClusterError::Requested { peer, message },
            kind => ClusterError::Failed { peer, kind, message },
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::cluster::ClusterShape;
    use crate::cluster::transport::plain;

    /// Two ends of a link, each with timely's socket and what its process fails of.
    fn pair() -> [(Link, UnixStream, Shutdown); 2] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let dialled = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (accepted, _) = listener.accept().expect("it was dialled");
        let addresses = vec!["one:1".to_owned(), "other:2".to_owned()];
        let ends = [(0, 1, dialled), (1, 0, accepted)];
        ends.map(|(process, peer, socket)| {
            let (receiving, sending) = plain(socket, Deadline::after(PEER_TIMEOUT)).expect("an open socket");
            let (shape, shutdown) =
                (ClusterShape { process, workers: 1, addresses: addresses.clone() }, Shutdown::new());
            let contacts = Contacts::new(&shape);
            let (link, timely) =
                Link::start(peer, &contacts, Channel { receiving, sending }, &shutdown).expect("threads");
            (link, timely, shutdown)
        })
    }

    #[test]
    fn success_is_announced_after_all_data() {
        for _ in 0..20 {
            let [(one, mut sender, _), (other, mut receiver, failed)] = pair();
            let data = vec![7; 3 << 20];
            let read = thread::spawn(move || {
                let mut read = Vec::new();
                receiver.read_to_end(&mut read).map(|_| read.len())
            });
            sender.write_all(&data).expect("the link reads");
            sender.shutdown(Direction::Write).expect("it is open");
            // As a cluster does that ends with success.
            while !one.is_sent_within(Duration::from_secs(1)) {}
            one.send_finished();
            assert!(other.is_closed_within(PEER_TIMEOUT));
            assert_eq!(read.join().expect("no panic").expect("an open socket"), data.len());
            assert!(!failed.has_failed());
        }
    }

    #[test]
    fn success_before_the_end_of_the_data_is_a_failure() {
        let [(one, _open, _), (other, _timely, failed)] = pair();
        one.send_finished();
        assert!(other.is_closed_within(PEER_TIMEOUT));
        let failure = failed.take_failure().expect("it has failed");
        assert!(failure.to_string().contains("success before the end of its data"), "{failure}");
    }

    #[test]
    fn heartbeats_come_while_nobody_reads_the_data() {
        let [(_one, mut sender, _), (other, receiver, failed)] = pair();
        // More than the sockets between hold.
        let write = thread::spawn(move || sender.write_all(&vec![7; 32 << 20]).map(|()| sender));
        let sender = write.join().expect("no panic").expect("the link reads all");
        assert!(!other.is_closed_within(Duration::from_millis(100)) && !failed.has_failed());
        drop((sender, receiver));
    }
}
