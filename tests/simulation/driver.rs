//! The driver: plays one history, turn by turn, and checks it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use walbook::change::{Failure, FailureKind};

use super::checker::{self, Shown};
use super::plan::{Fault, Mutation, Plan};
use super::rows;
use super::run::SimulatedRun;
use super::world::{Life, World};
use crate::support::{MemoryTopic, WorkloadRecord};

/// Turns after which runs that nothing disturbs must have ended.
const CALM_TURNS: usize = 100_000;
/// How many runs may sleep in an operation while others continue.
const DEEPEST_SUSPENSION: u32 = 2;

thread_local! {
    /// The driver that plays in this thread.
    static DRIVER: RefCell<Option<Rc<Driver>>> = const { RefCell::new(None) };
}

/// What a history was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// The digest of everything that happened, in order.
    pub(crate) trace: u64,
    /// How often each fault happened.
    pub(crate) hits: BTreeMap<Fault, u64>,
    /// Runs that were started.
    pub(crate) runs: u64,
    /// Operations of stores.
    pub(crate) operations: u64,
    /// How runs ended, by kind; kills and power cuts not among them.
    pub(crate) ends: BTreeMap<&'static str, u64>,
}

/// Plays the history of a seed.
///
/// # Errors
/// The promise that did not hold.
pub(crate) fn play(seed: u64, mutation: Option<Mutation>) -> Result<History, String> {
    let mut random = Rng::with_seed(seed);
    let plan = Plan::draw(&mut random, mutation);
    let records: Vec<WorkloadRecord> = plan.workload.records().collect();
    let topic = MemoryTopic::new([]);
    topic.set_id("one");
    topic.keep_leader_epochs();
    let world = World::new(plan, random, topic);
    let driver = Rc::new(Driver {
        unproduced: RefCell::new(records.clone().into()),
        records,
        runs: RefCell::default(),
        lives: RefCell::default(),
        started: Cell::new(0),
        suspended: Cell::new(0),
        power_cuts: Cell::new(0),
        loss: Cell::new(None),
        shown: RefCell::default(),
        ends: RefCell::default(),
        ended_well: RefCell::default(),
        wrong: RefCell::new(None),
        world,
    });
    DRIVER.set(Some(Rc::clone(&driver)));
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.play()));
    // The driver, its runs and their stores name each other.
    driver.runs.borrow_mut().clear();
    DRIVER.set(None);
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })?;
    let world = &driver.world;
    Ok(History {
        trace: world.trace(),
        hits: world.hits(),
        runs: driver.started.get(),
        operations: world.operations(),
        ends: driver.ends.borrow().clone(),
    })
}

/// Called in each operation of a run's store: the run may sleep there while others continue.
pub(crate) fn suspend(run: u64) {
    // Workers in threads of their own have no driver; their few operations are not interrupted.
    if let Some(driver) = DRIVER.with_borrow(Option::clone) {
        driver.suspend(run);
    }
}

struct Driver {
    world: World,
    /// All records that the topic ever has.
    records: Vec<WorkloadRecord>,
    unproduced: RefCell<VecDeque<WorkloadRecord>>,
    /// Runs that are neither in a turn nor asleep in an operation.
    runs: RefCell<BTreeMap<u64, SimulatedRun>>,
    /// Those of all runs that have not ended.
    lives: RefCell<Vec<Arc<Life>>>,
    started: Cell<u64>,
    /// Runs that sleep in an operation.
    suspended: Cell<u32>,
    /// Power cuts after which the disk was checked.
    power_cuts: Cell<u64>,
    loss: Cell<Option<Fault>>,
    shown: RefCell<Shown>,
    ends: RefCell<BTreeMap<&'static str, u64>>,
    /// The generations of runs that ended well.
    ended_well: RefCell<BTreeSet<String>>,
    wrong: RefCell<Option<String>>,
}

impl Driver {
    fn play(&self) -> Result<(), String> {
        let world = &self.world;
        self.produce();
        for _ in 0..world.plan.turns {
            self.turn();
            self.check_after_power_cut()?;
            self.result()?;
        }
        world.calm();
        world.note(format_args!("calm"));
        while !self.unproduced.borrow().is_empty() {
            self.produce();
        }
        // The others end by themselves.
        let mut endless = self.runs.borrow_mut();
        endless.values_mut().filter(|run| run.must_reach().is_none()).for_each(SimulatedRun::request_end);
        drop(endless);
        self.end_all()?;
        self.check_at_rest();
        self.result()?;
        self.start(true);
        self.end_all()?;
        self.check_complete("at the end")?;
        rows::check_rows(&world.disk(), world, &self.records).map_err(|error| format!("at the end: {error}"))?;
        world.cut_power();
        self.power_cuts.set(world.power_cuts());
        self.check_complete("after a power cut at the end")?;
        self.lose_records()
    }

    fn result(&self) -> Result<(), String> {
        self.wrong.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Lets something happen.
    fn turn(&self) {
        let world = &self.world;
        match world.below(40) {
            0 | 1 => self.pass_time(),
            2 => self.produce(),
            6 if world.strikes(Fault::LeaderChange) => {
                world.topic.elect_leader(i32::try_from(world.below(4)).expect("a small number"));
            }
            3 => self.look(),
            4 if world.strikes(Fault::Successor) => self.start(world.one_in(2)),
            5 if world.strikes(Fault::Stop) => self.runs.borrow_mut().values_mut().for_each(SimulatedRun::request_end),
            _ => self.turn_of_a_run(),
        }
    }

    fn turn_of_a_run(&self) {
        let ids: Vec<u64> = self.runs.borrow().keys().copied().collect();
        if ids.is_empty() {
            // While one sleeps in an operation only a successor may start.
            if self.suspended.get() == 0 {
                self.check_at_rest();
                self.start(self.world.one_in(2));
            }
            return;
        }
        let id = ids[self.world.below(ids.len())];
        let Some(mut run) = self.runs.borrow_mut().remove(&id) else { return };
        let ended = if self.world.is_alive(&run.life) { run.turn() } else { None };
        if !self.world.is_alive(&run.life) {
            self.world.note(format_args!("run {id} is gone"));
            self.lives.borrow_mut().retain(|life| life.run != id);
            return;
        }
        match ended {
            None => drop(self.runs.borrow_mut().insert(id, run)),
            Some(result) => {
                if result.is_ok() {
                    self.ended_well.borrow_mut().insert(run.generation.clone());
                }
                self.end(&run.life, result, run.must_reach());
            }
        }
    }

    /// Called in an operation of `run`.
    fn suspend(&self, run: u64) {
        let world = &self.world;
        if self.suspended.get() >= DEEPEST_SUSPENSION || !world.strikes(Fault::Suspension) {
            return;
        }
        let power_cuts = world.power_cuts();
        let turns = [10, 100, 400][world.below(3)];
        world.note(format_args!("run {run} sleeps for {turns} turns"));
        self.suspended.set(self.suspended.get() + 1);
        if self.runs.borrow().is_empty() && world.one_in(2) {
            world.hit(Fault::Successor);
            self.start(world.one_in(2));
        }
        for _ in 0..turns {
            if world.power_cuts() != power_cuts || self.wrong.borrow().is_some() {
                break;
            }
            self.turn();
        }
        self.suspended.set(self.suspended.get() - 1);
        world.note(format_args!("run {run} wakes"));
    }

    fn start(&self, until_end: bool) {
        let world = &self.world;
        let id = self.started.get() + 1;
        self.started.set(id);
        let workers = [1, 1, 1, 2, 3][world.below(5)];
        let life = Arc::new(world.begin_life(id));
        self.lives.borrow_mut().retain(|life| world.is_alive(life));
        for other in self.lives.borrow().iter() {
            other.mark_overlapped();
            life.mark_overlapped();
        }
        self.lives.borrow_mut().push(Arc::clone(&life));
        world.note(format_args!("run {id} starts with {workers} workers, until end: {until_end}"));
        match SimulatedRun::begin(world, Arc::clone(&life), workers, until_end) {
            Ok(run) => drop(self.runs.borrow_mut().insert(id, run)),
            Err(failure) => self.end(&life, Err(failure), None),
        }
    }

    /// Checks that a run ended as it may: well and complete, or with a failure that something explains.
    fn end(&self, life: &Life, result: Result<(), Failure>, ends: Option<&BTreeMap<i32, i64>>) {
        let (world, id) = (&self.world, life.run);
        self.lives.borrow_mut().retain(|life| life.run != id);
        if !world.is_alive(life) {
            return world.note(format_args!("run {id} is gone"));
        }
        let (kind, is_explained) = match &result {
            Ok(()) => ("well", ends.is_none_or(|ends| self.holds(ends))),
            Err(failure) => match failure.kind() {
                FailureKind::Other => ("exit 1", life.is_faulted()),
                FailureKind::Usage => ("exit 2", life.is_faulted()),
                FailureKind::DataLoss => ("exit 3", self.loss.get().is_some()),
                FailureKind::Fenced => ("exit 4", life.is_overlapped()),
                // Each run is one process.
                FailureKind::Cluster => ("exit 5", false),
                FailureKind::Requested => ("asked to end", false),
            },
        };
        *self.ends.borrow_mut().entry(kind).or_default() += 1;
        let text = result.err().map(|failure| failure.chain());
        world.note(format_args!("run {id} ended {kind}: {}", text.as_deref().unwrap_or("")));
        if !is_explained {
            let why = text.unwrap_or_else(|| format!("the book does not hold all up to {ends:?}"));
            self.wrong.borrow_mut().get_or_insert(format!("run {id} ended {kind}, which nothing explains: {why}"));
        }
    }

    /// When nothing runs and the owner of the book ended well, nothing may be left to redo, whatever older runs did since.
    fn check_at_rest(&self) {
        let disk = self.world.disk();
        let checked = match checker::newest_generation(&disk) {
            Ok(Some(owner)) if self.ended_well.borrow().contains(&owner) => checker::check_counts_files(&disk),
            newest => newest.map(drop),
        };
        if let Err(error) = checked {
            self.wrong.borrow_mut().get_or_insert(format!("when all runs have ended: {error}"));
        }
    }

    /// Whether the book holds all below these offsets.
    fn holds(&self, ends: &BTreeMap<i32, i64>) -> bool {
        let checked = checker::next_of_log(&self.world.disk());
        checked.is_ok_and(|next| ends.iter().all(|(number, end)| *end == 0 || next.get(number) >= Some(end)))
    }

    fn pass_time(&self) {
        self.world.pass(Duration::from_millis([1, 30, 120, 1_100][self.world.below(4)]));
        for run in self.runs.borrow_mut().values_mut() {
            if run.notice_time() {
                self.world.hit(Fault::NewPartition);
            }
        }
    }

    /// Some more records arrive in the topic.
    fn produce(&self) {
        let mut unproduced = self.unproduced.borrow_mut();
        let count = (1 + self.world.below(20)).min(unproduced.len());
        self.world.topic.append(unproduced.drain(..count));
    }

    /// A reader looks at the book: what it sees must stay.
    fn look(&self) {
        match checker::look(&self.world.disk()) {
            Ok(Some((number, digest))) => drop(self.shown.borrow_mut().insert(number, digest)),
            Ok(None) => {}
            Err(error) => drop(self.wrong.borrow_mut().get_or_insert(format!("a reader failed: {error}"))),
        }
    }

    fn check_after_power_cut(&self) -> Result<(), String> {
        let world = &self.world;
        if world.power_cuts() == self.power_cuts.get() {
            return Ok(());
        }
        self.power_cuts.set(world.power_cuts());
        self.runs.borrow_mut().clear();
        self.lives.borrow_mut().clear();
        let checked = checker::check(&world.disk(), world, &self.records, &self.shown.borrow());
        checked.map(drop).map_err(|error| format!("after a power cut: {error}"))
    }

    /// Lets all runs come to their ends.
    fn end_all(&self) -> Result<(), String> {
        for _ in 0..CALM_TURNS {
            if self.runs.borrow().is_empty() {
                return self.result();
            }
            match self.world.below(40) {
                0 | 1 => self.pass_time(),
                _ => self.turn_of_a_run(),
            }
            self.result()?;
        }
        Err("a run that nothing disturbs does not end".to_owned())
    }

    fn check_complete(&self, when: &str) -> Result<(), String> {
        let at = |error| format!("{when}: {error}");
        let disk = self.world.disk();
        let next = checker::check(&disk, &self.world, &self.records, &self.shown.borrow()).map_err(at)?;
        for record in &self.records {
            if record.offset >= next[&record.partition] {
                return Err(at(format!("partition {} offset {} is not in the book", record.partition, record.offset)));
            }
        }
        checker::check_counts_files(&disk).map_err(at)
    }

    /// The topic loses records, and the next run must say so.
    fn lose_records(&self) -> Result<(), String> {
        let Some(loss) = self.world.plan.loss else { return Ok(()) };
        let topic = &self.world.topic;
        let number = self.records[0].partition;
        let (low, high) = topic.watermarks(number);
        match loss {
            Fault::Retention => topic.delete_before(number, high + 1),
            Fault::Truncation => topic.delete_from(number, high.saturating_sub(1).max(low)),
            Fault::Regrowth => {
                topic.delete_from(number, high.saturating_sub(1 + self.world.below(5) as i64).max(low));
                let (_, from) = topic.watermarks(number);
                let other = self.records.last().expect("a history has records");
                topic.append((from..high + 3).map(|offset| WorkloadRecord {
                    partition: number,
                    offset,
                    ..other.clone()
                }));
            }
            _ => topic.set_id("another"),
        }
        self.world.hit(loss);
        self.loss.set(Some(loss));
        self.start(true);
        self.end_all()?;
        let lost = self.ends.borrow().get("exit 3").copied();
        match lost {
            Some(1) => self.check_complete("after a loss"),
            _ => Err(format!("{loss:?} was not reported: {:?}", self.ends.borrow())),
        }
    }
}
