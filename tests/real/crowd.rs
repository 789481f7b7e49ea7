//! Many clients of one server: some watch its stream, others request counts at fixed instants, whether or not earlier
//! answers have arrived.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::get;

/// The most requests at the same time; a late answer delays the next request only when all are waiting.
const ASKERS: usize = 32;
/// How soon watchers notice that they are to end.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Clients at work.
pub(crate) struct Crowd {
    leave: Arc<AtomicBool>,
    watchers: Vec<JoinHandle<Watched>>,
    askers: Vec<JoinHandle<Vec<Duration>>>,
}

/// What one watcher has received.
struct Watched {
    bytes: u64,
    longest_silence: Duration,
}

/// The result of a crowd.
pub(crate) struct Figures {
    /// From the instant at which a question was due to its whole answer, sorted.
    pub(crate) delays: Vec<Duration>,
    /// Bytes of the stream that all watchers received.
    pub(crate) watched_bytes: u64,
    /// The longest time in which a watcher received nothing.
    pub(crate) longest_silence: Duration,
}

impl Crowd {
    /// Starts one client for each path in `watched`, and others that request `questions` in turn at the given rate.
    pub(crate) fn gather(address: SocketAddr, watched: Vec<String>, questions: Vec<String>, every: Duration) -> Crowd {
        let leave = Arc::new(AtomicBool::new(false));
        let watch_one = |path: String| {
            let leave = Arc::clone(&leave);
            spawn(move || watch(address, &path, &leave))
        };
        let watchers = watched.into_iter().map(watch_one).collect();
        let (begin, next) = (Instant::now(), Arc::new(AtomicU32::new(0)));
        let questions: Arc<[String]> = questions.into();
        let askers = (0..ASKERS).map(|_| {
            let (leave, next, questions) = (Arc::clone(&leave), Arc::clone(&next), Arc::clone(&questions));
            spawn(move || ask_on(address, &questions, |number| begin + every * number, &next, &leave))
        });
        let askers = askers.collect();
        Crowd { leave, watchers, askers }
    }

    /// Ends all clients; a client that saw an error fails the test.
    pub(crate) fn end(self) -> Figures {
        self.leave.store(true, Ordering::Relaxed);
        let mut figures = Figures { delays: Vec::new(), watched_bytes: 0, longest_silence: Duration::ZERO };
        for watcher in self.watchers {
            let watched = watcher.join().expect("who watches sees no error");
            figures.watched_bytes += watched.bytes;
            figures.longest_silence = figures.longest_silence.max(watched.longest_silence);
        }
        for asker in self.askers {
            figures.delays.extend(asker.join().expect("who asks gets an answer"));
        }
        figures.delays.sort_unstable();
        figures
    }
}

impl Figures {
    /// The delay that a share of all requests did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let place = (self.delays.len() as f64 * share) as usize;
        self.delays.get(place.min(self.delays.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// Puts two crowds together.
    pub(crate) fn and(mut self, other: Figures) -> Figures {
        self.delays.extend(other.delays);
        self.delays.sort_unstable();
        self.watched_bytes += other.watched_bytes;
        self.longest_silence = self.longest_silence.max(other.longest_silence);
        self
    }
}

/// Reads the whole stream and parses none of it: clients share the processors with what is measured.
fn watch(address: SocketAddr, path: &str, leave: &AtomicBool) -> Watched {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(LOOK_AGAIN)).expect("a time-out");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("the server takes the request");
    let mut watched = Watched { bytes: 0, longest_silence: Duration::ZERO };
    let (mut heard, mut buffer) = (Instant::now(), vec![0; 128 << 10]);
    while !leave.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("{path} ended after {} bytes", watched.bytes),
            Ok(bytes) => {
                let is_answer = watched.bytes > 0 || buffer.starts_with(b"HTTP/1.1 200 ");
                assert!(is_answer, "{path}: {}", String::from_utf8_lossy(&buffer[..bytes]));
                watched.bytes += bytes as u64;
                watched.longest_silence = watched.longest_silence.max(heard.elapsed());
                heard = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{path} broke after {} bytes: {error}", watched.bytes),
        }
    }
    watched.longest_silence = watched.longest_silence.max(heard.elapsed());
    watched
}

fn ask_on(
    address: SocketAddr,
    questions: &[String],
    due: impl Fn(u32) -> Instant,
    next: &AtomicU32,
    leave: &AtomicBool,
) -> Vec<Duration> {
    let mut delays = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        thread::sleep(due(number).saturating_duration_since(Instant::now()));
        if leave.load(Ordering::Relaxed) {
            return delays;
        }
        get(address, &questions[number as usize % questions.len()]);
        delays.push(due(number).elapsed());
    }
}

fn spawn<T: Send + 'static>(client: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // Hundreds of them need little room each.
    thread::Builder::new().stack_size(256 << 10).spawn(client).expect("a thread can be started")
}
