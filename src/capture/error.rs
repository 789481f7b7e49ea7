//! Why a capture ends, or a session of it.

use crate::change::{Classified, FailureKind, Lsn};
use crate::replication::SlotError;
use crate::source::kafka::KafkaError;

/// An error of a capture.
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
    /// It is unknown which changes the topic's records are.
    #[error(
        "topic {topic:?} has records, but {position_topic:?} holds no position: which changes are in it is not known. If everything up to an LSN is, give --assume-position LSN; else give another --topic"
    )]
    NoPosition {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
    },
    /// The position was deleted while the topic was written.
    #[error(
        "{position_topic:?} holds no position any more: this capture wrote everything up to {position} to topic {topic:?}, and the position was deleted meanwhile. If the topic still holds that, give --assume-position {position}; else begin anew with another --topic and slot"
    )]
    PositionGone {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
        /// The last position that this process has committed.
        position: Lsn,
    },
    /// The topic belongs to another slot.
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
        /// The slot that was given.
        slot: String,
    },
    /// The topic is not the one that the position was written for.
    #[error(
        "topic {topic:?} was recreated: everything up to {position} was written to the topic with id {expected}, this one has id {found}, so those changes are not in it. Begin anew with another --topic and slot, or delete {position_topic:?} to continue without them"
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
    /// Records that were written are not in the topic any more.
    #[error(
        "topic {topic:?} partition {partition} was cut: the offsets {from} to {to} ({} of them) held what was captured up to {position}, and they are gone, or others stand there (an unclean election of a leader, or a broker that lost its disk). Begin anew with another --topic and slot",
        to - from
    )]
    RecordsGone {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset whose record is gone.
        from: i64,
        /// The offset after the last one.
        to: i64,
        /// The position that they stand for.
        position: Lsn,
    },
    /// A topic is gone or another one while it is written; the next session finds out what it is.
    #[error("topic {topic:?} or its position's topic is not the one any more that was claimed")]
    TopicChanged {
        /// The topic.
        topic: String,
    },
    /// The topic is gone.
    #[error(
        "topic {topic:?} does not exist any more: everything up to {position} was written to it. Begin anew with another --topic and slot, or delete {position_topic:?} to continue without those changes"
    )]
    TopicGone {
        /// The topic.
        topic: String,
        /// The topic of its position.
        position_topic: String,
        /// The position.
        position: Lsn,
    },
    /// The rest of a transaction that is in the topic in part is not sent.
    #[error(
        "the first {published} changes of the transaction that ends at {commit_lsn} are in the topic, but the server {seen}; the rest of it is missing"
    )]
    NotRepeated {
        /// The transaction's end.
        commit_lsn: Lsn,
        /// How many of its changes are in the topic.
        published: u64,
        /// What the server sent instead.
        seen: String,
    },
    /// Another capture writes to the topic.
    #[error(
        "fenced: another capture writes to topic {topic:?} (id {writer}); this one has ended without writing anything beside it"
    )]
    Fenced {
        /// The topic.
        topic: String,
        /// The other one's id.
        writer: String,
    },
    /// The topic does not accept a record.
    #[error(
        "a change of {table} at {lsn} makes a record of {bytes} bytes, and topic {topic:?} does not accept it; nothing beyond it was confirmed. {fix}"
    )]
    TooLarge {
        /// The table as it is printed.
        table: String,
        /// The change's LSN.
        lsn: String,
        /// The record's size.
        bytes: usize,
        /// The topic.
        topic: String,
        /// How to fix it.
        fix: String,
    },
    /// A Kafka transaction could not be completed; the next session finds out whether it was committed.
    #[error("could not {what}: {message}")]
    Transaction {
        /// The step that failed.
        what: &'static str,
        /// Why.
        message: String,
    },
    /// The end was requested.
    #[error("asked to end")]
    Stopped,
}

impl CaptureError {
    /// Whether another session may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            CaptureError::Slot(error) => error.is_retryable(),
            // Brokers come back and leaders move; wrong settings and lost records stay.
            CaptureError::Kafka(error) => !error.is_usage() && !error.is_data_loss(),
            // A transaction that timed out, or whose outcome is unknown.
            CaptureError::Transaction { .. } | CaptureError::TopicChanged { .. } => true,
            // A person must act.
            CaptureError::Setup(_) | CaptureError::TooLarge { .. } => false,
            CaptureError::NoPosition { .. } | CaptureError::PositionGone { .. } => false,
            CaptureError::OtherSlot { .. } | CaptureError::Recreated { .. } => false,
            CaptureError::TopicGone { .. } | CaptureError::RecordsGone { .. } => false,
            CaptureError::NotRepeated { .. } => false,
            CaptureError::Fenced { .. } | CaptureError::Stopped => false,
        }
    }
}

impl Classified for CaptureError {
    fn kind(&self) -> FailureKind {
        match self {
            CaptureError::Slot(error) => error.kind(),
            CaptureError::Kafka(error) => error.kind(),
            // Changes are lost, or it is unknown which of them the topic holds.
            CaptureError::NoPosition { .. }
            | CaptureError::PositionGone { .. }
            | CaptureError::OtherSlot { .. }
            | CaptureError::Recreated { .. }
            | CaptureError::TopicGone { .. }
            | CaptureError::RecordsGone { .. }
            | CaptureError::NotRepeated { .. } => FailureKind::DataLoss,
            CaptureError::Setup(_) => FailureKind::Usage,
            CaptureError::Fenced { .. } => FailureKind::Fenced,
            CaptureError::Transaction { .. }
            | CaptureError::TopicChanged { .. }
            | CaptureError::TooLarge { .. }
            | CaptureError::Stopped => FailureKind::Other,
        }
    }
}
