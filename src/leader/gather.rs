//! The operator that brings what all workers counted and read to worker 0, once for both of its users.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;

use crate::change::{
    Accumulators, Epoch, EpochSummary, Failure, GroupKey, GroupLimit, GroupValue, PackedCountKey, PartitionRead,
    PartitionTally, TableId, TableName, ViewBadValues, ViewChanges,
};
use crate::control::Shutdown;

/// The accumulators of a group: `+1` where they begin to hold, `-1` where they end to.
type GroupUpdate = ((GroupKey, Accumulators), Epoch, isize);

/// How views change, as updates of all workers.
pub struct ViewUpdates<'scope> {
    /// What groups hold.
    pub groups: StreamVec<'scope, Epoch, GroupUpdate>,
    /// Values that groups hold for the first time.
    pub values: StreamVec<'scope, Epoch, (GroupValue, Epoch, isize)>,
    /// Values that could not be computed.
    pub bad_values: StreamVec<'scope, Epoch, ViewBadValues>,
}

/// A total of the arrangement, packed: `+1` where it begins to hold, `-1` where it ends to.
type TotalUpdate = ((PackedCountKey, isize), Epoch, isize);

/// What all workers send to the leader.
pub struct WorkerStreams<'scope> {
    /// Totals of counts that changed.
    pub totals: StreamVec<'scope, Epoch, TotalUpdate>,
    /// The names that packed keys stand for; those of an epoch come at that epoch or before.
    pub tables: StreamVec<'scope, Epoch, Arc<TableName>>,
    /// What the records of each partition were.
    pub tallies: StreamVec<'scope, Epoch, PartitionTally>,
    /// What was read of each partition.
    pub positions: StreamVec<'scope, Epoch, PartitionRead>,
    /// How views change.
    pub views: ViewUpdates<'scope>,
}

/// Gathers totals, tallies and positions on worker 0 and emits each epoch's when it is closed, in order.
///
/// Totals are updates of the arrangement: `+1` for a total that begins to hold, `-1` for one that ends to. Those of epoch 0,
/// which the book had at the start, are left out. So are its groups: `group_limit` has counted them.
///
/// An epoch with which views have more groups than they may have ends the run, and is not emitted.
pub fn gather_on_leader<'scope>(
    scope: Scope<'scope, Epoch>,
    streams: WorkerStreams<'scope>,
    mut group_limit: GroupLimit,
    shutdown: Shutdown,
) -> StreamVec<'scope, Epoch, Arc<EpochSummary>> {
    let WorkerStreams { totals, tables, tallies, positions, views } = streams;
    let mut builder = OperatorBuilder::new("GatherOnLeader".to_owned(), scope);
    let (epochs_out, epochs) = builder.new_output::<Vec<Arc<EpochSummary>>>();
    let mut epochs_out = OutputBuilder::from(epochs_out);
    let held = [(0, Antichain::from_elem(Default::default()))];
    let mut totals = builder.new_input_connection(totals, Exchange::new(|_: &TotalUpdate| 0), held.clone());
    let mut tables = builder.new_input_connection(tables, Exchange::new(|_: &Arc<TableName>| 0), held.clone());
    let to_leader = Exchange::new(|_: &PartitionTally| 0);
    let mut tallies = builder.new_input_connection(tallies, to_leader, held.clone());
    let to_leader = Exchange::new(|_: &PartitionRead| 0);
    let mut positions = builder.new_input_connection(positions, to_leader, held.clone());
    let ViewUpdates { groups, values, bad_values } = views;
    let mut groups = builder.new_input_connection(groups, Exchange::new(|_: &GroupUpdate| 0), held.clone());
    let to_leader = Exchange::new(|_: &(GroupValue, Epoch, isize)| 0);
    let mut values = builder.new_input_connection(values, to_leader, held.clone());
    let mut bad_values = builder.new_input_connection(bad_values, Exchange::new(|_: &ViewBadValues| 0), held);
    builder.build(move |_initial| {
        let mut open: BTreeMap<Epoch, OpenEpoch> = BTreeMap::new();
        let mut names: HashMap<TableId, Arc<TableName>> = HashMap::new();
        move |frontiers| {
            let mut epochs_out = epochs_out.activate();
            totals.for_each(|stamp, totals| {
                let capability = stamp.retain_least(0).expect("totals come at an epoch");
                // A message may hold updates of later epochs.
                for ((key, total), epoch, diff) in totals.drain(..).filter(|(_, epoch, _)| *epoch > 0) {
                    let of_epoch = || OpenEpoch::new(capability.delayed(&epoch));
                    open.entry(epoch).or_insert_with(of_epoch).totals.push((key, total, diff));
                }
            });
            tables.for_each(|_stamp, tables| {
                for table in tables.drain(..) {
                    if let Err(error) = add_name(&mut names, table) {
                        shutdown.fail(error);
                    }
                }
            });
            tallies.for_each(|stamp, tallies| {
                let capability = stamp.retain_least(0).expect("tallies come at an epoch");
                let of_epoch = open.entry(*capability.time());
                of_epoch.or_insert_with(|| OpenEpoch::new(capability)).summary.tallies.append(tallies);
            });
            positions.for_each(|stamp, positions| {
                let capability = stamp.retain_least(0).expect("positions come at an epoch");
                let of_epoch = open.entry(*capability.time());
                of_epoch.or_insert_with(|| OpenEpoch::new(capability)).summary.positions.append(positions);
            });
            groups.for_each(|stamp, groups| {
                let capability = stamp.retain_least(0).expect("groups come at an epoch");
                for ((key, holds), epoch, diff) in groups.drain(..).filter(|(_, epoch, _)| *epoch > 0) {
                    let of_epoch = || OpenEpoch::new(capability.delayed(&epoch));
                    let of_epoch = open.entry(epoch).or_insert_with(of_epoch);
                    of_epoch.count_groups(&key, diff);
                    if diff > 0 {
                        of_epoch.views.groups.push((key, holds));
                    }
                }
            });
            values.for_each(|stamp, values| {
                let capability = stamp.retain_least(0).expect("values come at an epoch");
                for (value, epoch, diff) in values.drain(..).filter(|(_, epoch, _)| *epoch > 0) {
                    let of_epoch = || OpenEpoch::new(capability.delayed(&epoch));
                    let of_epoch = open.entry(epoch).or_insert_with(of_epoch);
                    of_epoch.count_groups(&value.group, diff);
                    of_epoch.views.values.push(value);
                }
            });
            bad_values.for_each(|stamp, bad_values| {
                let capability = stamp.retain_least(0).expect("bad values come at an epoch");
                let of_epoch = open.entry(*capability.time());
                of_epoch.or_insert_with(|| OpenEpoch::new(capability)).views.bad_values.append(bad_values);
            });
            while let Some(first) = open.first_entry()
                && !frontiers.iter().any(|frontier| frontier.less_equal(first.key()))
            {
                if shutdown.has_failed() {
                    // Two tables may have been counted as one.
                    return;
                }
                let OpenEpoch { capability, totals, more_groups, mut summary, views } = first.remove();
                more_groups.into_iter().for_each(|(view, added)| group_limit.add(view, added));
                if let Err(error) = group_limit.check() {
                    // Before the epoch is handed on: no commit may have it.
                    return shutdown.fail(error);
                }
                let named = totals.into_iter().map(|(key, total, diff)| {
                    let name = names.get(&key.table()).expect("a table is named before its keys are gathered");
                    (key.with_name(Arc::clone(name)), total, diff)
                });
                summary.totals = named.collect();
                summary.views = Arc::new(views);
                epochs_out.session(&capability).give(Arc::new(summary));
            }
        }
    });
    epochs
}

/// What came of an epoch that is not closed.
struct OpenEpoch {
    capability: Capability<Epoch>,
    totals: Vec<(PackedCountKey, isize, isize)>,
    /// By the view's number: how many groups and distinct values it has more than before.
    more_groups: BTreeMap<u16, i64>,
    /// The rest of it; without totals and views.
    summary: EpochSummary,
    views: ViewChanges,
}

impl OpenEpoch {
    fn new(capability: Capability<Epoch>) -> OpenEpoch {
        OpenEpoch {
            capability,
            totals: Vec::new(),
            more_groups: BTreeMap::new(),
            summary: EpochSummary::default(),
            views: ViewChanges::default(),
        }
    }

    /// Counts an update of a group: what it held ends as what it holds begins, but for a new one.
    fn count_groups(&mut self, key: &GroupKey, diff: isize) {
        *self.more_groups.entry(key.view()).or_default() += diff as i64;
    }
}

/// Adds a table to the known ones; several workers may name it.
///
/// # Errors
/// When another table has its hash.
fn add_name(names: &mut HashMap<TableId, Arc<TableName>>, table: Arc<TableName>) -> Result<(), Failure> {
    let known = names.entry(TableId::of(&table)).or_insert_with(|| Arc::clone(&table));
    if *known == table {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the tables {:?}.{:?} and {:?}.{:?} cannot be counted in one book: their names have the same hash",
        known.schema, known.table, table.schema, table.table
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tables_with_one_hash_are_an_error() {
        let name = |table: &str| Arc::new(TableName::new("public", table));
        let mut names = HashMap::new();
        for table in ["a", "b", "a"] {
            add_name(&mut names, name(table)).expect("their hashes differ");
        }
        names.insert(TableId::of(&name("b")), name("c"));
        let error = add_name(&mut names, name("b")).expect_err("another table has the hash");
        assert!(error.to_string().contains(r#""public"."c" and "public"."b""#), "{error}");
    }
}
