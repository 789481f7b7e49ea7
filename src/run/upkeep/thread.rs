//! A thread of the leading process, which keeps the files of the book few and prunes old days. It uses the committer between two commits, and
//! takes up what other processes put beside the run.
//!
//! Merges and sweeps of the log are on a further thread, of the lowest priority: one that waits for the processor while it has the committer would
//! hold up commits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::Thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use super::log_sweep::LogSweep;
use super::retention::first_kept_day;
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
pub(in crate::run) struct Upkeep {
    /// The committer of the run.
    pub(in crate::run) committer: Arc<Mutex<Committer>>,
    /// Where the book is.
    pub(in crate::run) store: Arc<dyn Store>,
    /// Receives each entry that is put or taken up, if the process serves the book.
    pub(in crate::run) commits: Option<Sender<CommittedEntry>>,
    /// Whether to merge files; entries of other processes are taken up in any case.
    pub(in crate::run) compacts: bool,
    /// How many days before today keep their events and rejects; all, if it is not said.
    pub(in crate::run) retain_days: Option<u32>,
    /// How long entries of the log are kept; `None` for ever.
    pub(in crate::run) keep_log: Option<Duration>,
    /// How the process ends.
    pub(in crate::run) shutdown: Shutdown,
}

/// The thread, which is stopped when this is dropped.
pub(in crate::run) struct UpkeepThread {
    is_stopped: Arc<AtomicBool>,
    thread: Thread,
    /// Disconnected when it has ended.
    ended: Receiver<()>,
}

impl UpkeepThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(in crate::run) fn start(upkeep: Upkeep) -> Result<UpkeepThread, Failure> {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (compactor, sweep) = {
            let committer = upkeep.lock();
            (committer.compactor(), upkeep.keep_log.map(|keep| LogSweep::new(&committer, keep)))
        };
        let is_stopped_too = Arc::clone(&is_stopped);
        let days = Days { upkeep, compactor, sweep, is_stopped: is_stopped_too, known: BTreeMap::new(), old: None };
        let (is_running, ended) = channel();
        let work = move || {
            let _is_running: Sender<()> = is_running;
            days.work();
        };
        let thread = thread::Builder::new().name("upkeep".to_owned()).spawn(work);
        let thread = thread.context("could not start a thread")?.thread().clone();
        Ok(UpkeepThread { is_stopped, thread, ended })
    }
}

impl Drop for UpkeepThread {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
        // A merge ends early, an entry is put to its end; a disk that does not answer must not keep the process.
        let _ = self.ended.recv_timeout(STOP_TIMEOUT);
    }
}

impl Upkeep {
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
    upkeep: Upkeep,
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
                    return self.upkeep.shutdown.fail(error);
                }
                next_check = Instant::now() + CHECK_INTERVAL;
            }
            thread::park_timeout(LOOK_INTERVAL);
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || self.upkeep.shutdown.has_failed()
    }

    /// Takes up what other processes have put; a commit that is in progress does so itself.
    fn follow_log(&self) {
        let Ok(mut committer) = self.upkeep.committer.try_lock() else { return };
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
            Ok(entries) => entries.into_iter().for_each(|entry| self.upkeep.announce(committer.state(), entry)),
            // While this has the committer, which must not be used again: who waits for it looks for failures first.
            Err(error) => self.upkeep.shutdown.fail(error),
        }
    }

    /// Prunes days that are old enough, and merges those that are worth it, one after the other.
    ///
    /// # Errors
    /// [`BookError::Fenced`]: the book is another run's.
    fn check(&mut self) -> Result<(), BookError> {
        if let Err(error) = remove_replaced_files(&*self.upkeep.store) {
            warn!(error = with_causes(&error), "could not remove files that were merged or pruned; trying again later");
        }
        self.prune();
        if !self.upkeep.compacts {
            return Ok(());
        }
        let state = self.upkeep.lock().state().clone();
        self.note_commit(state.commit);
        for (table, day, phase) in self.candidates(&state) {
            if self.is_stopped() {
                return Ok(());
            }
            self.follow_log();
            let state = self.upkeep.lock().state().clone();
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

    /// Prunes the days that are older than those to be kept.
    fn prune(&self) {
        let Some(days) = self.upkeep.retain_days else { return };
        let mut committer = self.upkeep.lock();
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros());
        let first = first_kept_day(committer.state(), days, now.unwrap_or(0));
        // What has come late to pruned days goes with the next one.
        let is_new = |day: &Day| committer.state().pruned.is_none_or(|pruned| pruned.before < *day);
        let Some(first) = first.filter(is_new).filter(|_| !self.is_stopped()) else { return };
        if let Some(view) = committer.state().unbuilt_view() {
            return warn!(
                view,
                "old days are not pruned before this view is built: the next start of the run builds it"
            );
        }
        match committer.prune(first) {
            Ok(Some(entry)) => {
                let pruned = committer.state().pruned;
                let (files, bytes) = pruned.map_or((0, None), |pruned| (pruned.files, pruned.bytes.bytes()));
                info!(before = %first, files, bytes, "pruned the events and rejects of old days");
                self.upkeep.announce(committer.state(), entry);
            }
            Ok(None) => {}
            // While this has the committer, as in `follow_log`.
            Err(error) => self.upkeep.shutdown.fail(error),
        }
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
            let Days { upkeep, sweep: Some(sweep), is_stopped, .. } = self else { return Ok(()) };
            let is_cancelled = || is_stopped.load(Ordering::Relaxed) || upkeep.shutdown.has_failed();
            if is_cancelled() || !sweep.sweep(&upkeep.committer, &is_cancelled)? {
                return Ok(());
            }
        }
    }

    fn put(&self, merged: &MergedDay) {
        let mut committer = self.upkeep.lock();
        if self.is_stopped() {
            return;
        }
        match committer.compact(merged) {
            Ok(Some(entry)) => {
                let [(files, bytes), (files_after, bytes_after)] = merged.sizes();
                let (day, table) = (merged.day(), merged.table().folder());
                info!(%day, table, files, bytes, files_after, bytes_after, rows = merged.rows(), "merged the files of a day");
                self.upkeep.announce(committer.state(), entry);
            }
            Ok(None) => {
                if let Err(error) = self.compactor.discard(merged) {
                    warn!(error = with_causes(&error), "could not remove merged files that are not needed");
                }
            }
            // While this has the committer, as in `follow_log`.
            Err(error) => self.upkeep.shutdown.fail(error),
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
            let closed = match closed_days(&*self.upkeep.store, state, &several, table) {
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
