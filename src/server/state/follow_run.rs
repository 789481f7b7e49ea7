//! Follows the run of this process: the epochs that it closes become the live state, its commits the durable state.
//!
//! Of what the run has written only rejects are read back, for their reasons. A commit may arrive before the last epoch that
//! it covers: it becomes durable when the live state covers it, so that the live state is never behind the durable one.
//!
//! All epochs that wait for the next frame are folded in one step, whose cost is that of the counts that changed: the dataflow needed more to
//! compute them, so its channel stays short without a limit, and no worker ever waits for the server.
//!
//! *Why* the end of the log is still checked: another run may take over the book, and this run notices that only at its next
//! commit. While no commit arrives, the file system is asked whether the newest own entry is still the last one.

use std::collections::VecDeque;
use std::slice::from_ref;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use super::app_state::AppState;
use super::follow_book::BookFollower;
use super::frames::Changes;
use super::pending_rejects::PendingRejects;
use crate::book::log::commit_log;
use crate::book::{BookError, CommittedEntry, CompleteTo, Snapshot};
use crate::change::ClosedEpoch;
use crate::server::ServeError;
use crate::server::error::ErrorLog;
use crate::store::layout::entry_path;
use crate::store::{BookStore, Store};

/// Changes that are kept for the next frame before repeated ones are dropped.
const MANY_CELLS: usize = 100_000;
/// How long a commit may wait for the epochs that it covers before that is logged.
const LATE: Duration = Duration::from_secs(10);
/// How long the next commit is waited for until the end of the log is looked at.
const TAKEOVER_INTERVAL: Duration = Duration::from_millis(500);

/// Starts the threads that follow a run. They end with the process.
pub(in crate::server) fn follow_run(
    state: &Arc<AppState>,
    epochs: Receiver<ClosedEpoch>,
    commits: Receiver<CommittedEntry>,
    rejects: PendingRejects,
) {
    let newest = state.durable();
    let uncovered = Arc::new(UncoveredCommits {
        state: Arc::clone(state),
        commits: Mutex::default(),
        last_covered: Mutex::default(),
    });
    let live = LiveFollower {
        state: Arc::clone(state),
        uncovered: Arc::clone(&uncovered),
        waiting: Vec::new(),
        changed: Changes::default(),
        has_news: false,
        last_frame: Instant::now(),
        last_cost: Duration::ZERO,
    };
    let durable = CommitFollower {
        state: Arc::clone(state),
        uncovered,
        rejects,
        store: state.book.clone(),
        generation: newest.generation.clone(),
        newest: newest.entry,
        viewed: newest.entry,
    };
    spawn("serve-live", move || live.follow(&epochs));
    spawn("serve-commits", move || durable.follow(&commits));
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(work).expect("a thread can be started");
}

/// Commits whose records the live state does not have yet, oldest first.
///
/// Each of the two threads calls [`cover`](UncoveredCommits::cover) after its change: whichever is second makes them durable.
struct UncoveredCommits {
    state: Arc<AppState>,
    commits: Mutex<VecDeque<CommittedEntry>>,
    /// When a commit was last covered or none waited; absent once a warning was logged.
    last_covered: Mutex<Option<Instant>>,
}

impl UncoveredCommits {
    /// Makes those commits durable that the live state covers, after adding new ones.
    fn cover(&self, new: Vec<CommittedEntry>) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.extend(new);
        // The live state has ended: another run writes the book, and commits of this one cannot follow.
        let Some(live) = self.state.live() else { return commits.clear() };
        while let Some(commit) = commits.front() {
            if !live.partitions.reach(&CompleteTo::new(&commit.state).positions) {
                return self.warn_if_late(commit.entry.entry);
            }
            self.state.add_commit(commit);
            commits.pop_front();
            *self.last_covered() = Some(Instant::now());
        }
        *self.last_covered() = Some(Instant::now());
    }

    /// Logs once that a commit waits too long: its epochs arrive within moments of it.
    fn warn_if_late(&self, entry: u64) {
        let mut last_covered = self.last_covered();
        if last_covered.is_some_and(|last| last.elapsed() > LATE) {
            *last_covered = None;
            warn!(entry, "the live counts have not reached a commit yet; durable answers stay at the one before");
        }
    }

    fn last_covered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_covered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Folds closed epochs into the live state.
struct LiveFollower {
    state: Arc<AppState>,
    uncovered: Arc<UncoveredCommits>,
    /// Epochs that are not folded yet.
    waiting: Vec<ClosedEpoch>,
    /// What changed since the last frame, as far as it is folded.
    changed: Changes,
    /// Whether an epoch was folded since the last frame.
    has_news: bool,
    last_frame: Instant,
    /// How long the last frame took to make.
    last_cost: Duration,
}

impl LiveFollower {
    fn follow(mut self, epochs: &Receiver<ClosedEpoch>) {
        loop {
            let wait = self.next_frame().map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            match epochs.recv_timeout(wait) {
                Ok(first) => self.waiting.extend(std::iter::once(first).chain(epochs.try_iter())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.fold();
                    return self.publish();
                }
            }
            let begin = Instant::now();
            if self.next_frame().is_some_and(|due| due <= begin) {
                self.fold();
                self.publish();
                self.last_cost = begin.elapsed();
            } else if self.waiting.iter().map(|epoch| epoch.totals.len()).sum::<usize>() > MANY_CELLS {
                self.fold();
            }
        }
    }

    /// Folds all that wait in one step: no client could have seen the states between.
    fn fold(&mut self) {
        let epochs = std::mem::take(&mut self.waiting);
        if epochs.is_empty() {
            return;
        }
        let (state, changed) = (&self.state, &mut self.changed);
        state.update_live(&epochs, |before, durable| {
            let (live, records) = before.after(&epochs, durable, changed);
            state.rate().add(before.closed_at, live.closed_at, records);
            live
        });
        self.uncovered.cover(Vec::new());
        if self.changed.len() > MANY_CELLS {
            self.changed.deduplicate();
        }
        self.has_news = true;
    }

    /// When the next frame is due; `None` while there is nothing new.
    fn next_frame(&self) -> Option<Instant> {
        let has_news = self.has_news || !self.waiting.is_empty();
        has_news.then(|| self.last_frame + self.state.frames.interval(self.last_cost))
    }

    fn publish(&mut self) {
        self.has_news = false;
        self.last_frame = Instant::now();
        let mut changed = std::mem::take(&mut self.changed);
        changed.deduplicate();
        self.state.publish_live(changed);
    }
}

/// Receives commits, sums the rejects that they add, and notices when another run takes over the book.
struct CommitFollower {
    state: Arc<AppState>,
    uncovered: Arc<UncoveredCommits>,
    rejects: PendingRejects,
    store: BookStore,
    generation: String,
    /// The newest entry of this run.
    newest: u64,
    /// The newest entry whose views the state has: other processes declare and drop views while nothing is committed.
    viewed: u64,
}

impl CommitFollower {
    fn follow(mut self, commits: &Receiver<CommittedEntry>) {
        let mut errors = ErrorLog::default();
        loop {
            match commits.recv_timeout(TAKEOVER_INTERVAL) {
                Ok(first) => {
                    // All that wait together: reading rejects may take longer than a commit.
                    let new: Vec<CommittedEntry> = std::iter::once(first).chain(commits.try_iter()).collect();
                    for commit in &new {
                        self.newest = commit.entry.entry;
                        self.rejects.add(from_ref(&*commit.entry));
                    }
                    self.rejects.sum_into(&self.state);
                    self.uncovered.cover(new);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The run has ended; the process may continue.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(TAKEOVER_INTERVAL),
            }
            self.rejects.sum_into(&self.state);
            self.uncovered.cover(Vec::new());
            let followed = self.follow_other_run();
            if let Ok(Some(book)) = followed {
                return book.follow(&self.state);
            }
            errors.note(followed.map(drop), "could not see whether another run writes the book");
        }
    }

    /// Makes what another run has written durable, if there is something.
    fn follow_other_run(&mut self) -> Result<Option<BookFollower>, ServeError> {
        let exists = |number| {
            let path = entry_path(number);
            let found = self.store.exists(&path);
            found.map_err(|source| BookError::Io { tried: "look up", path, source })
        };
        if exists(self.newest)? {
            // Commits of this run may be on their way here.
            let mut next = self.newest + 1;
            while let Some(logged) = if exists(next)? { commit_log::read_entry(&self.store, next)? } else { None } {
                if logged.entry.generation != self.generation {
                    break;
                }
                next += 1;
            }
            if !exists(next)? {
                let last = next - 1;
                if last > self.newest.max(self.viewed) && self.state.update_views(&Snapshot::take(&self.state.book)?) {
                    self.viewed = last;
                }
                return Ok(None);
            }
        }
        let (durable, book) = BookFollower::open(&self.state.book)?;
        if durable.generation == self.generation {
            // The newest entry was not visible for a moment.
            return Ok(None);
        }
        self.state.restart(durable);
        Ok(Some(book))
    }
}
