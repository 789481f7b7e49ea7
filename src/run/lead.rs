//! What only the leading process does at the start: take the book over, in its turn if it stands by; serve; start the clock.

#[cfg(feature = "delta")]
use std::sync::PoisonError;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::info;

use super::interruptible::ended_meanwhile;
use super::open_book::open_book;
use super::options::{MakeOrigin, RunOptions};
use super::standby::{Standby, Turn};
#[cfg(feature = "delta")]
use super::upkeep::{BackgroundThread, start_delta};
use super::upkeep::{Upkeep, UpkeepThreads};
use super::{LeaseKeeper, Origin, RunError};
use crate::book::log::entry::{BookSettings, SourceKind};
use crate::book::{Committer, Committing, KeptView, State};
use crate::change::{Failure, PartitionStart, Start, WithContext};
use crate::cluster::Contacts;
use crate::control::{Progress, Shutdown};
use crate::dataflows::pipeline::LeaderShare;
#[cfg(feature = "delta")]
use crate::delta::DeltaTables;
use crate::leader::{Discovery, InitialContents, TickIntervals, start_clock};
use crate::query::Totals;
use crate::server::{Access, ServedRun, Server, ServerSettings, StartPhase};
use crate::store::Store;

/// What the steps of the start share.
pub(super) struct StartingRun {
    pub(super) options: RunOptions,
    pub(super) origin: Arc<dyn Origin>,
    pub(super) make_origin: MakeOrigin,
    pub(super) store: Arc<dyn Store>,
    pub(super) lease: LeaseKeeper,
    pub(super) contacts: Option<Contacts>,
    pub(super) phase: StartPhase,
    pub(super) shutdown: Shutdown,
    pub(super) progress: Progress,
}

/// A run that leads.
pub(super) struct LeadingRun {
    pub(super) share: LeaderShare,
    /// The origin that the run was planned with.
    pub(super) origin: Arc<dyn Origin>,
    /// Merges files and writes Delta tables until the run ends.
    pub(super) upkeep: UpkeepThreads,
}

/// A book that this run owns, and what it will read.
struct OwnedBook {
    committer: Committer,
    settings: BookSettings,
    partitions: Vec<PartitionStart>,
}

impl StartingRun {
    /// Opens the book, takes it over, starts serving and the clock.
    ///
    /// # Errors
    /// The first failure of any step; [`ended_meanwhile`].
    pub(super) fn lead(mut self, server: Option<(Server, Access)>) -> Result<LeadingRun, Failure> {
        let owned = if self.options.standby { self.own_in_turn()? } else { self.own(None)? };
        let owned = owned.ok_or_else(ended_meanwhile)?;
        let (share, upkeep) = self.begin(owned, server)?;
        Ok(LeadingRun { share, origin: self.origin, upkeep })
    }

    /// Takes the book over once no other run has it.
    fn own_in_turn(&mut self) -> Result<Option<OwnedBook>, Failure> {
        let mut standby = Standby::new(&self.store, self.options.lease_timeout);
        loop {
            let turn = standby.await_turn(&self.shutdown, &self.phase)?;
            if let Some(owned) = self.own(Some(&turn))? {
                return Ok(Some(owned));
            }
            standby.begin_again();
            // What an origin has asked for a plan may not hold for a later one.
            self.origin = (self.make_origin)()?;
        }
    }

    /// Takes the book over; `None` if it was this run's turn to do so, and is not any more.
    fn own(&self, turn: Option<&Turn<'_>>) -> Result<Option<OwnedBook>, Failure> {
        let StartingRun { options, origin, .. } = self;
        let (mut is_planned, mut is_late, mut partitions) = (false, false, Vec::new());
        self.phase.set("opening the book");
        let owned = open_book(options, &self.store).and_then(|book| {
            let settings = book.state().settings.clone();
            if settings.day_from == "kafka" && !origin.kind().is_kafka() {
                return Err(RunError::NoKafkaTimes.into());
            }
            let plan = |state: &State| -> Result<_, Failure> {
                let mut expect_turn = || {
                    is_late = turn.map_or(Ok(true), |turn| turn.holds(state)).map(|holds| !holds)?;
                    if is_late { Err(ended_meanwhile()) } else { Ok(()) }
                };
                is_planned = false;
                expect_turn()?;
                // Before the fence: a run whose views have too many groups, or whose cluster has lost a process or does not reach what it
                // reads everywhere, must not end another run.
                state.group_limit(options.view_max_groups).check()?;
                self.phase.set("waiting for an answer from what is read");
                let plan = origin.plan(state)?;
                if let Some(contacts) = &self.contacts {
                    let waiting = |name: &str| self.phase.set(format!("waiting until {name} reaches what it reads"));
                    contacts.await_sources(&self.shutdown, waiting)?;
                }
                if self.shutdown.has_failed() {
                    return Err(ended_meanwhile());
                }
                expect_turn()?;
                is_planned = true;
                partitions = plan.starts;
                Ok(plan.topics)
            };
            let fenced = book.fence_with_lease(plan, |lease| self.lease.start(lease));
            self.phase.set("reading the book");
            // What the origin fails with is not the book's.
            let committer = if is_planned { fenced.context(options.book.location().to_string())? } else { fenced? };
            Ok((committer, settings))
        });
        match owned {
            Ok((committer, settings)) => Ok(Some(OwnedBook { committer, settings, partitions })),
            // Nothing was changed yet, and the run that was silent, or a faster one, has the book: why this one failed is of no account.
            Err(_) if !is_planned && turn.is_some_and(|turn| is_late || !turn.is_unchanged()) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Starts serving, the clock, and what merges files, of a run that owns its book.
    fn begin(
        &self,
        owned: OwnedBook,
        server: Option<(Server, Access)>,
    ) -> Result<(LeaderShare, UpkeepThreads), Failure> {
        let StartingRun { options, origin, .. } = self;
        let OwnedBook { mut committer, settings: BookSettings { time_zone, day_from }, partitions } = owned;
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
            options.book.location()
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
                contacts: self.contacts.clone(),
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
        let committer = Arc::new(Mutex::new(committer));
        let upkeep = Upkeep {
            committer: Arc::clone(&committer),
            store: Arc::clone(&self.store),
            commits: commits.clone(),
            compacts: options.compacts,
            keep_log: options.keep_log,
            retain_days: options.retain_days,
            shutdown: self.shutdown.clone(),
        };
        let upkeep = UpkeepThreads {
            upkeep: upkeep.start()?,
            #[cfg(feature = "delta")]
            delta: options.delta_interval.map(|interval| self.start_delta(&committer, interval)).transpose()?,
        };
        let (before, after) = (Arc::clone(origin), Arc::clone(origin));
        let committing = Committing {
            committer,
            precommit_check: Box::new(move || before.precommit_check()),
            on_committed: Box::new(move |state| after.on_committed(state)),
            commits,
        };
        let intervals = match epochs {
            Some(_) => TickIntervals::served(options.commit_interval),
            None => TickIntervals::unserved(options.commit_interval),
        };
        let clock = start_clock(
            start,
            InitialContents { counts, views: KeptView::initial(views) },
            intervals,
            discovery,
            self.shutdown.clone(),
        );
        Ok((LeaderShare { clock, epochs, committing, group_limit }, upkeep))
    }

    #[cfg(feature = "delta")]
    fn start_delta(&self, committer: &Arc<Mutex<Committer>>, interval: Duration) -> Result<BackgroundThread, Failure> {
        let tables = {
            let committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
            DeltaTables::new(Arc::clone(&self.store), committer.generation(), self.options.keep_log)
        };
        start_delta(Arc::clone(committer), tables, interval, self.shutdown.clone())
    }
}
