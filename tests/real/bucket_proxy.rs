//! A proxy before an S3 server that loses answers after the server has acted, answers by itself that it is busy or that there is a conflict,
//! and delays; or refuses the requests that a test names.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::dice::Dice;

/// The most bytes of a request's head.
const LONGEST_HEAD: usize = 64 << 10;

/// The proxy; it listens as long as the tests run.
pub(crate) struct BucketProxy {
    address: SocketAddr,
    faults: Arc<Faults>,
}

/// How often, of a thousand requests without a condition, a fault comes; and how many of each kind came.
#[derive(Default)]
struct Faults {
    per_mille: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    conflicts: AtomicU64,
    delayed: AtomicU64,
    refusal: Mutex<Option<Refusal>>,
}

/// The requests that are refused, by their first line; the status, and the code of S3.
#[derive(Clone, Copy)]
struct Refusal {
    covers: fn(&str) -> bool,
    status: &'static str,
    code: &'static str,
}

impl BucketProxy {
    /// Listens, and passes everything on to a server.
    pub(crate) fn before(server: SocketAddr, mut dice: Dice) -> BucketProxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let faults = Arc::new(Faults::default());
        let of_thread = Arc::clone(&faults);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (faults, dice) = (Arc::clone(&of_thread), dice.fork());
                // A client that is gone, or a server that is killed, ends the connection.
                thread::spawn(move || drop(serve(client, server, &faults, dice)));
            }
        });
        BucketProxy { address, faults }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on so many requests of a thousand meet a fault, and four times as many of those with a condition.
    pub(crate) fn disturb(&self, per_mille: u64) {
        self.faults.per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// From now on the requests whose first line is such a one are refused with a status and a code of S3, and no others.
    pub(crate) fn refuse(&self, covers: fn(&str) -> bool, status: &'static str, code: &'static str) {
        *self.faults.refusal.lock().expect("no thread panics") = Some(Refusal { covers, status, code });
    }

    /// How many answers were lost, requests refused, conflicts made up, and requests delayed.
    pub(crate) fn faults(&self) -> [u64; 4] {
        let Faults { lost, refused, conflicts, delayed, .. } = &*self.faults;
        [lost, refused, conflicts, delayed].map(|count| count.load(Ordering::Relaxed))
    }
}

fn serve(mut client: TcpStream, server: SocketAddr, faults: &Faults, mut dice: Dice) -> io::Result<()> {
    let (head, body) = read_request(&mut client)?;
    let refusal = *faults.refusal.lock().expect("no thread panics");
    if let Some(Refusal { status, code, .. }) =
        refusal.filter(|refusal| (refusal.covers)(head.lines().next().unwrap_or_default()))
    {
        return answer(&mut client, status, code);
    }
    let is_conditional =
        head.to_lowercase().contains("\r\nif-none-match:") || head.to_lowercase().contains("\r\nif-match:");
    // Few requests are conditional, and all commits depend on them.
    let times = if is_conditional { 4 } else { 1 };
    if dice.below(1000) < times * faults.per_mille.load(Ordering::Relaxed) {
        match dice.below(4) {
            0 => {
                faults.delayed.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(dice.below(300)));
            }
            1 => {
                faults.lost.fetch_add(1, Ordering::Relaxed);
                ask(server, &head, &body)?;
                return Ok(());
            }
            2 if is_conditional => {
                faults.conflicts.fetch_add(1, Ordering::Relaxed);
                return answer(&mut client, "409 Conflict", "ConditionalRequestConflict");
            }
            _ => {
                faults.refused.fetch_add(1, Ordering::Relaxed);
                let (status, code) = [
                    ("429 Too Many Requests", "TooManyRequests"),
                    ("500 Internal Server Error", "InternalError"),
                    ("503 Service Unavailable", "SlowDown"),
                ][dice.below(3) as usize];
                return answer(&mut client, status, code);
            }
        }
    }
    client.write_all(&ask(server, &head, &body)?)
}

/// Reads one request; the client is told to end the connection after it.
fn read_request(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut more = [0; 8192];
        let read = client.read(&mut more)?;
        if read == 0 || bytes.len() > LONGEST_HEAD {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&more[..read]);
    };
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).map_err(io::Error::other)?;
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = body;
    let rest = length.saturating_sub(body.len());
    client.take(rest as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((head, body))
}

/// Sends a request to the server on a connection of its own, and returns its whole answer.
fn ask(server: SocketAddr, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(server)?;
    let kept = head.trim_end().lines().filter(|line| !line.to_lowercase().starts_with("connection:"));
    let mut request = kept.collect::<Vec<_>>().join("\r\n");
    request.push_str("\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    server.write_all(body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

fn answer(client: &mut TcpStream, status: &str, code: &str) -> io::Result<()> {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>made up by the proxy</Message></Error>");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}
