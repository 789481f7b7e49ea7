//! The operator that reads: the timely source of the dataflow.
//!
//! It holds the capability of the open epoch and emits batches under it. When a tick ends the epoch it emits how far each
//! partition was read and moves on. Ticks steer it without holding its outputs back. Inside a transaction that must stay in
//! one commit ticks wait: the epoch stays open on this worker, so no worker's commit can end before it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::progress::operate::FrontierInterest;
use timely::scheduling::Activator;

use super::Source;
use super::flow::Flow;
use crate::change::{
    Batch, CommitNumber, Epoch, LeaderCommand, Partition, PartitionRead, PartitionStart, Tick, TickRequest,
};
use crate::control::{ActivationTimer, Process};

/// Records asked for in one call.
const BATCH_RECORDS: usize = 16_384;
/// Commits that may wait to be durable before reading pauses; bounds staged files and what a crash repeats.
const COMMITS_IN_FLIGHT: usize = 2;
/// How long a worker without records sleeps, unless it is woken: wake-ups from librdkafka can be lost, and a signal wakes
/// nothing.
const IDLE_INTERVAL: Duration = Duration::from_millis(250);

/// What [`read_partitions`] gives.
pub struct Read<'scope> {
    /// Records, in the epoch in which they were polled.
    pub batches: StreamVec<'scope, Epoch, Batch>,
    /// What was read of each partition in each epoch.
    pub positions: StreamVec<'scope, Epoch, PartitionRead>,
    /// Requests for a tick, or for the end.
    pub tick_requests: StreamVec<'scope, Epoch, TickRequest>,
    /// Wakes the operator when a commit became durable.
    pub wake: Activator,
}

/// The index of the worker that reads a partition.
///
/// Partitions of one topic go round robin, each topic from a start of its own: a pure function of its arguments.
pub fn worker_of(partition: &Partition, workers: usize) -> usize {
    let topic = partition.topic.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let number = u64::try_from(partition.number).unwrap_or(0);
    let workers = workers as u64;
    usize::try_from((topic % workers + number) % workers).expect("it is below the number of workers")
}

/// Reads this worker's partitions while there is credit: `committed` is the committer's frontier.
pub fn read_partitions<'scope>(
    scope: Scope<'scope, Epoch>,
    mut source: Box<dyn Source>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
    committed: ProbeHandle<Epoch>,
    process: Process,
) -> Read<'scope> {
    let Process { progress, shutdown, host } = process;
    let mut builder = OperatorBuilder::new("ReadPartitions".to_owned(), scope);
    // Outputs first: an input made before them would hold them back.
    let (batches_out, batches) = builder.new_output::<Vec<Batch>>();
    let (positions_out, positions) = builder.new_output::<Vec<PartitionRead>>();
    let (requests_out, tick_requests) = builder.new_output::<Vec<TickRequest>>();
    let mut batches_out = OutputBuilder::from(batches_out);
    let mut positions_out = OutputBuilder::from(positions_out);
    let mut requests_out = OutputBuilder::from(requests_out);
    let mut commands = builder.new_input_connection(commands, Pipeline, []);
    builder.set_notify_for(0, FrontierInterest::Never);

    let (index, peers) = (scope.index(), scope.peers());
    let address = builder.operator_info().address;
    let mut timer = ActivationTimer::new(scope.activator_for(Rc::clone(&address)), host);
    let activator = scope.worker().sync_activator_for(address.to_vec());
    // An error means that the worker has ended.
    source.set_waker(Arc::new(move || {
        let _ = activator.activate();
    }));
    let lag = progress.add_worker_lag();

    builder.build(move |mut capabilities| {
        let mut for_requests = capabilities.pop();
        let mut for_records = Some(capabilities); // batches, positions
        let mut commit: Option<CommitNumber> = None;
        // Ticks that wait for a transaction to end.
        let mut ticks: VecDeque<Tick> = VecDeque::new();
        // Ends of commits that are not durable: the first epoch after each, and how far it reads.
        let mut boundaries: VecDeque<(Epoch, Vec<i64>)> = VecDeque::new();
        // How far the run reads, until that is confirmed as durable.
        let mut last: Option<Vec<i64>> = None;
        let mut until_end = false;
        let mut is_stopping = false;
        let mut flow = Flow::Quiet;
        let mut has_requested_stop = false;
        move |_frontiers| {
            // A source that failed may have moved its cursors past records that it did not return: no position may be
            // emitted any more, even if the worker is stepped again. Once all is durable there is nothing to emit, and
            // the capabilities must be dropped.
            if shutdown.has_failed() && !committed.done() {
                return;
            }
            let mut batches_out = batches_out.activate();
            let mut positions_out = positions_out.activate();
            let mut requests_out = requests_out.activate();
            let mut assigned: Vec<PartitionStart> = Vec::new();
            commands.for_each(|_stamp, commands| {
                for command in commands.drain(..) {
                    match command {
                        LeaderCommand::Start(start) => {
                            // Before anything can be read: from now on a signal must wait for a commit.
                            shutdown.mark_started();
                            commit = Some(start.commit);
                            until_end = start.until_end;
                            assigned.extend(start.partitions);
                            let all = for_records.iter_mut().flatten().chain(&mut for_requests);
                            all.for_each(|capability| capability.downgrade(&1));
                        }
                        LeaderCommand::Partitions(partitions) => assigned.extend(partitions),
                        LeaderCommand::Stop => is_stopping = true,
                        LeaderCommand::Tick(tick) => ticks.push_back(tick),
                    }
                }
            });
            while source.at_transaction_boundary()
                && let Some(tick) = ticks.pop_front()
            {
                if let Some(capabilities) = &for_records {
                    positions_out.session(&capabilities[1]).give_iterator(source.cursors().moved());
                }
                let all = for_records.iter_mut().flatten().chain(&mut for_requests);
                all.for_each(|capability| capability.downgrade(&tick.epoch));
                if commit.replace(tick.commit) != Some(tick.commit) {
                    boundaries.push_back((tick.epoch, source.cursors().next_offsets()));
                }
                flow.tick();
                lag.store(source.lag().unwrap_or(-1), Ordering::Relaxed);
            }
            let Some(commit) = commit else { return };
            if let Some(capability) = &for_requests
                && shutdown.is_requested()
                && !has_requested_stop
            {
                has_requested_stop = true;
                requests_out.session(capability).give(TickRequest::Stop);
            }
            let mut durable = None;
            while boundaries.front().is_some_and(|(end, _)| !committed.less_than(end)) {
                durable = boundaries.pop_front().map(|(_, offsets)| offsets);
            }
            // Until everything is durable this worker forwards a signal to the leader, also when it has read all; and the
            // last commit is confirmed to the source.
            if committed.done() {
                durable = last.take().or(durable);
                for_requests = None;
            }
            if let Some(offsets) = durable {
                source.confirm_durable(&offsets);
            }
            let Some(capabilities) = &for_records else {
                if for_requests.is_some() {
                    timer.activate_within(IDLE_INTERVAL);
                }
                return;
            };
            assigned.retain(|start| worker_of(&start.partition, peers) == index);
            if !assigned.is_empty()
                && let Err(failure) = source.assign(&assigned)
            {
                return shutdown.fail(failure);
            }
            let has_credit = boundaries.len() < COMMITS_IN_FLIGHT;
            let mut polled = 0;
            if (has_credit && !is_stopping) || !source.at_transaction_boundary() {
                match source.poll_batch(BATCH_RECORDS) {
                    Ok(None) => {}
                    Ok(Some(records)) => {
                        polled = records.count;
                        progress.add_records(polled as u64);
                        batches_out.session(&capabilities[0]).give(Batch { commit, polled: records });
                    }
                    Err(failure) => return shutdown.fail(failure),
                }
            }
            let at_transaction_boundary = source.at_transaction_boundary();
            let is_at_end = at_transaction_boundary && (is_stopping || (until_end && source.cursors().at_end()));
            if let Some(capability) = &for_requests {
                let mut requests = requests_out.session(capability);
                requests.give_iterator(flow.after_poll(polled > 0, index).into_iter());
                if is_at_end {
                    requests.give_iterator(flow.after_poll(false, index).into_iter());
                }
            }
            if is_at_end {
                if let Some(failure) = source.take_failure() {
                    return shutdown.fail(failure);
                }
                positions_out.session(&capabilities[1]).give_iterator(source.cursors().moved());
                last = Some(source.cursors().next_offsets());
                for_records = None;
                timer.activate_now();
            } else if polled > 0 || (at_transaction_boundary && !ticks.is_empty()) {
                timer.activate_now();
            } else {
                timer.activate_within(IDLE_INTERVAL);
            }
        }
    });
    Read { batches, positions, tick_requests, wake: scope.activator_for(address) }
}
