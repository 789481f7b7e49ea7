//! The operator that reads: the timely source of the dataflow.
//!
//! It holds the capability of the open epoch, emits batches under it, and when a tick ends the epoch tells how far
//! each partition was read and moves on. Ticks steer it without holding its outputs back. Inside a transaction that must
//! stay in one commit ticks wait: the epoch stays open on this worker, and nobody's commit can end before it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::progress::operate::FrontierInterest;

use super::Source;
use crate::change::{Batch, CommitNumber, Epoch, Interval, Order, Partition, PartitionStart, Tick, Wish};
use crate::process::{Alarm, Progress, Shutdown};

/// Records asked for in one call.
const BATCH_RECORDS: usize = 16_384;
/// Commits that may wait to be durable before reading pauses; bounds staged files and what a crash repeats.
const COMMITS_IN_FLIGHT: usize = 2;
/// How long a worker without records sleeps, unless it is woken: wake-ups from librdkafka can be lost.
const IDLE: Duration = Duration::from_millis(100);
/// How long a worker sleeps that waits for a commit: nothing wakes it when one becomes durable.
const AWAIT_COMMIT: Duration = Duration::from_millis(2);

/// What [`read_partitions`] gives.
pub struct Read<'scope> {
    /// Records, in the epoch in which they were taken.
    pub batches: StreamVec<'scope, Epoch, Batch>,
    /// What was read of each partition in each epoch.
    pub positions: StreamVec<'scope, Epoch, (Partition, Interval)>,
    /// Wishes for a tick, or for the end.
    pub wishes: StreamVec<'scope, Epoch, Wish>,
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
    orders: StreamVec<'scope, Epoch, Order>,
    committed: ProbeHandle<Epoch>,
    progress: Progress,
    shutdown: Shutdown,
) -> Read<'scope> {
    let mut builder = OperatorBuilder::new("ReadPartitions".to_owned(), scope);
    // Outputs first: an input made before them would hold them back.
    let (batches_out, batches) = builder.new_output::<Vec<Batch>>();
    let (positions_out, positions) = builder.new_output::<Vec<(Partition, Interval)>>();
    let (wishes_out, wishes) = builder.new_output::<Vec<Wish>>();
    let mut batches_out = OutputBuilder::from(batches_out);
    let mut positions_out = OutputBuilder::from(positions_out);
    let mut wishes_out = OutputBuilder::from(wishes_out);
    let mut orders = builder.new_input_connection(orders, Pipeline, []);
    builder.set_notify_for(0, FrontierInterest::Never);

    let (index, peers) = (scope.index(), scope.peers());
    let mut alarm = Alarm::new(scope.activator_for(builder.operator_info().address));
    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    // An error means that the worker is gone; nobody is left to be woken.
    source.wake_with(Arc::new(move || {
        let _ = wake.activate();
    }));
    let lag = progress.new_lag();

    builder.build(move |mut capabilities| {
        let mut wishing = capabilities.pop();
        let mut held = Some(capabilities); // batches, positions
        let mut commit: Option<CommitNumber> = None;
        // Ticks that no end of an epoch was found for yet.
        let mut ticks: VecDeque<Tick> = VecDeque::new();
        // Ends of commits that are not durable: the first epoch after each, and how far it reads.
        let mut boundaries: VecDeque<(Epoch, Vec<i64>)> = VecDeque::new();
        // How far the run reads, until the source was told that all of it is durable.
        let mut last: Option<Vec<i64>> = None;
        let mut until_end = false;
        let mut stopping = false;
        let mut said_flowing = false;
        let mut said_stop = false;
        move |_frontiers| {
            let mut batches_out = batches_out.activate();
            let mut positions_out = positions_out.activate();
            let mut wishes_out = wishes_out.activate();
            let mut assigned: Vec<PartitionStart> = Vec::new();
            orders.for_each(|_stamp, orders| {
                for order in orders.drain(..) {
                    match order {
                        Order::Start(start) => {
                            commit = Some(start.commit);
                            until_end = start.until_end;
                            assigned.extend(start.partitions);
                            let all = held.iter_mut().flatten().chain(&mut wishing);
                            all.for_each(|capability| capability.downgrade(&1));
                        }
                        Order::Partitions(partitions) => assigned.extend(partitions),
                        Order::Stop => stopping = true,
                        Order::Tick(tick) => ticks.push_back(tick),
                    }
                }
            });
            while source.is_between()
                && let Some(tick) = ticks.pop_front()
            {
                if let Some(held) = &held {
                    positions_out.session(&held[1]).give_iterator(source.cursors().moved());
                }
                let all = held.iter_mut().flatten().chain(&mut wishing);
                all.for_each(|capability| capability.downgrade(&tick.epoch));
                if commit.replace(tick.commit) != Some(tick.commit) {
                    boundaries.push_back((tick.epoch, source.cursors().next_offsets()));
                }
                said_flowing = false;
                lag.store(source.lag().unwrap_or(-1), Ordering::Relaxed);
            }
            let Some(commit) = commit else { return };
            if shutdown.has_failed() {
                return;
            }
            if let Some(capability) = &wishing
                && shutdown.is_requested()
                && !said_stop
            {
                said_stop = true;
                wishes_out.session(capability).give(Wish::Stop);
            }
            let mut durable = None;
            while boundaries.front().is_some_and(|(end, _)| !committed.less_than(end)) {
                durable = boundaries.pop_front().map(|(_, offsets)| offsets);
            }
            // A signal to this process is the leader's business until everything is durable, also when all is read here;
            // and the source hears of the last commit.
            if committed.done() {
                durable = last.take().or(durable);
                wishing = None;
            }
            if let Some(offsets) = durable {
                source.committed(&offsets);
            }
            let Some(capabilities) = &held else {
                if wishing.is_some() {
                    alarm.within(if stopping { AWAIT_COMMIT } else { IDLE });
                }
                return;
            };
            assigned.retain(|start| worker_of(&start.partition, peers) == index);
            if !assigned.is_empty()
                && let Err(error) = source.assign(&assigned)
            {
                return shutdown.fail(error);
            }
            let has_credit = boundaries.len() < COMMITS_IN_FLIGHT;
            let mut taken = 0;
            if (has_credit && !stopping) || !source.is_between() {
                match source.take(BATCH_RECORDS) {
                    Ok(None) => {}
                    Ok(Some(records)) => {
                        taken = records.count;
                        progress.add_records(taken as u64);
                        batches_out.session(&capabilities[0]).give(Batch { commit, taken: records });
                        if let Some(capability) = wishing.as_ref().filter(|_| !said_flowing) {
                            said_flowing = true;
                            wishes_out.session(capability).give(Wish::Flowing);
                        }
                    }
                    Err(error) => return shutdown.fail(error),
                }
            }
            let is_between = source.is_between();
            if is_between && (stopping || (until_end && source.cursors().at_end())) {
                positions_out.session(&capabilities[1]).give_iterator(source.cursors().moved());
                last = Some(source.cursors().next_offsets());
                held = None;
                alarm.now();
            } else if taken > 0 || (is_between && !ticks.is_empty()) {
                alarm.now();
            } else {
                alarm.within(if has_credit || !is_between { IDLE } else { AWAIT_COMMIT });
            }
        }
    });
    Read { batches, positions, wishes }
}
