//! Why a capture ends, or a session of it.

use std::io;

use crate::change::Lsn;
use crate::slot::SlotError;
use crate::source::kafka::KafkaError;

/// What a capture can fail of.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The slot's, or PostgreSQL's, reason.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// Kafka's reason.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A topic is not set up as it must be, or a setting is wrong.
    #[error("{0}")]
    Setup(String),
    /// Nobody knows what the topic's records are.
    #[error(
        "topic {topic:?} has records, but {position_topic:?} holds no position: which changes are in it is not known. If everything up to an LSN is, say --assume-position LSN; else give another --topic"
    )]
    NoPosition {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
    },
    /// The position is gone while the topic was written.
    #[error(
        "{position_topic:?} holds no position any more: this capture wrote everything up to {position} to topic {topic:?}, and the position was deleted meanwhile. If the topic still holds that, say --assume-position {position}; else begin anew with another --topic and slot"
    )]
    PositionGone {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
        /// The last position that this process has committed.
        position: Lsn,
    },
    /// The topic belongs to somebody else.
    #[error(
        "topic {topic:?} belongs to slot {owner:?}: its position {position} is that slot's, and {slot:?} was given; give the slot it belongs to, or another --topic"
    )]
    OtherSlot {
        /// The topic.
        topic: String,
        /// The slot of its position.
        owner: String,
        /// Its position.
        position: Lsn,
        /// The slot that was asked for.
        slot: String,
    },
    /// The topic is not the one that the position tells of.
    #[error(
        "topic {topic:?} was recreated: everything up to {position} was written to the topic with id {expected}, this one has id {found}, so those changes are not in it. Begin anew with another --topic and slot, or delete {position_topic:?} to go on without them"
    )]
    Recreated {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
        /// The position.
        position: Lsn,
        /// The id in the position.
        expected: String,
        /// The id at the broker.
        found: String,
    },
    /// The topic is gone.
    #[error(
        "topic {topic:?} does not exist any more: everything up to {position} was written to it. Begin anew with another --topic and slot, or delete {position_topic:?} to go on without those changes"
    )]
    TopicGone {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
        /// The position.
        position: Lsn,
    },
    /// A transaction that is in the topic in part does not come again.
    #[error(
        "the first {published} changes of the transaction that ends at {commit_lsn} are in the topic, but the server {seen}; the rest of it is missing"
    )]
    NotRepeated {
        /// The transaction's end.
        commit_lsn: Lsn,
        /// How many of its changes are in the topic.
        published: u64,
        /// What came instead.
        seen: String,
    },
    /// Somebody else writes to the topic.
    #[error(
        "fenced: another capture writes to topic {topic:?} (id {writer}); this one has ended without writing anything beside it"
    )]
    Fenced {
        /// The topic.
        topic: String,
        /// The other one's id.
        writer: String,
    },
    /// A record that the topic does not take.
    #[error(
        "a change of {table} at {lsn} makes a record of {bytes} bytes, and topic {topic:?} does not take it; nothing beyond it was confirmed. {mend}"
    )]
    TooLarge {
        /// The table as it is printed.
        table: String,
        /// Where the change stands.
        lsn: String,
        /// The record's size.
        bytes: usize,
        /// The topic.
        topic: String,
        /// What to do.
        mend: String,
    },
    /// A Kafka transaction could not be completed; the next session finds out what became of it.
    #[error("could not {what}: {message}")]
    Transaction {
        /// What was tried.
        what: &'static str,
        /// What was seen.
        message: String,
    },
    /// The file of a large transaction could not be read.
    #[error("could not read a large transaction back from {folder}: {source}")]
    Spilled {
        /// The file's folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// The end was asked for.
    #[error("asked to end")]
    Stopped,
}

impl CaptureError {
    /// Whether another session may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            CaptureError::Slot(error) => error.is_retryable(),
            // Brokers come back, leaders move. What was typed wrongly does not mend itself, and lost records do not return.
            CaptureError::Kafka(error) => !error.is_usage() && !error.is_data_loss(),
            // A transaction that timed out, or whose outcome is not known.
            CaptureError::Transaction { .. } => true,
            // Somebody has to act.
            CaptureError::Setup(_) | CaptureError::TooLarge { .. } | CaptureError::Spilled { .. } => false,
            CaptureError::NoPosition { .. } | CaptureError::PositionGone { .. } => false,
            CaptureError::OtherSlot { .. } | CaptureError::Recreated { .. } => false,
            CaptureError::TopicGone { .. } | CaptureError::NotRepeated { .. } => false,
            CaptureError::Fenced { .. } | CaptureError::Stopped => false,
        }
    }

    /// Whether changes are gone for good, or nobody knows which are there: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        match self {
            CaptureError::Slot(error) => error.is_data_loss(),
            CaptureError::Kafka(error) => error.is_data_loss(),
            CaptureError::NoPosition { .. } | CaptureError::PositionGone { .. } => true,
            CaptureError::OtherSlot { .. } | CaptureError::Recreated { .. } => true,
            CaptureError::TopicGone { .. } | CaptureError::NotRepeated { .. } => true,
            _ => false,
        }
    }

    /// Whether the command was given wrong settings, or a server is not set up for it: exit code 2.
    pub fn is_usage(&self) -> bool {
        match self {
            CaptureError::Slot(error) => error.is_usage(),
            CaptureError::Kafka(error) => error.is_usage(),
            CaptureError::Setup(_) => true,
            _ => false,
        }
    }

    /// Whether another capture owns the topic: exit code 4.
    pub fn is_fenced(&self) -> bool {
        matches!(self, CaptureError::Fenced { .. })
    }
}
