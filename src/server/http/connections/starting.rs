//! While a run starts there is nothing to answer with yet: probes get the reason, and other requests wait for the start's end. A run
//! that stands by may do so for long: then all requests get the reason.

use std::io::{self, Read, Write};
use std::net::{Shutdown as Direction, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::server::error::ErrorBody;

/// How often the listener and its connections are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Connections that are accepted each time.
const MOST_AT_ONCE: usize = 64;
/// How long an answer, which fits into a new socket's buffer, may take.
const WRITE_TIMEOUT: Duration = Duration::from_millis(200);
/// Connections that wait; beyond that the oldest is closed.
const MOST_WAITING: usize = 64;
/// How a probe begins.
const PROBES: [&[u8]; 2] = [b"GET /healthz ", b"GET /readyz "];

/// What a start waits for; cheap to clone.
#[derive(Clone, Default)]
pub struct StartPhase(Arc<Mutex<Waiting>>);

#[derive(Clone, Default)]
struct Waiting {
    reason: String,
    /// For another run.
    is_standby: bool,
}

impl StartPhase {
    /// Sets what is waited for now.
    pub fn set(&self, reason: impl Into<String>) {
        *self.lock() = Waiting { reason: reason.into(), is_standby: false };
    }

    /// Sets that the run stands by, and why.
    pub fn set_standby(&self, reason: impl Into<String>) {
        *self.lock() = Waiting { reason: reason.into(), is_standby: true };
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            let mut waiting: Vec<TcpStream> = Vec::new();
            while stopped.recv_timeout(LOOK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let accepted = (0..MOST_AT_ONCE).map_while(|_| listener.accept().ok());
                waiting.extend(accepted.map(|(connection, _)| connection));
                waiting.retain_mut(|connection| is_waiting(connection, &phase));
                waiting.drain(..waiting.len().saturating_sub(MOST_WAITING));
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

/// Answers a probe that has come, or any request of a run that stands by; whether the connection waits on, with another request or one
/// that has not come yet.
fn is_waiting(connection: &mut TcpStream, phase: &StartPhase) -> bool {
    let mut request = [0; 4096];
    let seen = match connection.set_nonblocking(true).and_then(|()| connection.peek(&mut request)) {
        Ok(0) => return false,
        Ok(seen) => seen,
        Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
    };
    let Waiting { reason, is_standby } = phase.lock().clone();
    if !is_standby && !PROBES.iter().any(|probe| request[..seen].starts_with(probe)) {
        return true;
    }
    // A probe whose answer is not read asks again.
    let _ = answer(connection, &mut request[..seen], if is_standby { "standby" } else { "starting" }, reason);
    false
}

fn answer(connection: &mut TcpStream, request: &mut [u8], code: &'static str, reason: String) -> io::Result<()> {
    connection.set_nonblocking(false)?;
    connection.set_write_timeout(Some(WRITE_TIMEOUT))?;
    // A connection that is closed with unread bytes may lose the answer.
    connection.read_exact(request)?;
    let body = serde_json::to_string(&ErrorBody::new(code, reason))?;
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close";
    connection.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    connection.shutdown(Direction::Write)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn silent_connections_keep_back_neither_probes_nor_the_start() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let connect = || TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let phase = StartPhase::default();
        phase.set("waiting for a test");
        let answers = StartAnswers::begin(&listener, phase).expect("a thread");
        let silent: Vec<TcpStream> = (0..MOST_WAITING - 2).map(|_| connect()).collect();
        drop(connect());
        let mut other = connect();
        other.write_all(b"GET /api/status HTTP/1.1\r\n").expect("it is open");
        let mut probe = connect();
        probe.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").expect("it is open");
        let (mut answer, begun) = (String::new(), Instant::now());
        probe.set_read_timeout(Some(Duration::from_secs(10))).expect("an open socket");
        probe.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("waiting for a test"), "{answer}");
        // Those that are closed or answered are gone; the others get their answers from the server.
        assert_eq!(answers.end().len(), silent.len() + 1);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
