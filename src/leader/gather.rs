//! The operator that brings what all workers counted and read to worker 0, once for both of its users.

use std::collections::BTreeMap;
use std::sync::Arc;

use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use crate::change::{CountKey, Epoch, EpochSummary, PartitionRead, PartitionTally};

/// Gathers totals, tallies and positions on worker 0 and emits each epoch's when it is closed, in order.
///
/// Totals are updates of the arrangement: `+1` for a total that begins to hold, `-1` for one that ends to. Those of epoch 0,
/// which the book had at the start, are left out.
pub fn gather_on_leader<'scope>(
    scope: Scope<'scope, Epoch>,
    totals: StreamVec<'scope, Epoch, ((CountKey, isize), Epoch, isize)>,
    tallies: StreamVec<'scope, Epoch, PartitionTally>,
    positions: StreamVec<'scope, Epoch, PartitionRead>,
) -> StreamVec<'scope, Epoch, Arc<EpochSummary>> {
    let mut builder = OperatorBuilder::new("GatherOnLeader".to_owned(), scope);
    let (epochs_out, epochs) = builder.new_output::<Vec<Arc<EpochSummary>>>();
    let mut epochs_out = OutputBuilder::from(epochs_out);
    let held = [(0, Antichain::from_elem(Default::default()))];
    let to_leader = Exchange::new(|_: &((CountKey, isize), Epoch, isize)| 0);
    let mut totals = builder.new_input_connection(totals, to_leader, held.clone());
    let to_leader = Exchange::new(|_: &PartitionTally| 0);
    let mut tallies = builder.new_input_connection(tallies, to_leader, held.clone());
    let to_leader = Exchange::new(|_: &PartitionRead| 0);
    let mut positions = builder.new_input_connection(positions, to_leader, held);
    builder.build(move |_initial| {
        let mut open: BTreeMap<Epoch, (Capability<Epoch>, EpochSummary)> = BTreeMap::new();
        move |frontiers| {
            let mut epochs_out = epochs_out.activate();
            totals.for_each(|stamp, totals| {
                let capability = stamp.retain_least(0).expect("totals come at an epoch");
                // A message may hold updates of later epochs.
                for ((key, total), epoch, diff) in totals.drain(..).filter(|(_, epoch, _)| *epoch > 0) {
                    let of_epoch = || (capability.delayed(&epoch), EpochSummary::default());
                    open.entry(epoch).or_insert_with(of_epoch).1.totals.push((key, total, diff));
                }
            });
            tallies.for_each(|stamp, tallies| {
                let capability = stamp.retain_least(0).expect("tallies come at an epoch");
                let of_epoch = open.entry(*capability.time());
                of_epoch.or_insert_with(|| (capability, EpochSummary::default())).1.tallies.append(tallies);
            });
            positions.for_each(|stamp, positions| {
                let capability = stamp.retain_least(0).expect("positions come at an epoch");
                let of_epoch = open.entry(*capability.time());
                of_epoch.or_insert_with(|| (capability, EpochSummary::default())).1.positions.append(positions);
            });
            while let Some(first) = open.first_entry()
                && !frontiers.iter().any(|frontier| frontier.less_equal(first.key()))
            {
                let (capability, summary) = first.remove();
                epochs_out.session(&capability).give(Arc::new(summary));
            }
        }
    });
    epochs
}
