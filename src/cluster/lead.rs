//! The operator that leads: what the clock says, said to all workers at the right epoch.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};
use timely::scheduling::SyncActivator;

use super::Lead;
use crate::change::{CountKey, Epoch, Order, Tick, Wish};
use crate::process::Alarm;

/// How often to look whether everything is committed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The leader's ends of the channels to its clock; worker 0 holds it.
pub struct Leader {
    /// What the clock says.
    pub feed: Receiver<Lead>,
    /// Where the clock waits for somebody to wake.
    pub hello: Sender<SyncActivator>,
    /// Where wishes go.
    pub wishes: Sender<Wish>,
}

/// What the leading operator listens to, and whom it greets.
pub type Feed = (Receiver<Lead>, Sender<SyncActivator>);

impl Leader {
    /// The parts that different operators take, all none where there is no leader.
    pub fn split<T>(leader: Option<(Leader, T)>) -> (Option<Feed>, Option<Sender<Wish>>, Option<T>) {
        match leader {
            Some((Leader { feed, hello, wishes }, rest)) => (Some((feed, hello)), Some(wishes), Some(rest)),
            None => (None, None, None),
        }
    }
}

/// What [`lead`] gives.
pub struct Led<'scope> {
    /// What all workers hear.
    pub orders: StreamVec<'scope, Epoch, Order>,
    /// The counts that the book has, at epoch 0 and with their weight.
    pub initial_counts: StreamVec<'scope, Epoch, (CountKey, Epoch, isize)>,
}

/// Says what the clock says, on worker 0, to all; ends when `committed` is done: everything is durable then.
pub fn lead<'scope>(scope: Scope<'scope, Epoch>, feed: Option<Feed>, committed: ProbeHandle<Epoch>) -> Led<'scope> {
    let mut builder = OperatorBuilder::new("Lead".to_owned(), scope);
    let (orders_out, orders) = builder.new_output::<Vec<Order>>();
    let (initial_out, initial_counts) = builder.new_output::<Vec<(CountKey, Epoch, isize)>>();
    let (mut orders_out, mut initial_out) = (OutputBuilder::from(orders_out), OutputBuilder::from(initial_out));
    let mut alarm = Alarm::new(scope.activator_for(builder.operator_info().address));
    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    builder.build(move |mut capabilities| {
        let (mut for_initial, mut for_orders) = (capabilities.pop(), capabilities.pop());
        let feed = feed.map(|(feed, hello)| {
            // A test's clock may not want to wake anybody.
            let _ = hello.send(wake);
            feed
        });
        move |_frontiers| {
            let Some(feed) = &feed else {
                (for_orders, for_initial) = (None, None);
                return;
            };
            while let (Some(capability), Ok(said)) = (for_orders.as_mut(), feed.try_recv()) {
                match said {
                    Lead::Start(start, counts) => {
                        orders_out.activate().session(&*capability).give(Order::Start(start));
                        capability.downgrade(&1);
                        if let Some(capability) = for_initial.take() {
                            let counts = counts.into_iter().map(|(key, count)| (key, 0, count as isize));
                            initial_out.activate().session(&capability).give_iterator(counts);
                        }
                    }
                    Lead::Tick(commit) => {
                        let epoch = *capability.time() + 1;
                        let tick = Order::Tick(Tick { epoch, commit });
                        orders_out.activate().session(&*capability).give(tick);
                        capability.downgrade(&epoch);
                    }
                    Lead::Order(order) => orders_out.activate().session(&*capability).give(order),
                }
            }
            if committed.done() {
                for_orders = None;
            } else if for_orders.is_some() {
                // The probe wakes nobody: look again.
                alarm.within(LOOK_AGAIN);
            }
        }
    });
    Led { orders: orders.broadcast(), initial_counts }
}
