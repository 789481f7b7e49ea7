//! A server's life: listen, take over the state of a book or a run, answer.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use tracing::debug;

use super::http::connections::listen;
use super::http::connections::starting::{StartAnswers, StartPhase};
use super::http::routes::RequestHandler;
use super::state::{
    AppState, AskEnds, AskSlot, BookFollower, DurableState, LiveState, ObservedSlot, PendingRejects, RunState,
    ServedRunSettings, follow_run,
};
use super::{Access, ServeError};
use crate::book::log::entry::SourceKind;
use crate::book::{CommittedEntry, Snapshot, State};
use crate::change::instant::now_micros;
use crate::change::{ClosedEpoch, PartitionStart};
use crate::cluster::Contacts;
use crate::control::{Progress, SourceProgress, return_freed_memory};
use crate::query::Totals;
use crate::store::BookStore;

/// How often the ends of the partitions are asked for.
const ENDS_INTERVAL: Duration = Duration::from_secs(1);
/// How often the slot's status is asked for.
const SLOT_INTERVAL: Duration = Duration::from_secs(10);
/// How often the memory of answers that were read is returned to the system.
const MEMORY_INTERVAL: Duration = Duration::from_secs(1);

/// What a server needs.
pub struct ServerSettings {
    /// The book.
    pub book: BookStore,
    /// Which requests are allowed.
    pub access: Access,
}

/// The run of this process, as far as the server needs it.
pub struct ServedRun {
    /// The epochs that it closes.
    pub epochs: Receiver<ClosedEpoch>,
    /// The commits that it makes.
    pub commits: Receiver<CommittedEntry>,
    /// The log when it begins: its newest entry is the run's fence.
    pub state: Arc<State>,
    /// The counts that it begins with.
    pub counts: Totals,
    /// The partitions that it reads, with the first offset of each.
    pub partitions: Vec<PartitionStart>,
    /// The declarations of the views that it keeps, by their numbers.
    pub views: Vec<String>,
    /// Where records come from.
    pub source: SourceKind,
    /// The time between two commits.
    pub commit_interval: Duration,
    /// The time between two searches for new partitions.
    pub discover_interval: Duration,
    /// The counters of its workers.
    pub progress: Progress,
    /// Asks where partitions end; `None` if the source has no end to ask for.
    pub ask_ends: Option<Box<AskEnds>>,
    /// Where the source is known to be empty behind what was read, and what is in flight.
    pub source_progress: SourceProgress,
    /// What is known of the other processes of its cluster; `None` for a single process.
    pub contacts: Option<Contacts>,
    /// Asks for the status of the slot that it reads; `None` for other sources.
    pub ask_slot: Option<Box<AskSlot>>,
}

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// Answers probes while a run starts.
    starting: Option<StartAnswers>,
}

/// Binds an address before anything else is begun: a run should not start and then fail at this.
///
/// # Errors
/// [`ServeError::Listen`].
pub fn listen_on(address: SocketAddr) -> Result<Server, ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Server { listener, address, starting: None })
}

impl Server {
    /// Where it listens, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers `/healthz` and `/readyz` with what a run waits for, until the run is served; other requests wait.
    ///
    /// # Errors
    /// [`ServeError::Listen`] when no thread can be started.
    pub fn announce_start(&mut self, phase: StartPhase) -> Result<(), ServeError> {
        let failed = |source| ServeError::Listen { address: self.address, source };
        self.starting = Some(StartAnswers::begin(&self.listener, phase).map_err(failed)?);
        Ok(())
    }

    /// Serves a book that another process may write, as long as this process lives.
    ///
    /// # Errors
    /// [`ServeError`] when there is no book, or it is damaged.
    pub fn serve_book(self, settings: ServerSettings) -> Result<(), ServeError> {
        let (durable, follower) = BookFollower::open(&settings.book)?;
        let state = Arc::new(AppState::new(&settings.book, durable, None, None));
        start_following(&state, follower);
        self.answer(state, settings.access)
    }

    /// Serves the book that a run of this process writes, and what the run has read beyond it. The run must have opened the
    /// book and not committed yet.
    ///
    /// # Errors
    /// As [`Server::serve_book`].
    pub fn serve_run(self, settings: ServerSettings, run: ServedRun) -> Result<(), ServeError> {
        let run_state = RunState::new(ServedRunSettings {
            source: run.source,
            commit_interval: run.commit_interval,
            discover_interval: run.discover_interval,
            progress: run.progress,
            knows_ends: run.ask_ends.is_some(),
            source_progress: run.source_progress,
            contacts: run.contacts,
        });
        let snapshot = Snapshot::take(&settings.book)?;
        let state = if snapshot.state().generation == run.state.generation {
            let durable = DurableState::read(&settings.book, &run.state, run.counts, snapshot.reject_days()?);
            let live = LiveState::starting_at(&durable, &run.partitions, &run.views);
            let state = Arc::new(AppState::new(&settings.book, durable, Some(live), Some(run_state)));
            follow_run(&state, run.epochs, run.commits, PendingRejects::all(&snapshot)?);
            state
        } else {
            // Another run has taken over the book meanwhile: nothing that this run reads counts.
            let (durable, follower) = BookFollower::open(&settings.book)?;
            let state = Arc::new(AppState::new(&settings.book, durable, None, Some(run_state)));
            start_following(&state, follower);
            state
        };
        if let Some(ask) = run.ask_ends {
            let state = Arc::clone(&state);
            repeat("serve-ends", ENDS_INTERVAL, move || {
                if let Some(run) = &state.run {
                    run.ask_ends(&ask, || state.live());
                }
            });
        }
        if let Some(ask) = run.ask_slot {
            let state = Arc::clone(&state);
            repeat("serve-slot", SLOT_INTERVAL, move || {
                let observed_at = now_micros();
                match ask() {
                    Ok(slot) => state.set_slot(slot.map(|slot| ObservedSlot { slot, observed_at })),
                    Err(error) => debug!(error, "could not ask for the slot's status"),
                }
            });
        }
        self.answer(state, settings.access)
    }

    fn answer(self, state: Arc<AppState>, access: Access) -> Result<(), ServeError> {
        let mut access = access;
        access.names.retain(|name| !name.is_empty());
        let address = self.address;
        return_memory_of_answers(&state);
        let handler = RequestHandler::new(state, access);
        let waiting = self.starting.map_or_else(Vec::new, StartAnswers::end);
        listen::begin(self.listener, waiting, handler).map_err(|source| ServeError::Listen { address, source })
    }
}

fn start_following(state: &Arc<AppState>, follower: BookFollower) {
    let state = Arc::clone(state);
    let follow = move || follower.follow(&state);
    thread::Builder::new().name("serve-follow".to_owned()).spawn(follow).expect("a thread can be started");
}

/// Returns the memory of large answers to the system while there are some, and once more after the last.
fn return_memory_of_answers(state: &Arc<AppState>) {
    let budget = state.answer_budget.clone();
    let (mut charged, mut was_in_use) = (0, false);
    repeat("serve-memory", MEMORY_INTERVAL, move || {
        let is_in_use = budget.is_in_use();
        if was_in_use || is_in_use || charged != budget.charged() {
            return_freed_memory();
        }
        (charged, was_in_use) = (budget.charged(), is_in_use);
    });
}

/// Does something at an interval as long as the process lives.
fn repeat(thread: &str, interval: Duration, mut work: impl FnMut() + Send + 'static) {
    let work = move || {
        loop {
            work();
            thread::sleep(interval);
        }
    };
    thread::Builder::new().name(thread.to_owned()).spawn(work).expect("a thread can be started");
}
