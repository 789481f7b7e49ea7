//! What Kafka can refuse.

use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};

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
        "no answer from Kafka at {brokers} within {seconds} s: {message}; check --brokers and that the broker's advertised listeners can be reached from here{}",
        mend(*code)
    )]
    NoBroker {
        /// What was tried.
        brokers: String,
        /// How long.
        seconds: u64,
        /// The last thing seen.
        message: String,
        /// Its code, where a broker did answer and refused the login.
        code: Option<RDKafkaErrorCode>,
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
    #[error("could not {what}: {message}{}", mend(*code))]
    Request {
        /// What was asked.
        what: String,
        /// What came back.
        message: String,
        /// Its code, where it has one.
        code: Option<RDKafkaErrorCode>,
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
    /// What became of a request that ended with `error`.
    pub fn request(what: impl Into<String>, error: &RdError) -> KafkaError {
        let code = match error {
            RdError::AdminOp(code) => Some(*code),
            error => error.rdkafka_error_code(),
        };
        let message = match error {
            RdError::Transaction(error) => error.string(),
            error => error.to_string(),
        };
        KafkaError::Request { what: what.into(), message, code }
    }

    /// What became of a request that was answered with `code`.
    pub fn answer(what: impl Into<String>, code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::Request { what: what.into(), message: code.to_string(), code: Some(code) }
    }

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

    /// Whether the command was given wrong settings, or must not do what it was told to: exit code 2.
    pub fn is_usage(&self) -> bool {
        match self {
            KafkaError::Settings { .. } | KafkaError::NoTopic { .. } => true,
            KafkaError::NoBroker { code, .. } | KafkaError::Request { code, .. } => code.is_some_and(is_refusal),
            _ => false,
        }
    }
}

/// Whether a broker will answer so until somebody changes a setting or a right: asking again is of no use.
pub(super) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    !mend(Some(code)).is_empty()
}

/// What to do about a refusal.
fn mend(code: Option<RDKafkaErrorCode>) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => "; give this Kafka user the ACL for it",
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => "; check the login given with -X sasl.…",
        Some(
            Code::InvalidReplicationFactor | Code::InvalidPartitions | Code::InvalidConfig | Code::PolicyViolation,
        ) => "; the cluster does not allow it so: make the topic by hand as it does",
        Some(Code::InvalidTransactionTimeout) => "; give a -X transaction.timeout.ms that the broker allows",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_wrong_settings_and_trouble_is_not() {
        use RDKafkaErrorCode as Code;
        for code in [
            Code::TopicAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
            Code::TransactionalIdAuthorizationFailed,
            Code::GroupAuthorizationFailed,
            Code::SaslAuthenticationFailed,
            Code::InvalidReplicationFactor,
            Code::PolicyViolation,
            Code::InvalidConfig,
            Code::InvalidPartitions,
        ] {
            let answer = KafkaError::answer("create topic", code);
            assert!(answer.is_usage() && answer.to_string().contains(&code.to_string()), "{answer}");
            for error in [RdError::AdminOp(code), RdError::MetadataFetch(code), RdError::Global(code)] {
                assert!(KafkaError::request("ask", &error).is_usage(), "{error}");
            }
        }
        for code in [Code::RequestTimedOut, Code::LeaderNotAvailable, Code::NotController, Code::BrokerTransportFailure]
        {
            assert!(!KafkaError::answer("create topic", code).is_usage(), "{code}");
        }
        let silent = |code| KafkaError::NoBroker { brokers: "b".into(), seconds: 25, message: "m".into(), code };
        assert!(silent(Some(Code::Authentication)).is_usage() && !silent(None).is_usage());
    }
}
