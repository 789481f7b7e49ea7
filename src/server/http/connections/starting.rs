//! While a run starts there is nothing to answer with yet: probes get the reason, and other requests wait for the start's end.

use std::io::{self, Read, Write};
use std::net::{Shutdown as Direction, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::server::error::ErrorBody;

/// How often the listener is looked at.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(20);
/// How long a client may take to send its request line before it counts as one that waits.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(200);
/// Connections that wait; beyond that the oldest is closed.
const MOST_WAITING: usize = 64;
/// How a probe begins.
const PROBES: [&[u8]; 2] = [b"GET /healthz ", b"GET /readyz "];

/// What a start waits for; cheap to clone.
#[derive(Clone, Default)]
pub struct StartPhase(Arc<Mutex<String>>);

impl StartPhase {
    /// Sets what is waited for now.
    pub fn set(&self, reason: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason.into();
    }

    fn reason(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers probes until it is ended or dropped.
pub(in crate::server) struct StartAnswers {
    stop: Sender<()>,
    thread: JoinHandle<Vec<TcpStream>>,
}

impl StartAnswers {
    pub(in crate::server) fn begin(listener: &TcpListener, phase: StartPhase) -> io::Result<StartAnswers> {
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = channel();
        let answer = move || {
            let mut waiting = Vec::new();
            while stopped.recv_timeout(ACCEPT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                while let Ok((connection, _)) = listener.accept() {
                    // One that is broken is dropped.
                    if let Ok(Some(connection)) = answer_probe(connection, &phase) {
                        if waiting.len() == MOST_WAITING {
                            waiting.remove(0);
                        }
                        waiting.push(connection);
                    }
                }
            }
            waiting
        };
        let thread = thread::Builder::new().name("serve-start".to_owned()).spawn(answer)?;
        Ok(StartAnswers { stop, thread })
    }

    /// Ends; returns the connections whose requests wait, with nothing read of them.
    pub(in crate::server) fn end(self) -> Vec<TcpStream> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

/// Answers a probe; returns any other connection.
fn answer_probe(mut connection: TcpStream, phase: &StartPhase) -> io::Result<Option<TcpStream>> {
    connection.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    connection.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    let mut request = [0; 4096];
    let seen = match connection.peek(&mut request) {
        Ok(seen) => seen,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
        Err(error) => return Err(error),
    };
    if !PROBES.iter().any(|probe| request[..seen].starts_with(probe)) {
        return Ok(Some(connection));
    }
    // A connection that is closed with unread bytes may lose the answer.
    connection.read_exact(&mut request[..seen])?;
    let body = serde_json::to_string(&ErrorBody::new("starting", phase.reason()))?;
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close";
    connection.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    connection.shutdown(Direction::Write)?;
    Ok(None)
}
