//! The leader's clock: when an epoch closes, when a commit ends, when the run does.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use timely::scheduling::SyncActivator;
use tracing::{info, warn};

use crate::change::{CommitNumber, CountKey, Order, PartitionStart, Start, Wish};
use crate::process::Shutdown;
use crate::source::Discovery;

/// How long an epoch stays open while records flow: what a live answer lags behind.
const FLOWING: Duration = Duration::from_millis(100);
/// How long an epoch stays open when nothing flows: ticks cost processor time too.
const IDLE: Duration = Duration::from_secs(1);

/// What the leader's thread tells the operator that leads.
#[derive(Debug)]
pub enum Lead {
    /// The run begins, with the counts that the book has.
    Start(Start, Vec<(CountKey, i64)>),
    /// An epoch ends; the next one belongs to this commit.
    Tick(CommitNumber),
    /// Something else for all workers.
    Order(Order),
}

/// When commits end.
#[derive(Clone, Copy, Debug)]
pub struct ClockSettings {
    /// How long a commit takes records.
    pub commit_interval: Duration,
    /// How often new partitions are looked for.
    pub discover_interval: Duration,
}

/// The leader's thread. It ends when the dataflow does; the one that looks for partitions ends with the process.
pub struct Clock {
    settings: ClockSettings,
    shutdown: Shutdown,
}

/// What the clock hears.
enum Heard {
    Wish(Wish),
    Partitions(Vec<PartitionStart>),
}

impl Clock {
    /// A clock that has not begun.
    pub fn new(settings: ClockSettings, shutdown: Shutdown) -> Clock {
        Clock { settings, shutdown }
    }

    /// Starts the threads that keep time and look for partitions. Gives what the leading operator listens to, and where wishes go.
    pub fn start(
        self,
        start: Start,
        initial_counts: Vec<(CountKey, i64)>,
        discovery: Option<Box<dyn Discovery>>,
    ) -> crate::cluster::Leader {
        let (lead, feed) = channel();
        let (hello, wake) = channel();
        let (wish, wishes) = channel();
        let (heard, hears) = channel();
        let wishing = heard.clone();
        spawn("wishes", move || {
            for wish in wishes {
                if wishing.send(Heard::Wish(wish)).is_err() {
                    return;
                }
            }
        });
        if let Some(discovery) = discovery {
            let (shutdown, every) = (self.shutdown.clone(), self.settings.discover_interval);
            spawn("discover", move || discover(discovery, every, &heard, &shutdown));
        }
        spawn("clock", move || self.keep_time(start, initial_counts, &Line { lead, wake }, &hears));
        crate::cluster::Leader { feed, hello, wishes: wish }
    }

    fn keep_time(self, start: Start, initial_counts: Vec<(CountKey, i64)>, line: &Line, hears: &Receiver<Heard>) {
        let mut commit = start.commit;
        let Ok(wake) = line.wake.recv() else { return };
        let tell = |lead| line.lead.send(lead).is_ok() && wake.activate().is_ok();
        if !tell(Lead::Start(start, initial_counts)) {
            return;
        }
        let mut epoch_begun = Instant::now();
        let mut commit_begun = epoch_begun;
        // The first epoch is short, so that what is there is soon seen.
        let mut length = FLOWING;
        let mut flowed = false;
        let mut stopping = false;
        loop {
            let epoch_end = epoch_begun + length;
            let mut commit_end = commit_begun + self.settings.commit_interval;
            match hears.recv_timeout(epoch_end.min(commit_end).saturating_duration_since(Instant::now())) {
                Ok(Heard::Wish(Wish::Flowing)) => {
                    flowed = true;
                    length = FLOWING;
                }
                Ok(Heard::Wish(Wish::Full(full))) => {
                    if full == commit {
                        commit_end = Instant::now();
                    }
                }
                // Each worker of the process that was asked says so.
                Ok(Heard::Wish(Wish::Stop)) if stopping => {}
                Ok(Heard::Wish(Wish::Stop)) => {
                    stopping = true;
                    info!("asked to end: committing what is read");
                    if !tell(Lead::Order(Order::Stop)) {
                        return;
                    }
                }
                Ok(Heard::Partitions(partitions)) => {
                    if !tell(Lead::Order(Order::Partitions(partitions))) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // All who wish are gone: the dataflow has ended.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            let commit_ends = now >= commit_end;
            if commit_ends || now >= epoch_begun + length {
                if commit_ends {
                    commit += 1;
                    commit_begun = now;
                }
                if !tell(Lead::Tick(commit)) {
                    return;
                }
                epoch_begun = now;
                length = if flowed { FLOWING } else { IDLE };
                flowed = false;
            }
        }
    }
}

/// The line to the leading operator.
struct Line {
    lead: Sender<Lead>,
    wake: Receiver<SyncActivator>,
}

/// Looks for new partitions as long as the process lives; a topic that became another one ends the run.
fn discover(mut discovery: Box<dyn Discovery>, every: Duration, heard: &Sender<Heard>, shutdown: &Shutdown) {
    loop {
        thread::sleep(every);
        match discovery.discover() {
            Ok(partitions) if partitions.is_empty() => {}
            Ok(partitions) => {
                info!(count = partitions.len(), "found new partitions");
                if heard.send(Heard::Partitions(partitions)).is_err() {
                    return;
                }
            }
            Err(error) if error.is_data_loss() => {
                shutdown.fail(error);
                return;
            }
            Err(error) => warn!(%error, "could not look for new partitions"),
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(body).expect("a thread can be started");
}
