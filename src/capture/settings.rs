//! The settings of a capture.

use crate::change::Lsn;
use crate::replication::SlotSettings;
use crate::source::kafka::KafkaSettings;

/// A slot, a topic, and until when.
#[derive(Clone, Debug)]
pub struct CaptureSettings {
    /// Where changes come from; a slot is created only for a topic without a position.
    pub slot: SlotSettings,
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// The topic that is written.
    pub topic: String,
    /// The number of partitions, if the topic may be created.
    pub create_topic: Option<i32>,
    /// When to end.
    pub until: Until,
    /// The position of a topic that has none.
    pub assume_position: Option<Lsn>,
}

/// When a capture ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Never,
    /// When everything committed before the start is in the topic.
    Start,
    /// When everything up to an LSN is in the topic.
    Lsn(Lsn),
}
