//! The operator that brings the workers' wishes to the leader's clock.

use std::sync::mpsc::Sender;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

use crate::change::{Epoch, Wish};

/// Sends all wishes to worker 0, and from there to the clock.
pub fn report_wishes(wishes: StreamVec<'_, Epoch, Wish>, clock: Option<Sender<Wish>>) {
    wishes.sink(Exchange::new(|_: &Wish| 0), "ReportWishes", move |(input, _frontier)| {
        input.for_each(|_stamp, wishes| {
            for wish in wishes.drain(..) {
                // A clock that is gone needs no wishes.
                let _ = clock.as_ref().map(|clock| clock.send(wish));
            }
        });
    });
}
