//! The operators between the clock and all workers: commands to them, requests from them, wake-ups after commits.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::scheduling::Activator;

use super::{ClockEvent, ClockInput, InitialContents, LeaderHandle};
use crate::change::{
    Accumulators, CommitNumber, CountKey, Epoch, GroupKey, GroupValue, LeaderCommand, PackedCountKey, TableId,
    TableName, Tick, TickRequest,
};

/// What [`leader_ticks`] gives.
pub struct LeaderStreams<'scope> {
    /// Commands for all workers, on each of them.
    pub commands: StreamVec<'scope, Epoch, LeaderCommand>,
    /// The counts that the book has, at epoch 0 and with their weight.
    pub initial_counts: StreamVec<'scope, Epoch, (PackedCountKey, Epoch, isize)>,
    /// The tables of these counts.
    pub initial_tables: StreamVec<'scope, Epoch, Arc<TableName>>,
    /// What the groups of views hold, at epoch 0; what counts distinct values is empty.
    pub initial_groups: StreamVec<'scope, Epoch, (GroupKey, Epoch, Accumulators)>,
    /// The distinct values of groups.
    pub initial_values: StreamVec<'scope, Epoch, (GroupValue, Epoch, isize)>,
    /// Wakes the operator when `committed` may be done.
    pub wake: Activator,
}

/// Sends the clock's events to all workers; ends when `committed` is done: everything is durable then.
pub fn leader_ticks<'scope>(
    scope: Scope<'scope, Epoch>,
    clock: Option<LeaderHandle>,
    committed: ProbeHandle<Epoch>,
) -> LeaderStreams<'scope> {
    let mut builder = OperatorBuilder::new("LeaderTicks".to_owned(), scope);
    let (commands_out, commands) = builder.new_output::<Vec<LeaderCommand>>();
    let (initial_out, initial_counts) = builder.new_output::<Vec<(PackedCountKey, Epoch, isize)>>();
    let (tables_out, initial_tables) = builder.new_output::<Vec<Arc<TableName>>>();
    let (groups_out, initial_groups) = builder.new_output::<Vec<(GroupKey, Epoch, Accumulators)>>();
    let (values_out, initial_values) = builder.new_output::<Vec<(GroupValue, Epoch, isize)>>();
    let (mut groups_out, mut values_out) = (OutputBuilder::from(groups_out), OutputBuilder::from(values_out));
    let (mut commands_out, mut initial_out) = (OutputBuilder::from(commands_out), OutputBuilder::from(initial_out));
    let mut tables_out = OutputBuilder::from(tables_out);
    let address = builder.operator_info().address;
    let activator = scope.worker().sync_activator_for(address.to_vec());
    builder.build(move |mut capabilities| {
        let mut for_views = capabilities.pop().zip(capabilities.pop());
        let (mut for_tables, mut for_initial) = (capabilities.pop(), capabilities.pop());
        let mut for_commands = capabilities.pop();
        let events = clock.map(|LeaderHandle { events, activator: to_clock, .. }| {
            // The clock of a test may wake nothing.
            let _ = to_clock.send(activator);
            events
        });
        move |_frontiers| {
            let Some(events) = &events else {
                (for_commands, for_initial, for_tables, for_views) = (None, None, None, None);
                return;
            };
            while let (Some(capability), Ok(event)) = (for_commands.as_mut(), events.try_recv()) {
                match event {
                    ClockEvent::Start(start, InitialContents { counts, views }) => {
                        commands_out.activate().session(&*capability).give(LeaderCommand::Start(start));
                        capability.downgrade(&1);
                        if let Some((initial, tables)) = for_initial.take().zip(for_tables.take()) {
                            tables_out.activate().session(&tables).give_iterator(distinct_tables(&counts).into_iter());
                            let counts = counts.into_iter().map(|(CountKey { day, table, op }, count)| {
                                (PackedCountKey::new(day, TableId::of(&table), op), 0, count as isize)
                            });
                            initial_out.activate().session(&initial).give_iterator(counts);
                        }
                        if let Some((values, groups)) = for_views.take() {
                            let (of_groups, of_values) = views;
                            let of_groups = of_groups.into_iter().map(|(key, holds)| (key, 0, holds));
                            groups_out.activate().session(&groups).give_iterator(of_groups);
                            let of_values = of_values.into_iter().map(|value| (value, 0, 1));
                            values_out.activate().session(&values).give_iterator(of_values);
                        }
                    }
                    ClockEvent::Tick(commit) => {
                        let epoch = *capability.time() + 1;
                        let tick = LeaderCommand::Tick(Tick { epoch, commit });
                        commands_out.activate().session(&*capability).give(tick);
                        capability.downgrade(&epoch);
                    }
                    ClockEvent::Command(command) => commands_out.activate().session(&*capability).give(command),
                }
            }
            if committed.done() {
                for_commands = None;
            }
        }
    });
    let wake = scope.activator_for(address);
    let commands = commands.broadcast();
    LeaderStreams { commands, initial_counts, initial_tables, initial_groups, initial_values, wake }
}

fn distinct_tables(counts: &[(CountKey, i64)]) -> HashSet<Arc<TableName>> {
    counts.iter().map(|(key, _)| &key.table).cloned().collect()
}

/// Sends the requests of all workers to the clock, by way of worker 0.
pub fn request_ticks(requests: StreamVec<'_, Epoch, TickRequest>, clock: Option<Sender<ClockInput>>) {
    requests.sink(Exchange::new(|_: &TickRequest| 0), "RequestTicks", move |(input, _frontier)| {
        input.for_each(|_stamp, requests| {
            for request in requests.drain(..) {
                // A clock that has ended needs no requests.
                let _ = clock.as_ref().map(|clock| clock.send(ClockInput::Request(request)));
            }
        });
    });
}

/// Wakes operators of each worker when a commit became durable: a probe that moves wakes none.
///
/// Every worker of every process schedules this operator, because progress of the commits is broadcast to all of them.
pub fn wake_on_commit<const N: usize>(commits: StreamVec<'_, Epoch, CommitNumber>, operators: [Activator; N]) {
    commits.sink(Pipeline, "WakeOnCommit", move |(input, _frontier)| {
        input.for_each(|_stamp, _commits| {});
        operators.iter().for_each(Activator::activate);
    });
}
