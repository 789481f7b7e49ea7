//! Views: aggregates that users declare, by group.
//!
//! ```text
//!  events ─▶ compute ─┬─ groups ──────────────────────────────┐
//!                     │  initial groups ──────────────────────┼─▶ arrange by group ─▶ total ─▶ groups that changed
//!                     │                  ┌─ counts of values ─┘
//!                     └─ values ─┐       │
//!             initial values ────┴─▶ distinct ─▶ values that are new
//! ```
//!
//! The accumulators of a group are the difference of its key in the arrangement: changes are only added, so accumulators are only
//! merged.

use differential_dataflow::AsCollection;
use differential_dataflow::operators::{CountTotal, ThresholdTotal};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::{Scope, StreamVec};

use crate::change::{Accumulator, Accumulators, Epoch, GroupKey, GroupValue, LeaderCommand, Rows};
use crate::control::Shutdown;
use crate::leader::ViewUpdates;
use crate::views::{ViewDeltas, compute_group_deltas};

/// What the book has of views at the start, at epoch 0.
pub struct InitialViews<'scope> {
    /// What groups hold; what counts distinct values is empty.
    pub groups: StreamVec<'scope, Epoch, (GroupKey, Epoch, Accumulators)>,
    /// The distinct values of groups.
    pub values: StreamVec<'scope, Epoch, (GroupValue, Epoch, isize)>,
}

/// Keeps all views of the run, and emits what each group holds when that changes.
pub fn keep_views<'scope>(
    scope: Scope<'scope, Epoch>,
    events: StreamVec<'scope, Epoch, Rows>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
    initial: InitialViews<'scope>,
    shutdown: Shutdown,
) -> ViewUpdates<'scope> {
    let ViewDeltas { groups, values, bad_values } = compute_group_deltas(scope, events, commands, shutdown);
    let values = values.concat(initial.values).as_collection().distinct_total().inner;
    let counts = values.clone().map(|(value, epoch, _)| count_of(value, epoch));
    let groups = groups.concat(initial.groups).concat(counts).as_collection();
    let groups = groups.arrange_by_self_named("Groups").count_total().inner;
    ViewUpdates { groups, values, bad_values }
}

/// A value that is new in its group, as an update of the group.
fn count_of(value: GroupValue, epoch: Epoch) -> (GroupKey, Epoch, Accumulators) {
    let accumulators = Accumulators::only(value.accumulator.into(), &Accumulator::Count(1));
    (value.group, epoch, accumulators)
}
