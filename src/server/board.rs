//! What the server knows: everything that is asked for is read here, and nobody who reads waits for who writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Semaphore;

use super::aside::Queues;
use super::frames::{Frame, Frames, KEPT};
use super::memory::Memory;
use super::moment::{LIVE, Moment};
use super::partitions::Partitions;
use super::rate::Rate;
use super::recent::Recent;
use super::run::RunView;
use super::slot::KnownSlot;
use super::sums::KeptSums;
use super::view::{View, now_micros};
use crate::book::Lost;
use crate::book::entry::SourceKind;
use crate::change::{Epoch, Partition};
use crate::query::RejectSums;

/// Bytes of answers that are not read yet, with those that are kept for others: 64 MB of them at most.
const ANSWERS: usize = 192 << 20;
/// One answer counts for no more: beside what is kept it has room if no other one takes it.
const LARGEST_ANSWER: usize = 128 << 20;
/// Bytes of snapshots that clients of the stream have not taken yet.
const SNAPSHOTS: usize = 48 << 20;
/// Bytes of deltas that they have not taken yet, with those that are kept for others.
const DELTAS: usize = 32 << 20;
/// Clients of the stream at the same time.
const WATCHERS: usize = 500;

/// What the server knows.
pub(super) struct Board {
    /// The book's directory.
    pub(super) book: PathBuf,
    /// The book's name: the last part of its path.
    pub(super) name: String,
    durable: ArcSwap<Durable>,
    live: ArcSwapOption<Live>,
    /// Held while what is live changes or is told to watchers: what has ended does not come back.
    telling: Mutex<()>,
    /// What watchers are told.
    pub(super) frames: Frames,
    rate: Mutex<Rate>,
    /// The run beside which this server serves.
    pub(super) run: Option<RunView>,
    slot: ArcSwapOption<KnownSlot>,
    /// Answers about the live moment, and about the durable one.
    pub(super) recent: [Recent; 2],
    /// Sums at the live moment, and at the durable one.
    pub(super) sums: [KeptSums; 2],
    /// Who may take a thread for long.
    pub(super) queues: Queues,
    /// What answers hold that are not read yet.
    pub(super) memory: Memory,
    /// What the snapshots of the stream hold that their clients have not taken yet.
    pub(super) snapshots: Memory,
    /// What its deltas hold: who is told all, and takes it slowly, must not keep others from what is new.
    pub(super) deltas: Memory,
    /// Held by the client of the stream whose turn it is.
    pub(super) turns: tokio::sync::Mutex<()>,
    /// Held by clients of the stream.
    pub(super) watchers: Arc<Semaphore>,
}

/// The book at its newest entry.
#[derive(Clone)]
pub(super) struct Durable {
    /// The counts.
    pub(super) moment: Arc<Moment>,
    /// The book's identity.
    pub(super) id: String,
    /// Its day rule: `auto`, `commit` or `kafka`.
    pub(super) day_from: String,
    /// Who wrote the newest entry.
    pub(super) generation: String,
    /// The newest entry's number.
    pub(super) entry: u64,
    /// When the newest commit was made, in microseconds since 1970-01-01 UTC by its writer's clock.
    pub(super) committed_at: Option<i64>,
    /// How many changes the newest commit brought.
    pub(super) changes: Option<u64>,
    /// When the book was made, in the same way.
    pub(super) made_at: Option<i64>,
    /// By topic: what kind of place it is.
    pub(super) sources: BTreeMap<String, SourceKind>,
    /// By partition: what was accepted as lost.
    pub(super) lost: BTreeMap<Partition, Lost>,
    /// What could not be read.
    pub(super) rejects: Arc<RejectSums>,
}

/// A run at its newest closed epoch.
pub(super) struct Live {
    /// The counts.
    pub(super) moment: Arc<Moment>,
    /// The epoch.
    pub(super) epoch: Epoch,
    /// When it was seen to be closed.
    pub(super) closed_at: i64,
    /// How far each partition was read.
    pub(super) partitions: Partitions,
    /// Records that could not be read since the run began.
    pub(super) rejects: u64,
}

impl Board {
    pub(super) fn new(book: &Path, durable: Durable, live: Option<Live>, run: Option<RunView>) -> Board {
        let (durable, live) = (Arc::new(durable), live.map(Arc::new));
        let first = View { now: now_micros(), durable: Arc::clone(&durable), live: live.clone() };
        let frames = Frames::new(Frame::of(first));
        Board {
            book: book.to_owned(),
            name: name_of(book),
            durable: ArcSwap::new(durable),
            live: ArcSwapOption::new(live),
            telling: Mutex::default(),
            frames,
            rate: Mutex::default(),
            run,
            recent: Default::default(),
            sums: Default::default(),
            slot: ArcSwapOption::empty(),
            queues: Queues::default(),
            memory: Memory::of(ANSWERS, LARGEST_ANSWER),
            snapshots: Memory::of(SNAPSHOTS, SNAPSHOTS),
            deltas: Memory::of(DELTAS, DELTAS - KEPT),
            turns: tokio::sync::Mutex::default(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
        }
    }

    pub(super) fn durable(&self) -> Arc<Durable> {
        self.durable.load_full()
    }

    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    pub(super) fn set_durable(&self, durable: Durable) {
        self.durable.store(Arc::new(durable));
    }

    /// Does something with what is live, which may make it newer; nothing once that has ended.
    pub(super) fn with_live(&self, work: impl FnOnce(&Live) -> Option<Live>) {
        let _telling = self.telling();
        if let Some(live) = self.live().and_then(|live| work(&live)) {
            self.live.store(Some(Arc::new(live)));
        }
    }

    /// Lets all answers be durable from now on: another run writes the book.
    pub(super) fn end_live(&self, durable: Durable) {
        let _telling = self.telling();
        self.live.store(None);
        self.set_durable(durable);
        self.frames.begin_anew(Frame::of(View::of(self)));
        // Nobody asks about what was live any more.
        self.recent[LIVE].end();
        self.sums[LIVE].end();
    }

    fn telling(&self) -> MutexGuard<'_, ()> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run's slot, as far as is known.
    pub(super) fn slot(&self) -> Option<Arc<KnownSlot>> {
        self.slot.load_full()
    }

    pub(super) fn set_slot(&self, slot: Option<KnownSlot>) {
        self.slot.store(slot.map(Arc::new));
    }

    /// How many clients watch.
    pub(super) fn watching(&self) -> usize {
        WATCHERS - self.watchers.available_permits()
    }

    /// How fast records come.
    pub(super) fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_of(book: &Path) -> String {
    let path = book.canonicalize().unwrap_or_else(|_| book.to_owned());
    path.file_name().map_or_else(|| "book".to_owned(), |name| name.to_string_lossy().into_owned())
}
