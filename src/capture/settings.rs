//! What a capture needs to know.

use crate::change::Lsn;
use crate::slot::SlotSettings;
use crate::source::kafka::KafkaSettings;

/// A slot, a topic, and until when.
#[derive(Clone, Debug)]
pub struct CaptureSettings {
    /// Where changes come from; a slot is made only for a topic without a position.
    pub slot: SlotSettings,
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// Where they go.
    pub topic: String,
    /// The partitions of the topic if it is to be made.
    pub create_topic: Option<i32>,
    /// When to end.
    pub until: Until,
    /// What to take for the position of a topic that has none.
    pub assume_position: Option<Lsn>,
}

/// When a capture ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Never,
    /// When everything is in the topic that the server had at the start.
    Start,
    /// When everything up to an LSN is in the topic.
    Lsn(Lsn),
}
