//! The leader's clock: when an epoch closes, when a commit ends, when the run does.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use timely::scheduling::SyncActivator;
use tracing::{info, warn};

use crate::change::{CommitNumber, CountKey, Failure, FailureKind, LeaderCommand, PartitionStart, Start, TickRequest};
use crate::control::Shutdown;

/// How long an epoch stays open while records arrive: how far a live answer lags behind.
const BUSY_EPOCH: Duration = Duration::from_millis(100);
/// How long an epoch stays open when no records arrive: ticks cost processor time too.
const IDLE_EPOCH: Duration = Duration::from_secs(1);

/// What the clock sends to the operator that leads.
#[derive(Debug)]
pub enum ClockEvent {
    /// The run begins, with the counts that the book has.
    Start(Start, Vec<(CountKey, i64)>),
    /// An epoch ends; the next one belongs to this commit.
    Tick(CommitNumber),
    /// Any other command for all workers.
    Command(LeaderCommand),
}

/// The leading worker's ends of the channels to its clock.
pub struct LeaderHandle {
    /// The clock's events.
    pub events: Receiver<ClockEvent>,
    /// Where the clock waits for the activator of the operator that reads the events.
    pub activator: Sender<SyncActivator>,
    /// Where requests go.
    pub tick_requests: Sender<TickRequest>,
}

/// How new partitions are found while the run lasts.
pub struct Discovery {
    /// How often to look.
    pub interval: Duration,
    /// Finds partitions that appeared since the last call; may block.
    pub discover: Box<dyn FnMut() -> Result<Vec<PartitionStart>, Failure> + Send>,
}

/// What the clock waits for.
enum ClockInput {
    Request(TickRequest),
    Partitions(Vec<PartitionStart>),
}

/// Starts the threads that keep time and look for partitions. The clock ends when the dataflow does, the other with the process.
pub fn start_clock(
    start: Start,
    initial_counts: Vec<(CountKey, i64)>,
    commit_interval: Duration,
    discovery: Option<Discovery>,
    shutdown: Shutdown,
) -> LeaderHandle {
    let (event_sender, events) = channel();
    let (activator, activators) = channel();
    let (tick_requests, requests) = channel();
    let (input, inputs) = channel();
    let forwarding = input.clone();
    spawn("tick-requests", move || {
        for request in requests {
            if forwarding.send(ClockInput::Request(request)).is_err() {
                return;
            }
        }
    });
    if let Some(discovery) = discovery {
        spawn("discover", move || discover(discovery, &input, &shutdown));
    }
    spawn("clock", move || {
        // An error means that the dataflow has ended before it began.
        let Ok(activator) = activators.recv() else { return };
        let clock = Clock { commit_interval, events: event_sender, activator };
        // The clock ends when the dataflow has.
        let _ = clock.run(start, initial_counts, &inputs);
    });
    LeaderHandle { events, activator, tick_requests }
}

struct Clock {
    commit_interval: Duration,
    events: Sender<ClockEvent>,
    activator: SyncActivator,
}

/// The dataflow has ended.
struct Ended;

impl Clock {
    fn send(&self, event: ClockEvent) -> Result<(), Ended> {
        self.events.send(event).map_err(|_| Ended)?;
        self.activator.activate().map_err(|_| Ended)
    }

    fn run(
        &self,
        start: Start,
        initial_counts: Vec<(CountKey, i64)>,
        inputs: &Receiver<ClockInput>,
    ) -> Result<(), Ended> {
        let mut commit = start.commit;
        self.send(ClockEvent::Start(start, initial_counts))?;
        let mut epoch_begin = Instant::now();
        let mut commit_begin = epoch_begin;
        // The first epoch is short, so that the first records are soon visible.
        let mut epoch_length = BUSY_EPOCH;
        let mut is_busy = false;
        let mut is_stopping = false;
        loop {
            let epoch_end = epoch_begin + epoch_length;
            let mut commit_end = commit_begin + self.commit_interval;
            match inputs.recv_timeout(epoch_end.min(commit_end).saturating_duration_since(Instant::now())) {
                Ok(ClockInput::Request(TickRequest::Flowing)) => {
                    is_busy = true;
                    epoch_length = BUSY_EPOCH;
                }
                Ok(ClockInput::Request(TickRequest::Full(full))) if full == commit => commit_end = Instant::now(),
                Ok(ClockInput::Request(TickRequest::Full(_))) => {}
                // Each worker of the process that received the signal requests it.
                Ok(ClockInput::Request(TickRequest::Stop)) if is_stopping => {}
                Ok(ClockInput::Request(TickRequest::Stop)) => {
                    is_stopping = true;
                    info!("asked to end: committing what is read");
                    self.send(ClockEvent::Command(LeaderCommand::Stop))?;
                }
                Ok(ClockInput::Partitions(partitions)) => {
                    self.send(ClockEvent::Command(LeaderCommand::Partitions(partitions)))?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Ended),
            }
            let now = Instant::now();
            let commit_ends = now >= commit_end;
            if commit_ends || now >= epoch_begin + epoch_length {
                if commit_ends {
                    commit += 1;
                    commit_begin = now;
                }
                self.send(ClockEvent::Tick(commit))?;
                epoch_begin = now;
                epoch_length = if is_busy { BUSY_EPOCH } else { IDLE_EPOCH };
                is_busy = false;
            }
        }
    }
}

/// Looks for new partitions as long as the process lives; a topic that was recreated ends the run.
fn discover(mut discovery: Discovery, input: &Sender<ClockInput>, shutdown: &Shutdown) {
    loop {
        thread::sleep(discovery.interval);
        match (discovery.discover)() {
            Ok(partitions) if partitions.is_empty() => {}
            Ok(partitions) => {
                info!(count = partitions.len(), "found new partitions");
                if input.send(ClockInput::Partitions(partitions)).is_err() {
                    return;
                }
            }
            Err(failure) if failure.kind() == FailureKind::DataLoss => return shutdown.fail(failure),
            Err(failure) => warn!(error = %failure, "could not look for new partitions"),
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(body).expect("a thread can be started");
}
