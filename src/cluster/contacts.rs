//! When something last came from each other process, and whether each process reaches what it reads.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::report::{ClusterReport, ProcessReport, SourceReport, name};
use super::{ClusterError, ClusterShape};
use crate::change::instant::now_micros;
use crate::control::{Deadline, Shutdown};

/// After this time without anything from a process it counts as one that does not answer: three heartbeats.
pub const SILENT_AFTER: Duration = Duration::from_secs(3);

/// How often a process that waits for others looks again.
const AWAIT_INTERVAL: Duration = Duration::from_millis(20);
/// How long it waits for one that reached what it reads, and does not any more.
const LOST_TIMEOUT: Duration = Duration::from_secs(25);
/// How long it waits before it says so.
const WAIT_LOG_DELAY: Duration = Duration::from_secs(3);

/// What a process knows of the others; cheap to clone. Links write it, the server reads it.
///
/// Times are those of this process's own monotonic clock.
#[derive(Clone)]
pub struct Contacts(Arc<Shared>);

struct Shared {
    shape: ClusterShape,
    begun: (Instant, i64),
    formed: OnceLock<Formed>,
    /// Whether this process reaches what it reads.
    own_source: Mutex<SourceState>,
    /// The threads that send heartbeats.
    beating: Mutex<Vec<Thread>>,
    /// By process.
    peers: Vec<Mutex<PeerContact>>,
}

struct Formed {
    run: String,
    at: i64,
}

#[derive(Default)]
struct PeerContact {
    /// When its first and its last frame came.
    frames: Option<(i64, Instant)>,
    /// Whether it has announced its success: nothing comes from it any more.
    has_finished: bool,
    source: SourceState,
}

#[derive(Clone, Default)]
enum SourceState {
    /// It is not known yet.
    #[default]
    Unknown,
    Reached {
        /// When it was reached last.
        at: Instant,
    },
    Lost {
        /// When it was reached last.
        since: Instant,
        error: String,
    },
}

/// The body of a heartbeat, as JSON: whether the sender reaches what it reads.
#[derive(Serialize, Deserialize)]
pub(super) enum SourceNotice {
    Unknown,
    Reached { ago_ms: u64 },
    Lost { silent_ms: u64, error: String },
}

impl Contacts {
    /// Those of a process that is connected with no other yet.
    pub(super) fn new(shape: &ClusterShape) -> Contacts {
        let peers = shape.addresses.iter().map(|_| Mutex::default()).collect();
        Contacts(Arc::new(Shared {
            shape: shape.clone(),
            begun: (Instant::now(), now_micros()),
            formed: OnceLock::new(),
            own_source: Mutex::default(),
            beating: Mutex::default(),
            peers,
        }))
    }

    /// A process in messages: `process 1 (host:port)`.
    pub(super) fn name(&self, process: usize) -> String {
        name(process, &self.0.shape.addresses[process])
    }

    /// Notes that all processes of a start are connected.
    pub(super) fn set_formed(&self, run: String) {
        self.0.formed.get_or_init(|| Formed { run, at: now_micros() });
    }

    /// Notes that something came from a process.
    pub(super) fn note_frame(&self, process: usize) {
        let mut peer = self.peer(process);
        let first = peer.frames.map_or_else(now_micros, |(first, _)| first);
        peer.frames = Some((first, Instant::now()));
    }

    /// Notes that a process has announced its success.
    pub(super) fn note_finished(&self, process: usize) {
        self.peer(process).has_finished = true;
    }

    /// Notes whether another process reaches what it reads.
    pub(super) fn note_source(&self, process: usize, notice: SourceNotice) {
        let mut peer = self.peer(process);
        peer.source.change(SourceState::of(notice), || self.name(process));
    }

    /// The notice about this process.
    pub(super) fn own_source(&self) -> SourceNotice {
        match &*lock(&self.0.own_source) {
            SourceState::Unknown => SourceNotice::Unknown,
            SourceState::Reached { at } => SourceNotice::Reached { ago_ms: millis(at.elapsed()) },
            SourceState::Lost { since, error } => {
                SourceNotice::Lost { silent_ms: millis(since.elapsed()), error: error.clone() }
            }
        }
    }

    /// Adds a thread that sends heartbeats.
    pub(super) fn add_beating(&self, thread: Thread) {
        lock(&self.0.beating).push(thread);
    }

    /// Reports to the other processes that this one has just reached what it reads.
    pub fn report_source_reached(&self) {
        self.set_own_source(SourceState::Reached { at: Instant::now() });
    }

    /// Reports to the other processes that this one has not reached what it reads since an instant, and why.
    pub fn report_source_lost(&self, since: Instant, error: String) {
        self.set_own_source(SourceState::Lost { since, error });
    }

    fn set_own_source(&self, state: SourceState) {
        lock(&self.0.own_source).change(state, || "this process".to_owned());
        lock(&self.0.beating).iter().for_each(Thread::unpark);
    }

    /// Waits until all other processes reach what they read, or `shutdown` has failed. Calls `waiting` with the name of one that does not.
    ///
    /// A process that has not reached it yet has a deadline of its own, and its failure, end or silence fails this process.
    ///
    /// # Errors
    /// [`ClusterError::SourceLost`] when one that had reached it does not again within some time.
    pub fn await_sources(&self, shutdown: &Shutdown, waiting: impl Fn(&str)) -> Result<(), ClusterError> {
        let (mut awaited, log_after) = (None, Deadline::after(WAIT_LOG_DELAY));
        let deadline = Deadline::after(LOST_TIMEOUT);
        while !shutdown.has_failed() {
            let Some(missing) = self.others().find(|process| !self.peer(*process).source.is_reached()) else { break };
            let peer = self.name(missing);
            waiting(&peer);
            if let SourceState::Lost { error, .. } = &self.peer(missing).source
                && deadline.has_passed()
            {
                return Err(ClusterError::SourceLost { peer, waited: LOST_TIMEOUT, message: error.clone() });
            }
            if log_after.has_passed() && awaited != Some(missing) {
                info!("waiting until {peer} reaches what it reads");
                awaited = Some(missing);
            }
            thread::sleep(AWAIT_INTERVAL);
        }
        Ok(())
    }

    /// The processes as this one sees them now; `None` before all are connected.
    pub fn report(&self) -> Option<ClusterReport> {
        let Formed { run, at } = self.0.formed.get()?;
        let ClusterShape { process: own, workers, addresses } = &self.0.shape;
        let processes = addresses.iter().enumerate().map(|(process, address)| {
            let (begun, begun_at) = self.0.begun;
            let peer = self.peer(process);
            let (connected_at, last) = peer.frames.unwrap_or((begun_at, begun));
            let silent = if process == *own { Duration::ZERO } else { last.elapsed() };
            let source = match &peer.source {
                SourceState::Unknown => None,
                SourceState::Reached { at } => Some(SourceReport { silent: at.elapsed(), error: None }),
                SourceState::Lost { since, error } => {
                    Some(SourceReport { silent: since.elapsed(), error: Some(error.clone()) })
                }
            };
            let answers = silent < SILENT_AFTER || peer.has_finished;
            ProcessReport { process, address: address.clone(), connected_at, silent, answers, source }
        });
        let processes = processes.collect();
        Some(ClusterReport { run: run.clone(), formed_at: *at, process: *own, leader: 0, workers: *workers, processes })
    }

    /// The indexes of the other processes.
    fn others(&self) -> impl Iterator<Item = usize> {
        let own = self.0.shape.process;
        (0..self.0.peers.len()).filter(move |process| *process != own)
    }

    fn peer(&self, process: usize) -> MutexGuard<'_, PeerContact> {
        lock(&self.0.peers[process])
    }
}

impl SourceState {
    fn is_reached(&self) -> bool {
        matches!(self, SourceState::Reached { .. })
    }

    fn of(notice: SourceNotice) -> SourceState {
        match notice {
            SourceNotice::Unknown => SourceState::Unknown,
            SourceNotice::Reached { ago_ms } => SourceState::Reached { at: ago(ago_ms) },
            SourceNotice::Lost { silent_ms, error } => SourceState::Lost { since: ago(silent_ms), error },
        }
    }

    /// Replaces the state, and logs a loss and its end, once each.
    fn change(&mut self, state: SourceState, name: impl Fn() -> String) {
        let before = std::mem::replace(self, state);
        match (&before, &*self) {
            (SourceState::Lost { .. }, SourceState::Lost { .. }) => {}
            (_, SourceState::Lost { error, .. }) => warn!("{} does not reach what it reads: {error}", name()),
            (SourceState::Lost { .. }, SourceState::Reached { .. }) => info!("{} reaches what it reads again", name()),
            _ => {}
        }
    }
}

/// The instant so many milliseconds ago; now where the clock does not reach back so far.
fn ago(millis: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(millis)).unwrap_or(now)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
