//! A link carries timely's bytes to another process and back, and notices when that process is gone.
//!
//! Three threads for each peer: one sends what timely wrote, one receives, one sends heartbeats. A link never closes timely's
//! end of the socket pair after a failure: timely would panic, and the failure names the cause better.

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
        let (is_open, closed) = mpsc::channel::<()>();
        let receiver = FrameReceiver {
            process,
            contacts: contacts.clone(),
            local: local.try_clone()?,
            shutdown: shutdown.clone(),
            _is_open: is_open,
        };
        spawn(format!("from-{process}"), move || receiver.run(receiving))?;
        let (from_timely, to_peer, of_process) = (local.try_clone()?, Arc::clone(&sending), shutdown.clone());
        spawn(format!("to-{process}"), move || send_data(from_timely, &to_peer, &of_process))?;
        let (heartbeat_stop, stopped) = mpsc::channel::<()>();
        let (to_peer, of_process) = (Arc::clone(&sending), contacts.clone());
        let beating = spawn(format!("beat-{process}"), move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) && send_heartbeat(&to_peer, &of_process).is_ok() {
                // Unparked when there is something to report.
                thread::park_timeout(HEARTBEAT_INTERVAL);
            }
        })?;
        contacts.add_beating(beating);
        Ok((Link { sending, local, receiving: closed, heartbeat_stop }, of_timely))
    }

    /// Tells the peer that this process has succeeded, and closes this side.
    pub(super) fn send_finished(&self) {
        // A peer that is gone is noticed by the receiving thread.
        let _ = send(&self.sending, FrameKind::Finished, &[]);
        close(&self.sending);
    }

    /// Tells the peer that this process fails, and closes this side; on a thread of its own, because a peer that takes nothing
    /// would block it.
    pub(super) fn send_failure(&self, failure: &Failure) {
        let notice = FailureNotice { exit_code: failure.kind().exit_code(), message: failure.chain() };
        let sending = Arc::clone(&self.sending);
        // Without threads the peer learns of it by the end of the connection.
        let _ = spawn("failure".to_owned(), move || {
            let body = serde_json::to_vec(&notice).unwrap_or_default();
            let _ = send(&sending, FrameKind::Failure, &body);
            close(&sending);
        });
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

/// The thread that receives.
struct FrameReceiver {
    process: usize,
    contacts: Contacts,
    local: UnixStream,
    shutdown: Shutdown,
    _is_open: Sender<()>,
}

impl FrameReceiver {
    fn run(mut self, receiving: ReceivingHalf) {
        let mut input = BufReader::with_capacity(MAX_DATA, receiving);
        let mut body = Vec::with_capacity(MAX_DATA);
        let mut has_last_frame = false;
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
                // Timely takes all that comes; where it does not, this process has failed already.
                FrameKind::Data => drop(self.local.write_all(&body)),
                FrameKind::End => drop(self.local.shutdown(Direction::Write)),
                FrameKind::Finished => has_last_frame = true,
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
        self.shutdown.fail(ClusterError::Failed { peer: self.name(), kind, message });
    }
}
