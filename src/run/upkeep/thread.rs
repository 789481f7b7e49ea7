//! A thread of the leading process, which keeps the files of the book few and prunes old days. It uses the committer between two commits, and
//! takes up what other processes put beside the run.
//!
//! Merges and sweeps of the log are on a further thread, of the lowest priority: one that waits for the processor while it has the committer would
//! hold up commits.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use super::background::{BackgroundThread, StopSignal, StopTimeout};
use super::days_to_merge::DaysToMerge;
use super::log_sweep::LogSweep;
use super::retention::first_kept_day;
use crate::book::compact::{Compactor, DayPhase, MergedDay, remove_replaced_files};
use crate::book::{BookError, CommittedEntry, Committer, Entry, State};
use crate::change::{Day, Failure, WithContext, with_causes};
use crate::control::{Shutdown, with_lowest_priority};
use crate::store::Store;
use crate::store::layout::Table;

/// How often the log is looked at for entries of other processes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often days are looked at, and how long after the start first.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// How long an end waits for the thread.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

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

impl Upkeep {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(in crate::run) fn start(self) -> Result<BackgroundThread, Failure> {
        let (compactor, sweep) = {
            let committer = self.lock();
            (committer.compactor(), self.keep_log.map(|keep| LogSweep::new(&committer, keep)))
        };
        // A merge ends early, an entry is put to its end.
        let timeout = StopTimeout { limit: STOP_TIMEOUT, warning: "the upkeep of the book did not end in time" };
        let work = move |stop| {
            Work { upkeep: self, compactor, sweep, stop, days: DaysToMerge::default() }.work();
        };
        BackgroundThread::start("upkeep", timeout, work).context("could not start a thread")
    }

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

/// What the thread works with.
struct Work {
    upkeep: Upkeep,
    compactor: Compactor,
    sweep: Option<LogSweep>,
    stop: StopSignal,
    days: DaysToMerge,
}

impl Work {
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
            self.stop.sleep_until(Instant::now() + LOOK_INTERVAL);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_given() || self.upkeep.shutdown.has_failed()
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
        self.days.note_commit(state.commit);
        for (table, day, phase) in self.days.candidates(&*self.upkeep.store, &state) {
            if self.is_stopped() {
                return Ok(());
            }
            self.follow_log();
            let state = self.upkeep.lock().state().clone();
            match self.merge(&state, (table, day), phase) {
                Ok(Some(merged)) => {
                    self.put(&merged);
                    self.days.forget(table, day);
                }
                Ok(None) => self.days.settle(&state, table, day),
                Err(fenced @ BookError::Fenced { .. }) => return Err(fenced),
                Err(error) => self.days.pause(table, day, &error),
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
            let Work { upkeep, sweep: Some(sweep), stop, .. } = self else { return Ok(()) };
            let is_cancelled = || stop.is_given() || upkeep.shutdown.has_failed();
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
}
