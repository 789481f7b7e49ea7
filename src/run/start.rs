//! A run from beginning to end: open the book, fence it, plan, start the clock, serve, run the workers, finish.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use tracing::info;

use super::source_watch::SourceWatch;
use super::worker::{Workers, run_workers};
use super::{Origin, RunError};
use crate::book::log::commit_log;
use crate::book::log::entry::{BookSettings, SourceKind, Versions};
use crate::book::{Book, BookError, Committing, KeptView, State};
use crate::change::{Failure, Start, WithContext};
use crate::cluster::{Cluster, ClusterOptions, ClusterShape, Contacts};
use crate::control::{Progress, Shutdown};
use crate::dataflows::pipeline::LeaderShare;
use crate::leader::{Discovery, InitialContents, start_clock};
use crate::parse::{DayRule, PARSER_VERSION};
use crate::query::Totals;
use crate::server::{Access, ServedRun, Server, ServerSettings, StartPhase};
use crate::store::{Disk, Store};
use crate::table::{FileOutput, RowFormat};

/// What a run needs besides its origin.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The book's directory.
    pub book: PathBuf,
    /// The cluster's shape.
    pub shape: ClusterShape,
    /// How its processes connect and what they agree on.
    pub cluster: ClusterOptions,
    /// The time between two commits.
    pub commit_interval: Duration,
    /// Size of a worker's files that ends a commit early.
    pub commit_bytes: u64,
    /// The most groups and distinct values that all views may have.
    pub view_max_groups: u64,
    /// The IANA name of the zone asked for, if any; else the book's own, else UTC.
    pub time_zone: Option<String>,
    /// The day rule asked for, if any; else the book's own, else `auto`.
    pub day_from: Option<String>,
}

/// Runs until the origin's end, a request to end, or a failure; the leading process also serves, if it gets a server.
///
/// # Errors
/// The first failure of any part of the run.
pub fn start(
    options: &RunOptions,
    origin: Arc<dyn Origin>,
    mut server: Option<(Server, Access)>,
    shutdown: &Shutdown,
    progress: &Progress,
) -> Result<(), Failure> {
    origin.check()?;
    let phase = StartPhase::default();
    phase.set("waiting for the other processes of the cluster");
    if let Some((server, _)) = &mut server {
        server.announce_start(phase.clone())?;
    }
    // Nothing is written before all processes have agreed.
    let mut cluster = options.cluster.clone();
    cluster.settings.push(("the id of the book".to_owned(), book_id(options)));
    let mut cluster = Cluster::form(&options.shape, &cluster, shutdown)?;
    match run(options, &origin, server, &phase, &mut cluster, shutdown, progress) {
        Ok(()) => cluster.finish(shutdown),
        Err(failure) => {
            // Another process may have failed before.
            shutdown.fail(failure);
            let failure = shutdown.take_failure().unwrap_or_else(|| Failure::new("the run failed"));
            cluster.fail(&failure);
            Err(failure)
        }
    }
}

/// The id of the book as this process finds it: all must see one directory. What is wrong with it is said when it is opened.
fn book_id(options: &RunOptions) -> String {
    let store = Disk::new(&options.book);
    let newest = commit_log::newest(&store).ok().flatten();
    let entry = newest.and_then(|newest| commit_log::read_entry(&store, newest).ok().flatten());
    entry.map_or_else(|| "unknown, as there is no book yet,".to_owned(), |logged| logged.entry.book)
}

/// Runs with all processes connected.
fn run(
    options: &RunOptions,
    origin: &Arc<dyn Origin>,
    server: Option<(Server, Access)>,
    phase: &StartPhase,
    cluster: &mut Cluster,
    shutdown: &Shutdown,
    progress: &Progress,
) -> Result<(), Failure> {
    let store: Arc<dyn Store> = Arc::new(Disk::new(&options.book));
    let contacts = cluster.contacts();
    let run = StartingRun { options, origin, store: &store, contacts, phase, shutdown, progress };
    let leads = options.shape.is_leader();
    let leader = if leads { Some(run.lead(server)?) } else { None };
    // Until the workers have ended.
    let _watch = match contacts {
        Some(contacts) if !leads => Some(SourceWatch::start(Arc::clone(origin), contacts.clone(), shutdown.clone())?),
        _ => None,
    };
    let generation = leader.as_ref().map(|leader| leader.committing.committer.generation().to_owned());
    let output = |format| FileOutput {
        store: Arc::clone(&store),
        format,
        parser: PARSER_VERSION,
        commit_bytes: options.commit_bytes,
        shutdown: shutdown.clone(),
    };
    let of_workers = Arc::clone(origin);
    let ended = run_workers(Workers {
        workers: options.shape.workers,
        cluster,
        leader,
        source: Arc::new(move |worker| of_workers.source(worker)),
        events: output(RowFormat::events()),
        rejects: output(RowFormat::rejects()),
        progress: progress.clone(),
        shutdown: shutdown.clone(),
    });
    match (generation, ended) {
        (None, ended) => ended,
        (Some(_), Ok(())) => origin.finish(),
        (Some(generation), Err(failure)) => Err(fenced_first(&*store, &generation, failure)),
    }
}

/// Creates the book of a run that is still to start, so that views can be declared in it before.
///
/// # Errors
/// As [`start`], of a directory in which no book can be made.
pub fn create_book(options: &RunOptions) -> Result<(), Failure> {
    let store: Arc<dyn Store> = Arc::new(Disk::new(&options.book));
    open_book(options, &store)?.fence(|_| Ok::<_, BookError>(BTreeMap::new()))?;
    Ok(())
}

/// What the parts of the start share.
#[derive(Clone, Copy)]
struct StartingRun<'a> {
    options: &'a RunOptions,
    origin: &'a Arc<dyn Origin>,
    store: &'a Arc<dyn Store>,
    contacts: Option<&'a Contacts>,
    phase: &'a StartPhase,
    shutdown: &'a Shutdown,
    progress: &'a Progress,
}

impl StartingRun<'_> {
    /// What only the leading process does: opens the book, takes it over, starts serving and the clock.
    fn lead(self, server: Option<(Server, Access)>) -> Result<LeaderShare, Failure> {
        let StartingRun { options, origin, .. } = self;
        self.phase.set("opening the book");
        let book = open_book(options, self.store)?;
        let BookSettings { time_zone, day_from } = book.state().settings.clone();
        if day_from == "kafka" && !origin.kind().is_kafka() {
            return Err(RunError::NoKafkaTimes.into());
        }
        let (mut partitions, mut is_planned) = (Vec::new(), false);
        let fenced = book.fence(|state: &State| -> Result<_, Failure> {
            is_planned = false;
            // Before the fence: a run whose views have too many groups, or whose cluster has lost a process or does not reach what it
            // reads everywhere, must not end another run.
            state.group_limit(options.view_max_groups).check()?;
            self.phase.set("waiting for an answer from what is read");
            let plan = origin.plan(state)?;
            if let Some(contacts) = self.contacts {
                let waiting = |name: &str| self.phase.set(format!("waiting until {name} reaches what it reads"));
                contacts.await_sources(self.shutdown, waiting);
            }
            if let Some(failure) = self.shutdown.take_failure() {
                return Err(failure);
            }
            is_planned = true;
            partitions = plan.starts;
            Ok(plan.topics)
        });
        self.phase.set("reading the book");
        // What the origin fails with is not the book's.
        let mut committer = if is_planned { fenced.context(options.book.display().to_string())? } else { fenced? };
        let start = Start {
            book: committer.book_id().to_owned(),
            generation: committer.generation().to_owned(),
            time_zone,
            day_from,
            commit: committer.next_commit(),
            until_end: origin.until_end(),
            partitions,
            views: Vec::new(),
        };
        let counts = committer.initial_counts()?;
        let views = committer.take_up_views(options.shape.workers, options.view_max_groups)?;
        let group_limit = KeptView::group_limit(&views, options.view_max_groups);
        let start = Start { views: views.iter().map(|view| view.declared.clone()).collect(), ..start };
        // Finding the coordinator of Kafka's group takes a second: begin before the first commit.
        origin.on_committed(committer.state());
        info!(
            book = start.book,
            generation = start.generation,
            partitions = start.partitions.len(),
            workers = options.shape.total(),
            "reading {} into {}",
            origin.name(),
            options.book.display()
        );
        let (mut epochs, mut commits) = (None, None);
        if let Some((server, access)) = server {
            let ((closed, of_epochs), (committed, of_commits)) = (channel(), channel());
            (epochs, commits) = (Some(closed), Some(committed));
            let (asked, observed) = (Arc::clone(origin), Arc::clone(origin));
            let served = ServedRun {
                epochs: of_epochs,
                commits: of_commits,
                state: Arc::new(committer.state().clone()),
                counts: Totals::of(counts.iter().map(|(key, count)| (key, *count))),
                partitions: start.partitions.clone(),
                views: start.views.clone(),
                source: origin.kind(),
                commit_interval: options.commit_interval,
                discover_interval: origin.discover_interval().unwrap_or(Duration::MAX),
                progress: self.progress.clone(),
                ask_ends: origin
                    .knows_ends()
                    .then(|| Box::new(move || asked.ends().map_err(|failure| failure.to_string())) as _),
                source_progress: origin.source_progress(),
                contacts: self.contacts.cloned(),
                ask_slot: (origin.kind() == SourceKind::Slot)
                    .then(|| Box::new(move || observed.slot_report().map_err(|failure| failure.to_string())) as _),
            };
            let page = server.address();
            server.serve_run(ServerSettings { book: options.book.clone(), access }, served)?;
            info!("the page is at http://{page}/");
        }
        let discovery = origin.discover_interval().map(|interval| {
            let origin = Arc::clone(origin);
            Discovery { interval, discover: Box::new(move || origin.discover()) }
        });
        let (before, after) = (Arc::clone(origin), Arc::clone(origin));
        let committing = Committing {
            committer,
            precommit_check: Box::new(move || before.precommit_check()),
            on_committed: Box::new(move |state| after.on_committed(state)),
            commits,
        };
        let clock = start_clock(
            start,
            InitialContents { counts, views: KeptView::initial(views) },
            options.commit_interval,
            discovery,
            self.shutdown.clone(),
        );
        Ok(LeaderShare { clock, epochs, committing, group_limit })
    }
}

/// Opens the book with the zone and day rule that were asked for, else with its own, else with the defaults.
fn open_book(options: &RunOptions, store: &Arc<dyn Store>) -> Result<Book, Failure> {
    let path = || options.book.display().to_string();
    if let Some(parent) = options.book.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !parent.is_dir()
    {
        return Err(RunError::NoParent { parent: parent.display().to_string() }.into());
    }
    if options.book.exists() && !options.book.is_dir() {
        return Err(RunError::BookIsFile { path: path() }.into());
    }
    let own = match commit_log::newest(&**store)? {
        Some(newest) => commit_log::read_entry(&**store, newest)?.map(|logged| logged.entry.settings),
        None => None,
    };
    let own = own.unwrap_or_else(|| BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() });
    let wanted = BookSettings {
        time_zone: options.time_zone.clone().unwrap_or(own.time_zone),
        day_from: options.day_from.clone().unwrap_or(own.day_from),
    };
    if DayRule::from_names(&wanted.time_zone, &wanted.day_from).is_none() {
        let BookSettings { time_zone, day_from } = wanted;
        return Err(RunError::UnknownDayRule { time_zone, day_from }.into());
    }
    Book::open(Arc::clone(store), wanted, versions()).context(path())
}

/// The versions of this program, as entries record them.
pub fn versions() -> Versions {
    Versions {
        walbook: env!("CARGO_PKG_VERSION").to_owned(),
        parser: PARSER_VERSION,
        tzdata: chrono_tz::IANA_TZDB_VERSION.to_owned(),
    }
}

/// The failure of a run, unless another run has taken the book meanwhile: then that is why its source failed.
fn fenced_first(store: &dyn Store, generation: &str, failure: Failure) -> Failure {
    let newest = commit_log::newest(store)
        .ok()
        .flatten()
        .and_then(|newest| commit_log::read_entry(store, newest).ok().flatten());
    match newest {
        Some(newest) if newest.entry.generation != generation => {
            let (entry, other) = (newest.entry.entry, newest.entry.generation);
            let reason = format!("entry {entry} is of generation {other}; seen before that: {}", failure.chain());
            BookError::Fenced { reason }.into()
        }
        _ => failure,
    }
}
