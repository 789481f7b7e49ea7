//! The operator that tells closed epochs, on worker 0.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use super::ClosedEpoch;
use crate::change::{CountKey, Epoch, Interval, Partition, PartitionTally};

/// What a commit and a live answer are both made of.
pub struct Told<'scope> {
    /// Totals as the arrangement tells them: `+1` a total that begins to hold, `-1` one that ends to.
    pub totals: StreamVec<'scope, Epoch, ((CountKey, isize), Epoch, isize)>,
    /// What the records of each partition were.
    pub tallies: StreamVec<'scope, Epoch, PartitionTally>,
    /// What was read of each partition.
    pub positions: StreamVec<'scope, Epoch, (Partition, Interval)>,
}

/// Brings what is told to worker 0, and tells `listener` of each epoch when it is closed.
///
/// Epoch 0 is not told: it holds what the book had at the start.
pub fn publish_live<'scope>(
    scope: Scope<'scope, Epoch>,
    told: Told<'scope>,
    listener: Option<Sender<ClosedEpoch>>,
) -> Told<'scope> {
    let mut builder = OperatorBuilder::new("PublishLive".to_owned(), scope);
    let (totals_out, totals) = builder.new_output::<Vec<((CountKey, isize), Epoch, isize)>>();
    let (tallies_out, tallies) = builder.new_output::<Vec<PartitionTally>>();
    let (positions_out, positions) = builder.new_output::<Vec<(Partition, Interval)>>();
    let mut totals_out = OutputBuilder::from(totals_out);
    let mut tallies_out = OutputBuilder::from(tallies_out);
    let mut positions_out = OutputBuilder::from(positions_out);
    let through = |output: usize| [(output, Antichain::from_elem(Default::default()))];
    let to_first = Exchange::new(|_: &((CountKey, isize), Epoch, isize)| 0);
    let mut totals_in = builder.new_input_connection(told.totals, to_first, through(0));
    let to_first = Exchange::new(|_: &PartitionTally| 0);
    let mut tallies_in = builder.new_input_connection(told.tallies, to_first, through(1));
    let to_first = Exchange::new(|_: &(Partition, Interval)| 0);
    let mut positions_in = builder.new_input_connection(told.positions, to_first, through(2));
    builder.build(move |_capabilities| {
        let mut open: BTreeMap<Epoch, ClosedEpoch> = BTreeMap::new();
        let mut told_to: Epoch = 0;
        let mut listener = listener;
        move |frontiers| {
            let mut totals_out = totals_out.activate();
            let mut tallies_out = tallies_out.activate();
            let mut positions_out = positions_out.activate();
            let listens = listener.is_some();
            let at = |epoch: Option<&Epoch>| *epoch.expect("what is told comes at an epoch");
            totals_in.for_each(|stamp, totals| {
                if listens {
                    for ((key, total), epoch, _) in totals.iter().filter(|(_, epoch, diff)| *diff > 0 && *epoch > 0) {
                        let total = u64::try_from(*total).unwrap_or(0);
                        open.entry(*epoch).or_default().totals.push((key.clone(), total));
                    }
                }
                totals_out.session(&stamp).give_container(totals);
            });
            tallies_in.for_each(|stamp, tallies| {
                if listens {
                    open.entry(at(stamp.least())).or_default().tallies.extend(tallies.iter().cloned());
                }
                tallies_out.session(&stamp).give_container(tallies);
            });
            positions_in.for_each(|stamp, positions| {
                if listens {
                    open.entry(at(stamp.least())).or_default().positions.extend(positions.iter().cloned());
                }
                positions_out.session(&stamp).give_container(positions);
            });
            if !listens {
                return;
            }
            // The first epoch that may still grow; none when all has ended.
            let growing = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            let closed_to = growing
                .map_or_else(|| open.keys().next_back().copied().unwrap_or(told_to), |first| first.saturating_sub(1));
            if closed_to > told_to {
                told_to = closed_to;
                let rest = open.split_off(&(closed_to + 1));
                let closed = put_together(closed_to, std::mem::replace(&mut open, rest));
                if listener.as_ref().is_some_and(|listener| listener.send(closed).is_err()) {
                    // Nobody serves any more: the run goes on without.
                    listener = None;
                }
            }
        }
    });
    Told { totals, tallies, positions }
}

fn put_together(epoch: Epoch, epochs: BTreeMap<Epoch, ClosedEpoch>) -> ClosedEpoch {
    let mut all = ClosedEpoch { epoch, ..ClosedEpoch::default() };
    for mut closed in epochs.into_values() {
        all.totals.append(&mut closed.totals);
        all.positions.append(&mut closed.positions);
        all.tallies.append(&mut closed.tallies);
    }
    all
}
