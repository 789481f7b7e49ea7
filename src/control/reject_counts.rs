//! How many records a run could not read, with an example of each reason.

use crate::change::{Partition, PartitionTally, RejectSample};

/// The most examples that are kept; a run has far fewer reasons.
const MOST_EXAMPLES: usize = 32;

/// What the records of a run were, as far as its epochs are closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectCounts {
    /// Records read: those with changes, markers and rejects.
    pub records: u64,
    /// Those without a change: tombstones, BEGIN, COMMIT and the like.
    pub markers: u64,
    /// Those that could not be read.
    pub rejects: u64,
    /// An example of each reason, in the order in which they were found.
    pub examples: Vec<(Partition, RejectSample)>,
}

impl RejectCounts {
    /// Adds what some records of one partition were.
    pub(super) fn add(&mut self, tally: &PartitionTally) {
        self.records += tally.tally.records();
        self.markers += tally.tally.markers;
        self.rejects += tally.tally.rejects;
        for sample in &tally.rejects {
            // Each worker has an example of its own.
            let is_known = self.examples.iter().any(|(_, known)| known.reason == sample.reason);
            if !is_known && self.examples.len() < MOST_EXAMPLES {
                self.examples.push((tally.partition.clone(), sample.clone()));
            }
        }
    }
}
