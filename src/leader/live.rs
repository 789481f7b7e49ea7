//! The operator that sends closed epochs to the server of the leader's process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

use crate::change::{ClosedEpoch, Epoch, EpochSummary};

/// Sends what was gathered of each epoch to `server` when the epoch is closed; several that close together are sent as one.
///
/// Epoch 0 is not sent: it holds what the book had at the start.
pub fn publish_live(epochs: StreamVec<'_, Epoch, Arc<EpochSummary>>, server: Option<Sender<ClosedEpoch>>) {
    let (mut server, mut sent_to) = (server, 0);
    let mut gathered: BTreeMap<Epoch, Arc<EpochSummary>> = BTreeMap::new();
    epochs.sink(Pipeline, "PublishLive", move |(input, frontier)| {
        input.for_each(|stamp, summaries| {
            if server.is_some() {
                let epoch = *stamp.least().expect("an epoch is gathered at its time");
                gathered.extend(summaries.drain(..).map(|summary| (epoch, summary)));
            }
        });
        let Some(sender) = &server else { return };
        let newest = || gathered.keys().next_back().copied().unwrap_or(sent_to);
        // The first open epoch is not closed; when none is open, all that came are closed.
        let closed_to = frontier.frontier().first().map_or_else(newest, |open| open.saturating_sub(1));
        if closed_to > sent_to {
            sent_to = closed_to;
            let open = gathered.split_off(&(closed_to + 1));
            let closed = merge(closed_to, std::mem::replace(&mut gathered, open));
            if sender.send(closed).is_err() {
                // A server that has ended leaves the run alone.
                server = None;
            }
        }
    });
}

fn merge(epoch: Epoch, epochs: BTreeMap<Epoch, Arc<EpochSummary>>) -> ClosedEpoch {
    let mut all = ClosedEpoch { epoch, ..ClosedEpoch::default() };
    for summary in epochs.into_values() {
        let totals = summary.totals.iter().filter(|(_, _, diff)| *diff > 0);
        all.totals.extend(totals.map(|(key, total, _)| (key.clone(), u64::try_from(*total).unwrap_or(0))));
        all.positions.extend(summary.positions.iter().map(|read| (read.partition.clone(), read.interval)));
        all.tallies.extend_from_slice(&summary.tallies);
        if !summary.views.is_empty() {
            all.views.push(Arc::clone(&summary.views));
        }
    }
    all
}
