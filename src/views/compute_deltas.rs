//! The operator that computes what each batch of changes adds to the groups of views, on the worker that read it.

use chrono_tz::Tz;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

use super::{View, ViewInputs};
use crate::change::{Accumulators, Epoch, Failure, GroupKey, GroupValue, LeaderCommand, Rows, ViewBadValues};
use crate::control::Shutdown;

/// The outputs of [`compute_group_deltas`].
pub struct ViewDeltas<'scope> {
    /// What each group gets, as updates with that weight; what counts distinct values is empty.
    pub groups: StreamVec<'scope, Epoch, (GroupKey, Epoch, Accumulators)>,
    /// Values of groups whose distinct values are counted; each once in its batch.
    pub values: StreamVec<'scope, Epoch, (GroupValue, Epoch, isize)>,
    /// Values that could not be computed.
    pub bad_values: StreamVec<'scope, Epoch, ViewBadValues>,
}

/// Computes the group deltas of all views that the start names, of each batch of rows of events.
pub fn compute_group_deltas<'scope>(
    scope: Scope<'scope, Epoch>,
    events: StreamVec<'scope, Epoch, Rows>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
    shutdown: Shutdown,
) -> ViewDeltas<'scope> {
    let mut builder = OperatorBuilder::new("ComputeGroupDeltas".to_owned(), scope);
    let (groups_out, groups) = builder.new_output::<Vec<(GroupKey, Epoch, Accumulators)>>();
    let (values_out, values) = builder.new_output::<Vec<(GroupValue, Epoch, isize)>>();
    let (bad_out, bad_values) = builder.new_output::<Vec<ViewBadValues>>();
    let (mut groups_out, mut values_out) = (OutputBuilder::from(groups_out), OutputBuilder::from(values_out));
    let mut bad_out = OutputBuilder::from(bad_out);
    let held = (0..3).map(|output| (output, Antichain::from_elem(Default::default())));
    let mut events = builder.new_input_connection(events, Pipeline, held);
    let mut commands = builder.new_input_connection(commands, Pipeline, []);
    builder.set_notify_for(0, FrontierInterest::Never);
    builder.set_notify_for(1, FrontierInterest::Never);
    builder.build(move |_initial| {
        let mut views: Vec<View> = Vec::new();
        let mut inputs = ViewInputs::new([]);
        move |_frontiers| {
            commands.for_each(|_stamp, commands| {
                for command in commands.drain(..) {
                    if let LeaderCommand::Start(start) = command {
                        views = parse_views(&start.views, &start.time_zone);
                        inputs = ViewInputs::new(&views);
                    }
                }
            });
            let mut groups_out = groups_out.activate();
            let mut values_out = values_out.activate();
            let mut bad_out = bad_out.activate();
            events.for_each_stamp(|stamp, batches| {
                if views.is_empty() {
                    return;
                }
                let epoch = *stamp.least().expect("rows come at an epoch");
                for rows in batches.flat_map(|batches| batches.drain(..)) {
                    let give = |view: usize, input| {
                        let view = &views[view];
                        let deltas = view.deltas(input).map_err(|reason| format!("view {}: {reason}", view.name()))?;
                        let groups = deltas.groups.into_iter();
                        groups_out.session(&stamp).give_iterator(groups.map(|(key, added)| (key, epoch, added)));
                        let values = deltas.values.into_iter().map(|value| (value, epoch, 1));
                        values_out.session(&stamp).give_iterator(values);
                        if deltas.bad_values.count > 0 {
                            bad_out.session(&stamp).give(view.bad_values(&deltas.bad_values));
                        }
                        Ok::<_, String>(())
                    };
                    if let Err(reason) = inputs.read(&rows.columns, &rows.days, give) {
                        return shutdown.fail(Failure::new(format!("could not compute views: {reason}")));
                    }
                }
            });
        }
    });
    ViewDeltas { groups, values, bad_values }
}

/// The views of a run; the leader has checked their texts.
fn parse_views(texts: &[String], time_zone: &str) -> Vec<View> {
    let time_zone: Tz = time_zone.parse().expect("the leader has checked the book's settings");
    let view = |(number, text): (u16, &String)| {
        View::parse(number, text, time_zone).expect("the leader has checked the views")
    };
    (0..).zip(texts.iter()).map(view).collect()
}
