//! The whole product: from partitions to a committed book.
//!
//! ```text
//!  ticks (leader) ─broadcast─┬────────────────────────────┬──────────────────────────────────────────┐
//!                            ▼                            ▼                                          │
//!  partitions ─▶ read ─ batches ─▶ parse ─┬─ events ──▶ seal files ─┐                                │
//!                 │                       ├─ rejects ─▶ seal files ─┴─ sealed files ─────────────┐   │
//!                 │                       ├─ tallies, names of tables ─────────┐                 │   │
//!                 │                       ├─ events ─▶ views ─ groups ─────────┤                 │   │
//!                 │                       └─ deltas ─▶ counts by key ─ totals ─┤                 ▼   ▼
//!                 └─ positions ────────────────────────────────────────────────┴▶ gather ─┬─▶ commit ─▶ probe ─▶ credit back to read
//!                                                                                on leader└─▶ live answers, number of rejects
//! ```

use std::sync::mpsc::Sender;

use timely::dataflow::operators::{Concat, Probe};
use timely::dataflow::{ProbeHandle, Scope, StreamVec};

use super::operation_counts::operation_counts;
use super::views::{InitialViews, keep_views};
use crate::book::{Committing, commit_epochs};
use crate::change::{ClosedEpoch, Epoch, GroupLimit, Rows};
use crate::control::Process;
use crate::leader::{
    LeaderHandle, LeaderStreams, WorkerStreams, count_rejects, gather_on_leader, leader_ticks, publish_live,
    request_ticks, wake_on_commit,
};
use crate::parse::{Parsed, parse_records};
use crate::source::{Read, Source, read_partitions};
use crate::table::{FileOutput, Sealed, seal_files};

/// One worker's share of a run.
pub struct Share {
    /// On worker 0: what only the leader needs.
    pub leader: Option<LeaderShare>,
    /// Where this worker's records come from.
    pub source: Box<dyn Source>,
    /// Where event files go.
    pub events: FileOutput,
    /// Where reject files go.
    pub rejects: FileOutput,
    /// This process.
    pub process: Process,
}

/// What the leading worker needs in addition.
pub struct LeaderShare {
    /// The clock that steers the run.
    pub clock: LeaderHandle,
    /// The server that receives closed epochs, if there is one.
    pub epochs: Option<Sender<ClosedEpoch>>,
    /// The book to commit to.
    pub committing: Committing,
    /// The groups that its views have, and may have.
    pub group_limit: GroupLimit,
}

/// Builds the dataflow on one worker; its probe passes an epoch when all of it is committed.
pub fn build(scope: Scope<'_, Epoch>, share: Share) -> ProbeHandle<Epoch> {
    build_with(scope, share, |events| events, |rejects| rejects)
}

/// The same with an operator between the parser and the files of events, and one before those of rejects: a simulation makes rows
/// wrong there.
pub fn build_with<'scope>(
    scope: Scope<'scope, Epoch>,
    share: Share,
    change_events: impl FnOnce(StreamVec<'scope, Epoch, Rows>) -> StreamVec<'scope, Epoch, Rows>,
    change_rejects: impl FnOnce(StreamVec<'scope, Epoch, Rows>) -> StreamVec<'scope, Epoch, Rows>,
) -> ProbeHandle<Epoch> {
    let Share { leader, source, events, rejects, process } = share;
    let (clock, server, committing, group_limit) = split(leader);
    let clock_inputs = clock.as_ref().map(|clock| clock.inputs.clone());
    let committed = ProbeHandle::new();

    let LeaderStreams { commands, initial_counts, initial_tables, initial_groups, initial_values, wake: wake_leader } =
        leader_ticks(scope, clock, committed.clone());
    let Read { batches, positions, tick_requests, wake: wake_reader } =
        read_partitions(scope, source, commands.clone(), committed.clone(), process.clone());
    let parsed: Parsed = parse_records(scope, batches, commands.clone());
    let totals = operation_counts(parsed.deltas, initial_counts);

    let event_rows = change_events(parsed.events);
    let initial_views = InitialViews { groups: initial_groups, values: initial_values };
    let views = keep_views(scope, event_rows.clone(), commands.clone(), initial_views, process.shutdown.clone());
    let reject_rows = change_rejects(parsed.rejects);
    let events: Sealed = seal_files(scope, event_rows, commands.clone(), events, &*process.host);
    let rejects: Sealed = seal_files(scope, reject_rows, commands.clone(), rejects, &*process.host);
    request_ticks(tick_requests.concat(events.tick_requests).concat(rejects.tick_requests), clock_inputs);

    let tables = parsed.tables.concat(initial_tables);
    let of_workers = WorkerStreams { totals, tables, tallies: parsed.tallies, positions, views };
    let epochs = gather_on_leader(scope, of_workers, group_limit, process.shutdown.clone());
    publish_live(epochs.clone(), server);
    count_rejects(epochs.clone(), process.progress.clone());

    let files = events.files.concat(rejects.files);
    let commits = commit_epochs(scope, files, epochs, commands, committing, process);
    wake_on_commit(commits.probe_with(&committed), [wake_leader, wake_reader]);

    committed
}

type LeaderParts = (Option<LeaderHandle>, Option<Sender<ClosedEpoch>>, Option<Committing>, GroupLimit);

fn split(leader: Option<LeaderShare>) -> LeaderParts {
    match leader {
        Some(LeaderShare { clock, epochs, committing, group_limit }) => {
            (Some(clock), epochs, Some(committing), group_limit)
        }
        None => (None, None, None, GroupLimit::default()),
    }
}
