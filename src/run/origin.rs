//! Where a run's records come from: all that differs between sources, in one trait.

mod background_check;
mod file;
mod kafka;
mod open_transactions;
mod slot;

use std::collections::BTreeMap;
use std::time::Duration;

use super::RunError;
use crate::book::log::entry::{SourceKind, TopicEntry};
use crate::book::{State, TopicState};
use crate::change::{End, Failure, Partition, PartitionStart};
use crate::control::SourceProgress;
use crate::server::SlotReport;
use crate::source::Source;

pub use file::FileOrigin;
pub use kafka::{KafkaInput, KafkaOrigin};
pub use slot::SlotOrigin;

/// What a run reads.
pub struct Plan {
    /// The topics that the fence entry must name: those new to the book, with where they start.
    pub topics: BTreeMap<String, TopicEntry>,
    /// All partitions.
    pub starts: Vec<PartitionStart>,
}

/// The place that a run's records come from.
///
/// Every process makes sources; [`Origin::reach`] is called in the processes that do not lead, the other methods in the one that does,
/// [`Origin::plan`] before the rest.
pub trait Origin: Send + Sync {
    /// What is read, for people.
    fn name(&self) -> String;

    /// Which kind of place it is.
    fn kind(&self) -> SourceKind;

    /// Whether the run ends when all partitions are read to their ends.
    fn until_end(&self) -> bool;

    /// Refuses settings that no run can have, before anything is touched.
    ///
    /// # Errors
    /// A usage failure.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// What to read, given what the book has; called again when another run put an entry in between.
    ///
    /// # Errors
    /// When the place cannot be reached, or does not have what the book continues from.
    fn plan(&self, state: &State) -> Result<Plan, Failure>;

    /// Whether this process reaches the place; called again and again. The first call waits as long as a start does, the others
    /// only for an answer.
    ///
    /// # Errors
    /// Why it does not; of the first call the failure that ends the run.
    fn reach(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// The source of one worker of this process.
    ///
    /// # Errors
    /// When it cannot be made.
    fn source(&self, worker: usize) -> Result<Box<dyn Source>, Failure>;

    /// How often to look for new partitions; `None` if there cannot be any.
    fn discover_interval(&self) -> Option<Duration> {
        None
    }

    /// Partitions that appeared since the last call; may block.
    ///
    /// # Errors
    /// A data loss ends the run; any other failure is tried again.
    fn discover(&self) -> Result<Vec<PartitionStart>, Failure> {
        Ok(Vec::new())
    }

    /// Whether what was read may be committed, as far as is known; called before each commit, must not block for long.
    ///
    /// # Errors
    /// When what was read is not what the book continues from.
    fn precommit_check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Receives the state that the run begins with, and the state after each commit.
    fn on_committed(&self, _state: &State) {}

    /// Whether [`Origin::ends`] can be asked.
    fn knows_ends(&self) -> bool;

    /// Where partitions end now.
    ///
    /// # Errors
    /// When the place does not answer.
    fn ends(&self) -> Result<Vec<(Partition, End)>, Failure>;

    /// What is known beyond the last record that was read, for a place with one partition.
    fn source_progress(&self) -> SourceProgress {
        SourceProgress::default()
    }

    /// The state of the slot that is read; `None` if there is no such slot.
    ///
    /// # Errors
    /// When the server does not answer.
    fn slot_report(&self) -> Result<Option<SlotReport>, Failure> {
        Ok(None)
    }

    /// Ends the run in order, after the last commit.
    ///
    /// # Errors
    /// When the input was incomplete.
    fn finish(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What the book has of a topic, which must be of this kind: offsets of one kind mean nothing for another.
fn known_topic<'a>(state: &'a State, name: &str, kind: SourceKind) -> Result<Option<&'a TopicState>, RunError> {
    match state.topics.get(name) {
        Some(known) if known.source != kind => {
            Err(RunError::OtherKind { name: name.to_owned(), known: known.source, kind })
        }
        known => Ok(known),
    }
}
