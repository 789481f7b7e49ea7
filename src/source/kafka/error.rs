//! What Kafka can refuse.

use crate::change::Partition;

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka refused a setting.
    #[error("could not set up a Kafka client: {message}")]
    Settings {
        /// What it said.
        message: String,
    },
    /// No broker answered in time.
    #[error(
        "no answer from Kafka at {brokers} within {seconds} s: {message}; check --brokers and that the broker's advertised listeners can be reached from here"
    )]
    NoBroker {
        /// What was tried.
        brokers: String,
        /// How long.
        seconds: u64,
        /// The last thing seen.
        message: String,
    },
    /// The topic does not exist.
    #[error("topic {topic:?} does not exist at {brokers}; create it, or check --topic")]
    NoTopic {
        /// The topic.
        topic: String,
        /// Where it was looked for.
        brokers: String,
    },
    /// The topic was deleted and made again, or is another one of the same name.
    #[error(
        "topic {topic:?} was recreated: the book was made from the topic with id {expected}, this one has id {found}; its offsets mean other records, so it needs a new book"
    )]
    Recreated {
        /// The topic.
        topic: String,
        /// The id in the book.
        expected: String,
        /// The id at the broker.
        found: String,
    },
    /// The topic has fewer partitions than the book knows.
    #[error(
        "topic {topic:?} has {found} partitions, the book knows {expected}: it was recreated, so it needs a new book"
    )]
    FewerPartitions {
        /// The topic.
        topic: String,
        /// Partitions in the book.
        expected: i32,
        /// Partitions at the broker.
        found: i32,
    },
    /// Records were deleted before they were read.
    #[error("{} records are missing in {:?} partition {}: offsets {from} to {to} (exclusive) were deleted before they were read (retention)", to - from, partition.topic, partition.number)]
    Lost {
        /// Where.
        partition: Partition,
        /// The first offset that was to be read.
        from: i64,
        /// The first offset that is there.
        to: i64,
    },
    /// The partition ends before what was already read.
    #[error("{:?} partition {} ends at offset {end}, but offsets up to {next} were already read: offsets {end} to {next} (exclusive) are missing; the topic was truncated or recreated", partition.topic, partition.number)]
    Truncated {
        /// Where.
        partition: Partition,
        /// The end at the broker.
        end: i64,
        /// The next offset to read.
        next: i64,
    },
    /// The broker's answer to a request was an error.
    #[error("could not {what}: {message}")]
    Request {
        /// What was asked.
        what: String,
        /// What came back.
        message: String,
    },
    /// The consumer reported an error that does not heal.
    #[error("could not read {:?} partition {}: {message}", partition.topic, partition.number)]
    Consume {
        /// Where.
        partition: Partition,
        /// What librdkafka said.
        message: String,
    },
}

impl KafkaError {
    /// Whether records are gone for good: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        match self {
            // The range that was to be read is not there, and will not come back.
            KafkaError::Lost { .. } | KafkaError::Truncated { .. } => true,
            // The records that the book continues from are not there any more.
            KafkaError::Recreated { .. } | KafkaError::FewerPartitions { .. } => true,
            KafkaError::Settings { .. }
            | KafkaError::NoBroker { .. }
            | KafkaError::NoTopic { .. }
            | KafkaError::Request { .. }
            | KafkaError::Consume { .. } => false,
        }
    }

    /// Whether the command was given wrong settings: exit code 2.
    pub fn is_usage(&self) -> bool {
        matches!(self, KafkaError::Settings { .. } | KafkaError::NoTopic { .. })
    }
}
