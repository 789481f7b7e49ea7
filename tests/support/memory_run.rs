//! A whole run — the real dataflow, the real book — on a topic in memory, with a clock that moves with the data.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chrono_tz::Tz;
use timely::scheduling::SyncActivator;

use super::{MemorySource, MemoryTopic};
use walbook::book::log::entry::{BookSettings, PartitionEntry, TopicEntry, Versions};
use walbook::book::{Book, BookError, CommittedEntry, Committer, Committing, KeptView, State};
use walbook::change::{ClosedEpoch, Failure, GroupLimit, PartitionStart, Start, TickRequest};
use walbook::cluster::{Cluster, ClusterOptions, ClusterShape};
use walbook::control::{Progress, Shutdown};
use walbook::dataflows::pipeline::LeaderShare;
use walbook::leader::{ClockEvent, ClockInput, InitialContents, LeaderHandle};
use walbook::parse::{DayFrom, PARSER_VERSION};
use walbook::run::{Workers, run_workers};
use walbook::source::Source;
use walbook::store::Store;
use walbook::table::{FileOutput, RowFormat};

/// How to run.
#[derive(Clone, Debug)]
pub struct MemoryRun {
    /// Worker threads.
    pub workers: usize,
    /// Decides the sizes of batches.
    pub seed: u64,
    /// Records in the largest batch.
    pub largest_batch: u64,
    /// A commit ends after so many epochs; an epoch ends when records were read in it.
    pub epochs_per_commit: u64,
    /// Whether commits also end each millisecond, whatever was read.
    pub restless: bool,
    /// The book's zone.
    pub time_zone: Tz,
    /// Who hears of closed epochs.
    pub listener: Option<Sender<ClosedEpoch>>,
    /// The most groups and distinct values of all views.
    pub view_max_groups: u64,
    /// Receives each commit.
    pub commits: Option<Sender<CommittedEntry>>,
}

impl Default for MemoryRun {
    fn default() -> MemoryRun {
        MemoryRun {
            workers: 1,
            seed: 1,
            largest_batch: 100,
            epochs_per_commit: 5,
            restless: false,
            time_zone: Tz::UTC,
            listener: None,
            view_max_groups: GroupLimit::DEFAULT,
            commits: None,
        }
    }
}

impl MemoryRun {
    /// Reads what the book in `store` does not have yet, until the end that the topic has now.
    ///
    /// # Errors
    /// The first failure: of the store, or of the book, [`BookError::Fenced`] among them.
    pub fn run(&self, store: &Arc<dyn Store>, topic: &MemoryTopic) -> Result<(), Failure> {
        self.begin(store, topic)?.read()
    }

    /// Takes the book over, and reads nothing yet.
    ///
    /// # Errors
    /// As [`MemoryRun::run`].
    pub fn begin(&self, store: &Arc<dyn Store>, topic: &MemoryTopic) -> Result<BegunRun, Failure> {
        let settings =
            BookSettings { time_zone: self.time_zone.name().to_owned(), day_from: DayFrom::Auto.to_string() };
        let versions = Versions { walbook: "test".to_owned(), parser: PARSER_VERSION, tzdata: "test".to_owned() };
        let book = Book::open(Arc::clone(store), settings.clone(), versions)?;
        let mut starts = Vec::new();
        let committer = book.fence(|state: &State| -> Result<_, BookError> {
            let known = state.topics.get(MemoryTopic::NAME);
            starts = topic.starts(|number| known.and_then(|known| known.positions.get(&number)).map(|at| at.next));
            Ok(if known.is_some() { BTreeMap::new() } else { new_topic(&starts) })
        })?;
        let start = Start {
            book: committer.book_id().to_owned(),
            generation: committer.generation().to_owned(),
            time_zone: settings.time_zone,
            day_from: settings.day_from,
            commit: committer.next_commit(),
            until_end: true,
            partitions: starts,
            views: Vec::new(),
        };
        Ok(BegunRun { run: self.clone(), store: Arc::clone(store), topic: topic.clone(), committer, start })
    }

    /// A clock without time: an epoch ends when a worker says that it read something in it.
    fn start_clock(&self, begin: ClockEvent, mut commit: u64) -> LeaderHandle {
        let (sender, events) = channel();
        let (activator, activators) = channel::<SyncActivator>();
        let (input, inputs) = channel();
        let (epochs_per_commit, restless) = (self.epochs_per_commit, self.restless);
        thread::spawn(move || {
            let Ok(activator) = activators.recv() else { return };
            let send = |event| sender.send(event).is_ok() && activator.activate().is_ok();
            let mut epochs = 0;
            let mut more = send(begin);
            while more {
                let wait = if restless { Duration::from_millis(1) } else { Duration::MAX };
                match inputs.recv_timeout(wait) {
                    Ok(ClockInput::Request(TickRequest::Flowing(_))) => {
                        epochs += 1;
                        commit += u64::from(epochs % epochs_per_commit == 0);
                        more = send(ClockEvent::Tick(commit));
                    }
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => {
                        commit += 1;
                        more = send(ClockEvent::Tick(commit));
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        LeaderHandle { events, activator, inputs: input }
    }
}

/// A run that holds its book, and has read nothing yet.
pub struct BegunRun {
    run: MemoryRun,
    store: Arc<dyn Store>,
    topic: MemoryTopic,
    committer: Committer,
    start: Start,
}

impl BegunRun {
    /// Who writes the book now.
    pub fn generation(&self) -> &str {
        self.committer.generation()
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// As [`MemoryRun::run`].
    pub fn read(self) -> Result<(), Failure> {
        let BegunRun { run, store, topic, mut committer, start } = self;
        let counts = committer.initial_counts()?;
        let views = committer.take_up_views(run.workers, run.view_max_groups)?;
        let group_limit = KeptView::group_limit(&views, run.view_max_groups);
        let start = Start { views: views.iter().map(|view| view.declared.clone()).collect(), ..start };
        let commit = start.commit;
        let contents = InitialContents { counts, views: KeptView::initial(views) };
        let leader = run.start_clock(ClockEvent::Start(start, contents), commit);
        let shutdown = Shutdown::new();
        let output = |format| FileOutput {
            store: Arc::clone(&store),
            format,
            parser: PARSER_VERSION,
            commit_bytes: u64::MAX,
            shutdown: shutdown.clone(),
        };
        let (seed, largest_batch) = (run.seed, run.largest_batch);
        let shape = ClusterShape::single(run.workers);
        let mut cluster = Cluster::form(&shape, &ClusterOptions::default(), &shutdown)?;
        run_workers(Workers {
            workers: run.workers,
            cluster: &mut cluster,
            leader: Some(LeaderShare {
                clock: leader,
                epochs: run.listener,
                committing: Committing {
                    committer: Arc::new(Mutex::new(committer)),
                    precommit_check: Box::new(|| Ok(())),
                    on_committed: Box::new(|_| {}),
                    commits: run.commits,
                },
                group_limit,
            }),
            source: Arc::new(move |worker| {
                let source = MemorySource::new(topic.clone(), seed ^ worker as u64, largest_batch);
                Ok(Box::new(source) as Box<dyn Source>)
            }),
            events: output(RowFormat::events()),
            rejects: output(RowFormat::rejects()),
            progress: Progress::new(),
            shutdown,
        })
    }
}

fn new_topic(starts: &[PartitionStart]) -> BTreeMap<String, TopicEntry> {
    let positions = starts.iter().map(|start| (start.partition.number, PartitionEntry::start(start.from)));
    let partitions = i32::try_from(starts.len()).expect("few partitions");
    let entry = TopicEntry { partitions, positions: positions.collect(), ..TopicEntry::default() };
    BTreeMap::from([(MemoryTopic::NAME.to_owned(), entry)])
}
