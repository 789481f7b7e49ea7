//! One simulated run: the real start, dataflow and committer, moved turn by turn.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timely::scheduling::SyncActivator;

use walbook::book::compact::{DayPhase, TARGET_BYTES, days_with_several_files};
use walbook::book::log::entry::{BookSettings, PartitionEntry, TopicEntry, Versions};
use walbook::book::{Book, Committer, Committing, KeptView, State};
use walbook::change::{Failure, GroupLimit, Partition, PartitionStart, Start};
use walbook::control::{Host, Process, Progress, Shutdown};
use walbook::dataflows::pipeline::{self, LeaderShare, Share};
use walbook::leader::{ClockEvent, ClockInput, InitialContents, LeaderHandle, TickIntervals, TickSchedule};
use walbook::parse::{DayFrom, PARSER_VERSION};
use walbook::run::worker_config;
use walbook::source::kafka::{EpochEnd, KnownTopic, StartFrom, Topic, Watermarks, plan_topic};
use walbook::store::Store;
use walbook::store::layout::Table;
use walbook::table::{FileOutput, RowFormat};

use super::host::SimulatedHost;
use super::source::{SimulatedSource, Wakers};
use super::store::SimulatedStore;
use super::worker::{BuildDataflow, SteppedWorker};
use super::world::{Life, World};
use super::wrong_rows;
use crate::support::MemoryTopic;

/// A run that owned the book when it began.
pub(crate) struct SimulatedRun {
    /// Its life.
    pub(crate) life: Arc<Life>,
    /// Its generation of the book.
    pub(crate) generation: String,
    /// Where it ends, if it ends by itself: next offset by partition.
    ends: Option<BTreeMap<i32, i64>>,
    is_asked_to_end: bool,
    world: World,
    // Workers are dropped before the tasks that they use.
    workers: Vec<(SteppedWorker, bool)>,
    host: Arc<SimulatedHost>,
    clock: Clock,
    wakers: Wakers,
    shutdown: Shutdown,
    partitions: i32,
}

struct Clock {
    schedule: TickSchedule,
    events: Sender<ClockEvent>,
    activator: SyncActivator,
    inputs: Receiver<ClockInput>,
}

impl SimulatedRun {
    /// Takes the book over and builds the dataflow.
    ///
    /// # Errors
    /// As a run's start: of the store, the book, or the topic.
    pub(crate) fn begin(
        world: &World,
        life: Arc<Life>,
        workers: usize,
        until_end: bool,
    ) -> Result<SimulatedRun, Failure> {
        let store: Arc<dyn Store> = Arc::new(SimulatedStore::new(world.clone(), Arc::clone(&life)));
        let settings =
            BookSettings { time_zone: world.plan.time_zone.name().to_owned(), day_from: DayFrom::Auto.to_string() };
        let versions = Versions { walbook: "test".to_owned(), parser: PARSER_VERSION, tzdata: "test".to_owned() };
        let book = Book::open(Arc::clone(&store), settings.clone(), versions)?;
        let mut starts = Vec::new();
        let mut committer = book.fence(|state| -> Result<_, Failure> {
            starts = plan(world, state, until_end)?;
            let is_known = state.topics.contains_key(MemoryTopic::NAME);
            Ok(if is_known { BTreeMap::new() } else { new_topic(world, &starts) })
        })?;
        let counts = committer.initial_counts()?;
        let views = committer.take_up_views(1, GroupLimit::DEFAULT)?;
        if world.plan.compacts {
            compact(world, &mut committer)?;
        }
        if world.plan.sweeps {
            sweep(world, &mut committer)?;
        }
        let generation = committer.generation().to_owned();
        let start = Start {
            book: committer.book_id().to_owned(),
            generation: generation.clone(),
            time_zone: settings.time_zone,
            day_from: settings.day_from,
            commit: committer.next_commit(),
            until_end,
            partitions: starts.clone(),
            views: views.iter().map(|view| view.declared.clone()).collect(),
        };
        let contents = InitialContents { counts, views: KeptView::initial(views) };
        let host = Arc::new(SimulatedHost::new(world.clone()));
        let schedule = TickSchedule::new(start.commit, TickIntervals::served(world.plan.commit_interval), host.now());
        let (events, leader_events) = channel();
        let (activator, activators) = channel();
        let (input, inputs) = channel();
        let leader = LeaderHandle { events: leader_events, activator, inputs: input };
        let (shutdown, wakers) = (Shutdown::new(), Wakers::default());
        let dataflows = dataflows(world, &life, workers, store, committer, leader, &host, &wakers, &shutdown);
        let config = worker_config();
        let workers = SteppedWorker::build_all(&config, dataflows);
        let activator = activators.recv().expect("the leader's operator is built");
        let clock = Clock { schedule, events, activator, inputs };
        clock.send(ClockEvent::Start(start, contents));
        let ends =
            until_end.then(|| starts.iter().map(|start| (start.partition.number, start.until.unwrap_or(0))).collect());
        let partitions = i32::try_from(starts.len()).expect("few partitions");
        Ok(SimulatedRun {
            life,
            generation,
            ends,
            is_asked_to_end: false,
            world: world.clone(),
            workers: workers.into_iter().map(|worker| (worker, false)).collect(),
            host,
            clock,
            wakers,
            shutdown,
            partitions,
        })
    }

    /// Lets one of its parts do something; returns how the run ended, if it did.
    pub(crate) fn turn(&mut self) -> Option<Result<(), Failure>> {
        match self.world.below(8) {
            0 => self.clock.turn(self.host.now()),
            1..4 => self.host.run_task(),
            _ => {
                let number = self.world.below(self.workers.len());
                let (worker, is_done) = &mut self.workers[number];
                *is_done = worker.step();
            }
        }
        if self.shutdown.has_failed() {
            return Some(Err(self.shutdown.take_failure().unwrap_or_else(|| Failure::new("failed without a failure"))));
        }
        self.workers.iter().all(|(_, is_done)| *is_done).then_some(Ok(()))
    }

    /// What happens at an interval of time: sources are polled, and new partitions are found.
    pub(crate) fn notice_time(&mut self) -> bool {
        self.wakers.lock().expect("no panic").iter().for_each(|wake| wake());
        let partitions = self.world.topic.partitions();
        if self.ends.is_some() || partitions <= self.partitions {
            return false;
        }
        let found =
            (self.partitions..partitions).map(|number| PartitionStart::new(partition(number), 0, None)).collect();
        self.partitions = partitions;
        self.clock.advance(Some(ClockInput::Partitions(found)), self.host.now());
        true
    }

    /// How far it must have read when it ends well; `None` if it may end anywhere.
    pub(crate) fn must_reach(&self) -> Option<&BTreeMap<i32, i64>> {
        self.ends.as_ref().filter(|_| !self.is_asked_to_end)
    }

    /// Asks it to end.
    pub(crate) fn request_end(&mut self) {
        self.is_asked_to_end = true;
        self.shutdown.request_flag().store(true, Ordering::Relaxed);
    }
}

impl Clock {
    fn send(&self, event: ClockEvent) {
        // The dataflow may have ended.
        let _ = self.events.send(event);
        let _ = self.activator.activate();
    }

    /// Receives one request, or notices that a time has come.
    fn turn(&mut self, now: std::time::Instant) {
        let input = self.inputs.try_recv().ok();
        if input.is_some() || now >= self.schedule.due() {
            self.advance(input, now);
        }
    }

    fn advance(&mut self, input: Option<ClockInput>, now: std::time::Instant) {
        let events = self.schedule.advance(input, now);
        events.into_iter().flatten().for_each(|event| self.send(event));
    }
}

/// Merges the files of some days, into one or several.
fn compact(world: &World, committer: &mut Committer) -> Result<(), Failure> {
    for table in [Table::Events, Table::Rejects] {
        for day in days_with_several_files(committer.state(), table) {
            if world.one_in(2) {
                let compactor = committer.compactor().with_target([10_000, TARGET_BYTES][world.below(2)]);
                let state = committer.state().clone();
                if let Some(merged) = compactor.merge_day(&state, &[], (table, day), DayPhase::Closed, &|| false)? {
                    committer.compact(&merged)?;
                }
            }
        }
    }
    Ok(())
}

/// Sweeps the log in about half of the starts, as far as the checkpoints of earlier ones and this one allow.
fn sweep(world: &World, committer: &mut Committer) -> Result<(), Failure> {
    committer.expect_sweep();
    if world.one_in(2) {
        committer.checkpoint()?;
    }
    if world.one_in(2) {
        let sweeper = committer.sweeper().with_least([1, 3][world.below(2)]);
        sweeper.sweep(Duration::from_millis([0, 2_000][world.below(2)]), &|| false)?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the parts of a run, each used once")]
fn dataflows(
    world: &World,
    life: &Arc<Life>,
    workers: usize,
    store: Arc<dyn Store>,
    committer: Committer,
    clock: LeaderHandle,
    host: &Arc<SimulatedHost>,
    wakers: &Wakers,
    shutdown: &Shutdown,
) -> Vec<BuildDataflow> {
    let topic = world.topic.clone();
    let id = topic.id();
    let precommit_check = move || match topic.id() == id {
        true => Ok(()),
        false => Err(recreated(&id, &topic.id())),
    };
    let committing = Committing {
        committer: Arc::new(Mutex::new(committer)),
        precommit_check: Box::new(precommit_check),
        on_committed: Box::new(|_| {}),
        commits: None,
    };
    let leader = Mutex::new(Some(LeaderShare { clock, epochs: None, committing, group_limit: GroupLimit::default() }));
    let leader = Arc::new(leader);
    let output = |format| FileOutput {
        store: Arc::clone(&store),
        format,
        parser: PARSER_VERSION,
        commit_bytes: u64::MAX,
        shutdown: shutdown.clone(),
    };
    let process = Process { progress: Progress::new(), shutdown: shutdown.clone(), host: host.clone() };
    (0..workers)
        .map(|worker| {
            let (world, life, wakers) = (world.clone(), Arc::clone(life), Arc::clone(wakers));
            let (events, rejects) = (output(RowFormat::events()), output(RowFormat::rejects()));
            let (leader, process) = (Arc::clone(&leader), process.clone());
            let build: BuildDataflow = Box::new(move |scope| {
                let share = Share {
                    leader: leader.lock().expect("no panic").take_if(|_| worker == 0),
                    source: Box::new(SimulatedSource::new(world.clone(), life, wakers)),
                    events,
                    rejects,
                    process,
                };
                match world.mutation().filter(|mutation| mutation.changes_rows()) {
                    Some(mutation) => wrong_rows::build(scope, share, &world, mutation),
                    None => pipeline::build(scope, share),
                }
            });
            build
        })
        .collect()
}

fn partition(number: i32) -> Partition {
    Partition { topic: MemoryTopic::NAME.to_owned(), number }
}

fn recreated(expected: &str, found: &str) -> Failure {
    use walbook::source::kafka::KafkaError::Recreated;
    let (topic, expected, found) = (MemoryTopic::NAME.to_owned(), expected.to_owned(), found.to_owned());
    Recreated { topic, expected, found }.into()
}

/// What to read, planned as a run on Kafka plans it.
fn plan(world: &World, state: &State, until_end: bool) -> Result<Vec<PartitionStart>, Failure> {
    let topic = Topic { id: world.topic.id(), partitions: world.topic.partitions() };
    let known = state.topics.get(MemoryTopic::NAME).map(|known| {
        let positions = || known.positions.iter();
        let mut known = KnownTopic {
            id: known.id.clone(),
            next_offsets: positions().map(|(number, position)| (*number, position.next)).collect(),
            leader_epochs: positions().filter_map(|(number, at)| Some((*number, at.leader_epoch?))).collect(),
            diverged: BTreeMap::new(),
        };
        let comparable = known.comparable(MemoryTopic::NAME, &topic);
        let diverged = comparable.into_iter().filter_map(|(Partition { number, .. }, last)| {
            let end = EpochEnd { epoch: last.epoch, end: world.topic.end_of_leader_epoch(number, last.epoch) };
            Some((number, last.divergence(end)?))
        });
        known.diverged = diverged.collect();
        known
    });
    let watermarks = |partition: &Partition| {
        let (low, high) = world.topic.watermarks(partition.number);
        Ok(Watermarks { low, high })
    };
    Ok(plan_topic(MemoryTopic::NAME, &topic, known.as_ref(), StartFrom::Earliest, until_end, watermarks)?)
}

fn new_topic(world: &World, starts: &[PartitionStart]) -> BTreeMap<String, TopicEntry> {
    let positions = starts.iter().map(|start| (start.partition.number, PartitionEntry::start(start.from)));
    let partitions = i32::try_from(starts.len()).expect("few partitions");
    let entry =
        TopicEntry { id: world.topic.id(), partitions, positions: positions.collect(), ..TopicEntry::default() };
    BTreeMap::from([(MemoryTopic::NAME.to_owned(), entry)])
}
