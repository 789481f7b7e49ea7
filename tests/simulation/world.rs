//! What the parts of a history share: its random numbers, its time, its disk, its topic, and the trace of what happened.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write as _};
use std::hash::Hasher as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use twox_hash::XxHash3_64;

use super::plan::{Fault, Mutation, Plan};
use crate::support::{MemoryStore, MemoryTopic};

/// A handle to the world of one history.
#[derive(Clone)]
pub(crate) struct World {
    shared: Arc<Mutex<Shared>>,
    /// What this history may do.
    pub(crate) plan: Arc<Plan>,
    /// The topic that runs read.
    pub(crate) topic: MemoryTopic,
}

struct Shared {
    random: Rng,
    time: Duration,
    disk: MemoryStore,
    /// The number of power cuts.
    power_cuts: u64,
    is_calm: bool,
    hits: BTreeMap<Fault, u64>,
    operations: u64,
    trace: XxHash3_64,
    /// By partition: the offset below which a source was told that all is durable.
    durable: BTreeMap<i32, i64>,
}

/// One run's time on the machine, which ends with a power cut or a kill.
pub(crate) struct Life {
    /// The run's number.
    pub(crate) run: u64,
    power_cuts: u64,
    killed: AtomicBool,
    /// Whether an operation of it was made to fail.
    faulted: AtomicBool,
    /// Whether another run was alive at the same time.
    overlapped: AtomicBool,
}

impl Life {
    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// Notes that an operation of it was made to fail.
    pub(crate) fn mark_faulted(&self) {
        self.faulted.store(true, Ordering::Relaxed);
    }

    /// Whether an operation of it was made to fail.
    pub(crate) fn is_faulted(&self) -> bool {
        self.faulted.load(Ordering::Relaxed)
    }

    /// Notes that another run is alive.
    pub(crate) fn mark_overlapped(&self) {
        self.overlapped.store(true, Ordering::Relaxed);
    }

    /// Whether another run was alive at the same time.
    pub(crate) fn is_overlapped(&self) -> bool {
        self.overlapped.load(Ordering::Relaxed)
    }
}

impl World {
    /// A world in which nothing has happened.
    pub(crate) fn new(plan: Plan, random: Rng, topic: MemoryTopic) -> World {
        let shared = Shared {
            random,
            time: Duration::ZERO,
            disk: MemoryStore::new(),
            power_cuts: 0,
            is_calm: false,
            hits: BTreeMap::new(),
            operations: 0,
            trace: XxHash3_64::new(),
            durable: BTreeMap::new(),
        };
        World { shared: Arc::new(Mutex::new(shared)), plan: Arc::new(plan), topic }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nothing panics while it holds the lock")
    }

    /// A number below `limit`.
    pub(crate) fn below(&self, limit: usize) -> usize {
        self.shared().random.usize(..limit)
    }

    /// A random number.
    pub(crate) fn number(&self) -> u64 {
        self.shared().random.u64(..)
    }

    /// Whether one of `of` chances came true.
    pub(crate) fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// Whether a fault of this kind happens now, and counts it.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let mut shared = self.shared();
        let Some(of) = self.plan.faults.get(&fault).filter(|_| !shared.is_calm) else { return false };
        let strikes = shared.random.usize(..*of) == 0;
        if strikes {
            *shared.hits.entry(fault).or_default() += 1;
        }
        strikes
    }

    /// Counts a fault that was caused otherwise.
    pub(crate) fn hit(&self, fault: Fault) {
        *self.shared().hits.entry(fault).or_default() += 1;
    }

    /// How often each fault happened.
    pub(crate) fn hits(&self) -> BTreeMap<Fault, u64> {
        self.shared().hits.clone()
    }

    /// Ends all faults, so that what runs can end.
    pub(crate) fn calm(&self) {
        self.shared().is_calm = true;
    }

    /// The time since the beginning.
    pub(crate) fn time(&self) -> Duration {
        self.shared().time
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.shared().time += time;
    }

    /// What is on the disk now.
    pub(crate) fn disk(&self) -> MemoryStore {
        self.shared().disk.process()
    }

    /// The life of a run that starts now.
    pub(crate) fn begin_life(&self, run: u64) -> Life {
        let power_cuts = self.shared().power_cuts;
        let no = || AtomicBool::new(false);
        Life { run, power_cuts, killed: no(), faulted: no(), overlapped: no() }
    }

    /// Whether a run can still do anything.
    pub(crate) fn is_alive(&self, life: &Life) -> bool {
        !life.killed.load(Ordering::Relaxed) && self.shared().power_cuts == life.power_cuts
    }

    /// Cuts the power: the disk keeps what was synced, and of the rest what chance keeps.
    pub(crate) fn cut_power(&self) {
        let mut shared = self.shared();
        // Seeds 0 and 1 keep nothing and everything.
        let seed = if shared.random.bool() { shared.random.u64(..2) } else { shared.random.u64(..) };
        shared.disk = shared.disk.survive(seed);
        shared.power_cuts += 1;
    }

    /// The number of power cuts so far.
    pub(crate) fn power_cuts(&self) -> u64 {
        self.shared().power_cuts
    }

    /// Adds a line to the trace; with `WALBOOK_TRACE` it is printed too.
    pub(crate) fn note(&self, line: Arguments<'_>) {
        let mut shared = self.shared();
        let mut text = String::with_capacity(128);
        write!(text, "{:?} {line}", shared.time).expect("a string grows");
        shared.trace.write(text.as_bytes());
        if self.plan.prints_trace {
            eprintln!("{text}");
        }
    }

    /// Counts an operation of the store.
    pub(crate) fn count_operation(&self) {
        self.shared().operations += 1;
    }

    /// The operations of stores so far.
    pub(crate) fn operations(&self) -> u64 {
        self.shared().operations
    }

    /// The digest of all that has happened.
    pub(crate) fn trace(&self) -> u64 {
        self.shared().trace.finish()
    }

    /// The change to a correct store or source that this history must find, if any.
    pub(crate) fn mutation(&self) -> Option<Mutation> {
        self.plan.mutation
    }

    /// Remembers that a source was told that all below `next` is durable.
    pub(crate) fn promise_durable(&self, partition: i32, next: i64) {
        let mut shared = self.shared();
        let promised = shared.durable.entry(partition).or_insert(next);
        *promised = next.max(*promised);
    }

    /// By partition: the offset below which sources were told that all is durable.
    pub(crate) fn promised_durable(&self) -> BTreeMap<i32, i64> {
        self.shared().durable.clone()
    }
}
