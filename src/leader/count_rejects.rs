//! The operator that counts the records that could not be read, for the log and the exit code of a run.

use std::sync::Arc;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

use crate::change::{Epoch, EpochSummary};
use crate::control::Progress;

/// Adds the tallies of each epoch to `progress`, when the epoch is closed.
pub fn count_rejects(epochs: StreamVec<'_, Epoch, Arc<EpochSummary>>, progress: Progress) {
    epochs.sink(Pipeline, "CountRejects", move |(input, _frontier)| {
        input.for_each(|_stamp, summaries| {
            summaries.drain(..).for_each(|summary| progress.add_tallies(&summary.tallies));
        });
    });
}
