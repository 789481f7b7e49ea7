//! Merging files while a run goes on: a thread of the leading process hands finished merges to the committer between two commits, and takes
//! up what other processes put beside the run.
//!
//! Merges and sweeps of the log are on a further thread, of the lowest priority: one that waits for the processor while it has the committer would
//! hold up commits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::Thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::log_sweep::LogSweep;
use crate::book::compact::{
    Compactor, DayPhase, MergedDay, closed_days, days_with_several_files, remove_replaced_files,
};
use crate::book::{BookError, CommittedEntry, Committer, Entry, NameSum, State};
use crate::change::{CommitNumber, Day, Failure, WithContext, with_causes};
use crate::control::{Shutdown, with_lowest_priority};
use crate::store::Store;
use crate::store::layout::Table;

/// How often the log is looked at for entries of other processes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often days are looked at, and how long after the start first.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// How old files of a day that still grows must be: readers look at the newest ones most often.
const OLD: Duration = Duration::from_secs(300);
/// The pause after a failure of a day, doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How long an end waits for the thread.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// A day that still grows is looked at when it has so many files.
const MANY_FILES: u64 = 720;

/// What the thread needs.
pub(super) struct Compaction {
    /// The committer of the run.
    pub(super) committer: Arc<Mutex<Committer>>,
    /// Where the book is.
    pub(super) store: Arc<dyn Store>,
    /// Receives each entry that is put or taken up, if the process serves the book.
    pub(super) commits: Option<Sender<CommittedEntry>>,
    /// Whether to merge files; entries of other processes are taken up in any case.
    pub(super) compacts: bool,
    /// How long entries of the log are kept; `None` for ever.
    pub(super) keep_log: Option<Duration>,
    /// How the process ends.
    pub(super) shutdown: Shutdown,
}

/// The thread, which is stopped when this is dropped.
pub(super) struct CompactionThread {
    is_stopped: Arc<AtomicBool>,
    thread: Thread,
    /// Disconnected when it has ended.
    ended: Receiver<()>,
}

impl CompactionThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(super) fn start(compaction: Compaction) -> Result<CompactionThread, Failure> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (compactor, sweep) = {
            let committer = compaction.lock();
            (committer.compactor(), compaction.keep_log.map(|keep| LogSweep::new(&committer, keep)))
        };
        let is_stopped_too = Arc::clone(&is_stopped);
        let days = Days { compaction, compactor, sweep, is_stopped: is_stopped_too, known: BTreeMap::new(), old: None };
        let (is_running, ended) = channel();
        let work = move || {
            let _is_running: Sender<()> = is_running;
            days.work();
        };
        let thread = thread::Builder::new().name("compact".to_owned()).spawn(work);
        let thread = thread.context("could not start a thread")?.thread().clone();
        Ok(CompactionThread { is_stopped, thread, ended })
    }
}

impl Drop for CompactionThread {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
        // A merge ends early, an entry is put to its end; a disk that does not answer must not keep the process.
        let _ = self.ended.recv_timeout(STOP_TIMEOUT);
    }
}

impl Compaction {
    fn lock(&self) -> MutexGuard<'_, Committer> {
        self.committer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the server that the book has another entry. It changes no counts, so no epoch is covered by it.
    fn announce(&self, state: &State, entry: Arc<Entry>) {
        if let Some(commits) = &self.commits {
            // A server that has ended leaves the run alone.
            let _ = commits.send(CommittedEntry { entry, state: Arc::new(state.clone()), end: 0 });
        }
    }
}

/// The days of the book, as the thread has found them.
struct Days {
    compaction: Compaction,
    compactor: Compactor,
    sweep: Option<LogSweep>,
    is_stopped: Arc<AtomicBool>,
    known: BTreeMap<(Table, Day), KnownDay>,
    /// A commit, and when it was the newest: its files are old some time later.
    old: Option<OldCommit>,
}

/// A day that need not be looked at again for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KnownDay {
    /// The files with which there was nothing to do.
    settled: Option<NameSum>,
    /// After a failure: the pause, and its end.
    pause: Option<(Duration, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct OldCommit {
    /// The newest commit that is old.
    old: CommitNumber,
    /// One that will be, and since when it is there.
    next: (CommitNumber, Instant),
}

impl Days {
    fn work(mut self) {
        let mut next_check = Instant::now() + CHECK_INTERVAL;
        while !self.is_stopped() {
            self.follow_log();
            if Instant::now() >= next_check {
                if let Err(error) = self.check().and_then(|()| self.sweep_log()) {
                    return self.compaction.shutdown.fail(error);
                }
                next_check = Instant::now() + CHECK_INTERVAL;
            }
            thread::park_timeout(LOOK_INTERVAL);
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || self.compaction.shutdown.has_failed()
    }

    /// Takes up what other processes have put; a commit that is in progress does so itself.
    fn follow_log(&self) {
        let Ok(mut committer) = self.compaction.committer.try_lock() else { return };
        if self.is_stopped() {
            return;
        }
        match committer.is_behind() {
            Ok(false) => return,
            Ok(true) => {}
            // A file system that does not answer now may do so at the next look: the run has not begun to change anything.
            Err(error) => return warn!(error = with_causes(&error), "could not look for entries of other processes"),
        }
        match committer.follow_log() {
            Ok(entries) => entries.into_iter().for_each(|entry| self.compaction.announce(committer.state(), entry)),
            // While this has the committer, which must not be used again: who waits for it looks for failures first.
            Err(error) => self.compaction.shutdown.fail(error),
        }
    }

    /// Merges the days that are worth it, one after the other.
    ///
    /// # Errors
    /// [`BookError::Fenced`]: the book is another run's.
    fn check(&mut self) -> Result<(), BookError> {
        if !self.compaction.compacts {
            return Ok(());
        }
        if let Err(error) = remove_replaced_files(&*self.compaction.store) {
            warn!(error = with_causes(&error), "could not remove files that were merged; trying again later");
        }
        let state = self.compaction.lock().state().clone();
        self.note_commit(state.commit);
        for (table, day, phase) in self.candidates(&state) {
            if self.is_stopped() {
                return Ok(());
            }
            self.follow_log();
            let state = self.compaction.lock().state().clone();
            match self.merge(&state, (table, day), phase) {
                Ok(Some(merged)) => {
                    self.put(&merged);
                    self.known.remove(&(table, day));
                }
                Ok(None) => self.known.entry((table, day)).or_default().settled = Some(names(&state, table, day)),
                Err(fenced @ BookError::Fenced { .. }) => return Err(fenced),
                Err(error) => self.pause(table, day, &error),
            }
        }
        Ok(())
    }

    /// Merges a day on a thread of the lowest priority.
    fn merge(&self, state: &State, of: (Table, Day), phase: DayPhase) -> Result<Option<MergedDay>, BookError> {
        let work = || self.compactor.merge_day(state, &[], of, phase, &|| self.is_stopped());
        let io = |source| BookError::Io { tried: "start a thread for", path: "merging".to_owned(), source };
        with_lowest_priority("merge", work).map_err(io)?
    }

    /// Sweeps the log, as long as there is something to sweep.
    ///
    /// # Errors
    /// [`BookError::Fenced`]: the book is another run's.
    fn sweep_log(&mut self) -> Result<(), BookError> {
        loop {
            self.follow_log();
            let Days { compaction, sweep: Some(sweep), is_stopped, .. } = self else { return Ok(()) };
            let is_cancelled = || is_stopped.load(Ordering::Relaxed) || compaction.shutdown.has_failed();
            if is_cancelled() || !sweep.sweep(&compaction.committer, &is_cancelled)? {
                return Ok(());
            }
        }
    }

    fn put(&self, merged: &MergedDay) {
        let mut committer = self.compaction.lock();
        if self.is_stopped() {
            return;
        }
        match committer.compact(merged) {
            Ok(Some(entry)) => {
                let [(files, bytes), (files_after, bytes_after)] = merged.sizes();
                let (day, table) = (merged.day(), merged.table().folder());
                info!(%day, table, files, bytes, files_after, bytes_after, rows = merged.rows(), "merged the files of a day");
                self.compaction.announce(committer.state(), entry);
            }
            Ok(None) => {
                if let Err(error) = self.compactor.discard(merged) {
                    warn!(error = with_causes(&error), "could not remove merged files that are not needed");
                }
            }
            // While this has the committer, as in `follow_log`.
            Err(error) => self.compaction.shutdown.fail(error),
        }
    }

    /// The days that may be worth merging.
    fn candidates(&self, state: &State) -> Vec<(Table, Day, DayPhase)> {
        let mut candidates = Vec::new();
        for table in [Table::Events, Table::Rejects] {
            let waits =
                |day: &Day| self.known.get(&(table, *day)).is_some_and(|known| known.waits(names(state, table, *day)));
            let several: Vec<Day> =
                days_with_several_files(state, table).into_iter().filter(|day| !waits(day)).collect();
            if several.is_empty() {
                continue;
            }
            let closed = match closed_days(&*self.compaction.store, state, &several, table) {
                Ok(closed) => closed,
                Err(error) => {
                    warn!(error = with_causes(&error), "could not look for days to merge; trying again later");
                    continue;
                }
            };
            let old = self.old.map_or(0, |commits| commits.old);
            for day in several {
                if closed.contains(&day) {
                    candidates.push((table, day, DayPhase::Closed));
                } else if names(state, table, day).files >= MANY_FILES && old > 0 {
                    candidates.push((table, day, DayPhase::Open(old)));
                }
            }
        }
        candidates
    }

    /// Notes which commit is the newest now.
    fn note_commit(&mut self, commit: CommitNumber) {
        let now = Instant::now();
        let OldCommit { old, next } = self.old.unwrap_or(OldCommit { old: 0, next: (commit, now) });
        self.old = Some(match now.duration_since(next.1) >= OLD {
            true => OldCommit { old: next.0, next: (commit, now) },
            false => OldCommit { old, next },
        });
    }

    /// Leaves a day alone for a while.
    fn pause(&mut self, table: Table, day: Day, error: &BookError) {
        let known = self.known.entry((table, day)).or_default();
        let pause = known.pause.map_or(FIRST_PAUSE, |(last, _)| (last * 2).min(LONGEST_PAUSE));
        known.pause = Some((pause, Instant::now() + pause));
        let (table, error) = (table.folder(), with_causes(error));
        warn!(%day, table, error, "could not merge the files of a day; nothing has changed, trying again in {pause:?}");
    }
}

impl KnownDay {
    /// Whether a day with these files need not be looked at now.
    fn waits(&self, files: NameSum) -> bool {
        self.pause.is_some_and(|(_, end)| Instant::now() < end) || self.settled == Some(files)
    }
}

/// The files of a day.
fn names(state: &State, table: Table, day: Day) -> NameSum {
    state.files.as_ref().and_then(|files| files.get(&day)).map(|files| files.of(table)).unwrap_or_default()
}
