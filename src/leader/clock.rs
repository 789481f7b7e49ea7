//! The leader's clock: the threads that keep time and look for new partitions.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use timely::scheduling::SyncActivator;
use tracing::{info, warn};

use super::{ClockEvent, ClockInput, InitialContents, TickIntervals, TickSchedule};
use crate::change::{Failure, FailureKind, PartitionStart, Start};
use crate::control::Shutdown;

/// The leading worker's ends of the channels to its clock.
pub struct LeaderHandle {
    /// The clock's events.
    pub events: Receiver<ClockEvent>,
    /// Where the clock waits for the activator of the operator that reads the events.
    pub activator: Sender<SyncActivator>,
    /// Where requests of the workers go.
    pub inputs: Sender<ClockInput>,
}

/// How new partitions are found while the run lasts.
pub struct Discovery {
    /// How often to look.
    pub interval: Duration,
    /// Finds partitions that appeared since the last call; may block.
    pub discover: Box<dyn FnMut() -> Result<Vec<PartitionStart>, Failure> + Send>,
}

/// Starts the threads that keep time and look for partitions. The clock ends when the dataflow does, the other with the process.
pub fn start_clock(
    start: Start,
    contents: InitialContents,
    intervals: TickIntervals,
    discovery: Option<Discovery>,
    shutdown: Shutdown,
) -> LeaderHandle {
    let (event_sender, events) = channel();
    let (activator, activators) = channel();
    let (input, inputs) = channel();
    if let Some(discovery) = discovery {
        let input = input.clone();
        spawn("discover", move || discover(discovery, &input, &shutdown));
    }
    spawn("clock", move || {
        // An error means that the dataflow has ended before it began.
        let Ok(activator) = activators.recv() else { return };
        let clock = Clock { events: event_sender, activator };
        // The clock ends when the dataflow has.
        let _ = clock.run(start, contents, intervals, &inputs);
    });
    LeaderHandle { events, activator, inputs: input }
}

/// Sends events to the operator that leads, at the times of a schedule.
struct Clock {
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
        contents: InitialContents,
        intervals: TickIntervals,
        inputs: &Receiver<ClockInput>,
    ) -> Result<(), Ended> {
        let mut schedule = TickSchedule::new(start.commit, intervals, Instant::now());
        self.send(ClockEvent::Start(start, contents))?;
        loop {
            let input = match inputs.recv_timeout(schedule.due().saturating_duration_since(Instant::now())) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Err(Ended),
            };
            schedule.advance(input, Instant::now()).into_iter().flatten().try_for_each(|event| self.send(event))?;
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
