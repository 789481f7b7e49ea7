//! The state of the server: every handler reads it, and no reader waits for a writer.

use std::slice::from_ref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Semaphore;

use super::counts::{CountsCache, CountsSnapshot};
use super::durable_state::DurableState;
use super::frames::{Changes, Frame, Frames, MAX_TEXT_BYTES};
use super::live_state::LiveState;
use super::rate::Rate;
use super::run_state::RunState;
use super::run_status::{ObservedSlot, RunStatus};
use super::snapshot::StateSnapshot;
use super::views::{UncommittedViews, ViewTable};
use crate::book::{CommittedEntry, Snapshot};
use crate::change::ClosedEpoch;
use crate::change::instant::now_micros;
use crate::query::RejectSums;
use crate::server::http::blocking::BlockingPermits;
use crate::server::http::response_budget::ResponseBudget;
use crate::store::BookStore;

/// Bytes of answers that clients have not read yet, with those in the caches: 64 MB at most.
const ANSWER_BYTES: usize = 192 << 20;
/// The most that one answer counts for: beside full caches it fits if no other answer is pending.
const LARGEST_ANSWER: usize = 128 << 20;
/// Bytes of snapshots that clients of the stream have not read yet.
const SNAPSHOT_BYTES: usize = 48 << 20;
/// Bytes of deltas that they have not read yet, with those that are kept for others.
const DELTA_BYTES: usize = 32 << 20;
/// Clients of the stream at the same time.
const MAX_WATCHERS: usize = 500;

/// Why sums of rejects are too low while files wait for their turn.
pub(super) const NOT_READ_YET: &str = "not all files of rejects are read yet";

/// The state of the server.
pub(in crate::server) struct AppState {
    /// The book's directory.
    pub(in crate::server) book: BookStore,
    /// The book's name: the last part of its path.
    pub(in crate::server) name: String,
    durable: ArcSwap<DurableState>,
    live: ArcSwapOption<LiveState>,
    /// Sums over the book's rejects, which are read later than its counts.
    rejects: ArcSwap<RejectSums>,
    /// Why these sums are too low, if they are.
    unread_rejects: ArcSwapOption<String>,
    /// Held by writers of both states: a live one that has ended must not come back. What it holds belongs to the live state.
    live_update: Mutex<UncommittedViews>,
    /// What the clients of the stream are sent.
    pub(in crate::server) frames: Frames,
    rate: Mutex<Rate>,
    /// The run of this process.
    pub(in crate::server) run: Option<RunState>,
    slot: ArcSwapOption<ObservedSlot>,
    live_cache: CountsCache,
    durable_cache: CountsCache,
    /// Permits for work that occupies a thread for long.
    pub(in crate::server) permits: BlockingPermits,
    /// Memory of answers that are not read yet.
    pub(in crate::server) answer_budget: ResponseBudget,
    /// Memory of the stream's snapshots that are not read yet.
    pub(in crate::server) snapshot_budget: ResponseBudget,
    /// Memory of its deltas: a client that asks for everything and reads slowly must not keep news from others.
    pub(in crate::server) delta_budget: ResponseBudget,
    /// Held by the client of the stream whose turn it is.
    pub(in crate::server) turns: tokio::sync::Mutex<()>,
    /// Held by clients of the stream.
    pub(in crate::server) watchers: Arc<Semaphore>,
}

impl AppState {
    pub(in crate::server) fn new(
        book: &BookStore,
        durable: DurableState,
        live: Option<LiveState>,
        run: Option<RunState>,
    ) -> AppState {
        let (durable, live) = (Arc::new(durable), live.map(Arc::new));
        let first = StateSnapshot { now: now_micros(), durable: Arc::clone(&durable), live: live.clone() };
        AppState {
            book: book.to_owned(),
            name: name_of(book),
            durable: ArcSwap::new(durable),
            live: ArcSwapOption::new(live),
            rejects: ArcSwap::default(),
            unread_rejects: ArcSwapOption::from_pointee(NOT_READ_YET.to_owned()),
            live_update: Mutex::default(),
            frames: Frames::new(Frame::of(first)),
            rate: Mutex::default(),
            run,
            slot: ArcSwapOption::empty(),
            live_cache: CountsCache::default(),
            durable_cache: CountsCache::default(),
            permits: BlockingPermits::default(),
            answer_budget: ResponseBudget::new(ANSWER_BYTES, LARGEST_ANSWER),
            snapshot_budget: ResponseBudget::new(SNAPSHOT_BYTES, SNAPSHOT_BYTES),
            delta_budget: ResponseBudget::new(DELTA_BYTES, DELTA_BYTES - MAX_TEXT_BYTES),
            turns: tokio::sync::Mutex::default(),
            watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
        }
    }

    /// What the server knows now.
    pub(in crate::server) fn snapshot(&self) -> StateSnapshot {
        // The live state last: it is never behind the durable state that was read before it.
        let durable = self.durable();
        let live = self.live();
        StateSnapshot { now: now_micros(), durable, live }
    }

    /// What the server knows now, and the newest frame before it: what changes later is in frames after that.
    pub(in crate::server) fn since_newest_frame(&self) -> (u64, StateSnapshot) {
        loop {
            let frame = self.frames.newest().number;
            let snapshot = self.snapshot();
            // A thread that makes a state publishes it before it makes the next one.
            if self.frames.newest().number == frame {
                return (frame, snapshot);
            }
        }
    }

    pub(in crate::server) fn durable(&self) -> Arc<DurableState> {
        self.durable.load_full()
    }

    pub(in crate::server) fn live(&self) -> Option<Arc<LiveState>> {
        self.live.load_full()
    }

    /// Replaces the durable state by that after further entries of a book that another process writes.
    pub(in crate::server) fn set_durable(&self, durable: DurableState) {
        let _update = self.lock_live();
        self.durable.store(Arc::new(durable));
    }

    /// Replaces the live state by that after further epochs; does nothing once it has ended.
    pub(in crate::server) fn update_live(
        &self,
        epochs: &[ClosedEpoch],
        newer: impl FnOnce(&LiveState, &DurableState) -> LiveState,
    ) {
        let mut uncommitted = self.lock_live();
        if let Some(live) = self.live() {
            self.live.store(Some(Arc::new(newer(&live, &self.durable()))));
            epochs.iter().for_each(|closed| uncommitted.add(closed));
        }
    }

    /// Replaces the durable state by that after a commit of the run, which the live state covers; does nothing once that has
    /// ended.
    pub(in crate::server) fn add_commit(&self, commit: &CommittedEntry) {
        let mut uncommitted = self.lock_live();
        if let Some(live) = self.live() {
            let durable = self.durable().after(from_ref(&*commit.entry), &commit.state).0;
            uncommitted.drop_before(commit.end);
            self.live.store(Some(Arc::new(live.without_dropped_views(&durable))));
            self.durable.store(Arc::new(durable));
        }
    }

    /// Takes up views that were declared or dropped since the newest commit; `false` if the book is not at that commit.
    pub(in crate::server) fn update_views(&self, book: &Snapshot) -> bool {
        let _update = self.lock_live();
        let durable = self.durable();
        let is_same = durable.id == book.state().book && durable.counts.complete_to.commit == book.state().commit;
        if let Some(live) = self.live().filter(|_| is_same) {
            let durable = durable.with_views_of(book.state());
            self.live.store(Some(Arc::new(live.without_dropped_views(&durable))));
            self.durable.store(Arc::new(durable));
        }
        is_same
    }

    /// Adds the groups of a view, read at the commit of a state, to the present state; `None` if that is at another commit, or of another
    /// book, or does not have this view any more.
    pub(in crate::server) fn add_view_table(
        &self,
        name: &str,
        table: ViewTable,
        read_at: &DurableState,
    ) -> Option<(StateSnapshot, ViewTable)> {
        let uncommitted = self.lock_live();
        let durable = self.durable();
        let is_same =
            durable.id == read_at.id && durable.counts.complete_to.commit == read_at.counts.complete_to.commit;
        if !is_same || !table.is_of(&durable.views, name) {
            return None;
        }
        match self.live() {
            Some(live) => self.live.store(Some(Arc::new(live.with_view_table(name, table, &uncommitted)?))),
            None => self.durable.store(Arc::new(durable.with_view_table(name, table))),
        }
        let snapshot = self.snapshot();
        let table = snapshot.view_table(name)?.clone();
        Some((snapshot, table))
    }

    /// Publishes the newest live state as a frame, given what changed; does nothing once it has ended.
    pub(in crate::server) fn publish_live(&self, changed: Changes) {
        let _update = self.lock_live();
        if self.live().is_some() {
            self.frames.publish(Frame::of(self.snapshot()), changed);
        }
    }

    /// Starts again with a book that another run writes: all answers are durable from now on.
    pub(in crate::server) fn restart(&self, durable: DurableState) {
        let mut uncommitted = self.lock_live();
        uncommitted.clear();
        self.live.store(None);
        self.durable.store(Arc::new(durable));
        self.set_rejects(RejectSums::default(), Some(NOT_READ_YET.to_owned()));
        self.frames.restart(Frame::of(self.snapshot()));
        self.live_cache.close();
    }

    fn lock_live(&self) -> MutexGuard<'_, UncommittedViews> {
        self.live_update.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of this process; `None` in a snapshot of after another run took over the book.
    pub(in crate::server) fn run_in(&self, snapshot: &StateSnapshot) -> Option<&RunState> {
        self.run.as_ref().filter(|_| snapshot.live.is_some())
    }

    /// The status of the run of this process in a snapshot.
    pub(in crate::server) fn run_status(&self, snapshot: &StateSnapshot) -> RunStatus {
        RunStatus::new(self.run.as_ref(), snapshot)
    }

    /// What was computed for earlier requests about counts of this level.
    pub(in crate::server) fn counts_cache(&self, counts: &CountsSnapshot) -> &CountsCache {
        if counts.is_durable() { &self.durable_cache } else { &self.live_cache }
    }

    /// Sums over the book's rejects.
    pub(in crate::server) fn rejects(&self) -> Arc<RejectSums> {
        self.rejects.load_full()
    }

    /// Why the sums over the book's rejects are too low, if they are.
    pub(in crate::server) fn unread_rejects(&self) -> Option<Arc<String>> {
        self.unread_rejects.load_full()
    }

    pub(in crate::server) fn set_rejects(&self, rejects: RejectSums, unread: Option<String>) {
        self.rejects.store(Arc::new(rejects));
        self.unread_rejects.store(unread.map(Arc::new));
    }

    /// The run's slot, as last observed.
    pub(in crate::server) fn slot(&self) -> Option<Arc<ObservedSlot>> {
        self.slot.load_full()
    }

    pub(in crate::server) fn set_slot(&self, slot: Option<ObservedSlot>) {
        self.slot.store(slot.map(Arc::new));
    }

    /// How many clients watch.
    pub(in crate::server) fn watching(&self) -> usize {
        MAX_WATCHERS - self.watchers.available_permits()
    }

    /// How fast records arrive.
    pub(in crate::server) fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_of(book: &BookStore) -> String {
    let path = book.location().to_path();
    let path = path.canonicalize().unwrap_or(path);
    path.file_name().map_or_else(|| "book".to_owned(), |name| name.to_string_lossy().into_owned())
}
