//! Where a run's records come from, in one shape whatever the place is: [`Leading`] is what the leading process must know of
//! it, and what the rest of the run never looks behind.

mod input;
mod kafka;
mod slot;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::book::entry::{SourceKind, TopicEntry};
use crate::book::{Book, State, TopicState};
use crate::change::PartitionStart;
use crate::process::{Quiet, Shutdown};
use crate::server::{AskEnds, AskSlot};
use crate::settings::{Origin, RunSettings, SettingsError};
use crate::source::{Discovery, MakeSource};

/// What the leading process knows of the place that records come from.
pub(super) struct Leading {
    /// What is read, for people.
    pub(super) name: String,
    /// Makes the sources of this process.
    pub(super) source: Arc<MakeSource>,
    /// Whether the run ends when all partitions are read to their ends.
    pub(super) until_end: bool,
    /// Says what is read, given what the book has; asked again when another run put an entry in between.
    pub(super) plan: Box<MakePlan>,
    /// Looks for new partitions, if there may be some …
    pub(super) discovery: Option<Box<dyn Discovery>>,
    /// … so often.
    pub(super) discover_interval: Duration,
    /// Asked before each commit whether what was read may be committed.
    pub(super) permit: Box<dyn FnMut() -> Result<(), Box<dyn Error + Send + Sync>> + Send>,
    /// Told of the state that the run begins with, and of each commit.
    pub(super) announce: Box<dyn FnMut(&State) + Send>,
    /// Which kind of place it is.
    pub(super) kind: SourceKind,
    /// Asks where partitions end now, where anybody can be asked.
    pub(super) ask_ends: Option<Box<AskEnds>>,
    /// What the reader of a place with one partition knows to be empty behind what it read.
    pub(super) quiet: Quiet,
    /// Asks how the slot is that is read, if it is one.
    pub(super) ask_slot: Option<Box<AskSlot>>,
    /// Waits for whoever must have heard of the last commit, and says what is missing.
    pub(super) finish: Box<dyn FnOnce() -> anyhow::Result<()>>,
}

/// Says what a run reads, given what the book has.
type MakePlan = dyn FnMut(&State) -> anyhow::Result<Plan>;

/// What a run reads.
pub(super) struct Plan {
    /// The topics that the fence must tell of: those new to the book, with where they start.
    pub(super) topics: BTreeMap<String, TopicEntry>,
    /// All partitions.
    pub(super) starts: Vec<PartitionStart>,
}

/// Refuses settings that no run can have, before anything is touched.
pub(super) fn check(origin: &Origin) -> anyhow::Result<()> {
    match origin {
        Origin::Kafka(kafka) => Ok(kafka.kafka.check()?),
        // Checked when it was typed, or when it is looked at.
        Origin::Slot(_) | Origin::Input(_) => Ok(()),
    }
}

/// Prepares the place for the leading process.
pub(super) fn lead(settings: &RunSettings, book: &Book, shutdown: &Shutdown) -> anyhow::Result<Leading> {
    match &settings.origin {
        Origin::Kafka(kafka) => kafka::lead(kafka, settings.until_end, book),
        Origin::Slot(slot) => Ok(slot::lead(slot, settings.until_end, shutdown)),
        Origin::Input(input) => input::lead(input, settings.until_end),
    }
}

/// Makes the sources of a process that does not lead.
pub(super) fn follow(origin: &Origin) -> Arc<MakeSource> {
    match origin {
        Origin::Kafka(kafka) => kafka::source(kafka),
        Origin::Slot(_) | Origin::Input(_) => panic!("settings let it be read by one process only, which leads"),
    }
}

/// What the book has of a topic, which must be of this kind: offsets of one kind mean nothing for another.
fn known<'a>(state: &'a State, name: &str, kind: SourceKind) -> Result<Option<&'a TopicState>, SettingsError> {
    match state.topics.get(name) {
        Some(known) if known.source != kind => Err(SettingsError::Wrong(format!(
            "the book has {name:?} as a {}, and this run would read it as a {kind}: use another book",
            known.source
        ))),
        known => Ok(known),
    }
}
