//! The whole product: from partitions to a committed book.
//!
//! ```text
//!  ticks (leader) ─broadcast─┬─────────────────────────────┬─────────────────────────────────────────┐
//!                            ▼                             ▼                                         │
//!  partitions ─▶ read ─ batches ─▶ parse ─┬─ events ──▶ seal files ─┐                                │
//!                 │                       ├─ rejects ─▶ seal files ─┤ sealed files                   │
//!                 │                       ├─ tallies ───────────────┼──────────────────────┐         │
//!                 │                       └─ deltas ─▶ exchange by key ─▶ counts ─ totals ─┤         │
//!                 └─ positions ───────────────────────────────────────────┬────────────────┴▶ commit ◀┘─▶ probe ─▶ credit back to read
//!                                              live answers ◀─────────────┘ with totals, tallies
//! ```

use std::sync::mpsc::Sender;

use timely::dataflow::operators::{Concat, Probe};
use timely::dataflow::{ProbeHandle, Scope};

use super::operation_counts::operation_counts;
use crate::book::{Committing, Parts, commit_epochs};
use crate::change::Epoch;
use crate::cluster::{Leader, Led, lead, report_wishes};
use crate::live::{ClosedEpoch, Told, publish_live};
use crate::parse::{Parsed, parse_records};
use crate::process::{Progress, Shutdown};
use crate::source::{Read, Source, read_partitions};
use crate::table::{FileOutput, Sealed, seal_files};

/// One worker's share of a run.
pub struct Share {
    /// On worker 0: the clock to listen to, and the book to commit to.
    pub leader: Option<(Leader, Committing)>,
    /// On worker 0: who hears of closed epochs, if anybody does.
    pub listener: Option<Sender<ClosedEpoch>>,
    /// Where this worker's records come from.
    pub source: Box<dyn Source>,
    /// Where event files go.
    pub events: FileOutput,
    /// Where reject files go.
    pub rejects: FileOutput,
    /// What is counted on the way.
    pub progress: Progress,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// Builds the dataflow on one worker; its probe passes an epoch when all of it is committed.
pub fn build(scope: Scope<'_, Epoch>, share: Share) -> ProbeHandle<Epoch> {
    let Share { leader, listener, source, events, rejects, progress, shutdown } = share;
    let (feed, clock, committing) = Leader::split(leader);
    let committed = ProbeHandle::new();

    let Led { orders, initial_counts } = lead(scope, feed, committed.clone());
    let Read { batches, positions, wishes } =
        read_partitions(scope, source, orders.clone(), committed.clone(), progress.clone(), shutdown.clone());
    let parsed: Parsed = parse_records(scope, batches, orders.clone());
    let totals = operation_counts(parsed.deltas, initial_counts);

    let events: Sealed = seal_files(scope, parsed.events, orders.clone(), events);
    let rejects: Sealed = seal_files(scope, parsed.rejects, orders.clone(), rejects);
    report_wishes(wishes.concat(events.wishes).concat(rejects.wishes), clock);

    let Told { totals, tallies, positions } =
        publish_live(scope, Told { totals, tallies: parsed.tallies, positions }, listener);

    let files = events.files.concat(rejects.files);
    let parts = Parts { files, totals, tallies, positions };
    commit_epochs(scope, parts, orders, committing, progress, shutdown).probe_with(&committed);

    committed
}
