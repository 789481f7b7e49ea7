//! Why Kafka cannot be read or written.

use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};

use crate::change::{Classified, FailureKind, Partition};

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka refused a setting.
    #[error("could not set up a Kafka client: {message}")]
    Settings {
        /// Its error.
        message: String,
    },
    /// No broker answered in time.
    #[error(
        "no answer from Kafka at {brokers} within {seconds} s: {message}; check --brokers and that the broker's advertised listeners can be reached from here{}",
        remedy(*code)
    )]
    NoBroker {
        /// What was tried.
        brokers: String,
        /// How long.
        seconds: u64,
        /// The last error.
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
    /// The topic was deleted and created again, or is another one of the same name.
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
        /// The first offset that exists.
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
    /// Records that were read are not in the topic any more; there may be others at their offsets by now.
    #[error("{:?} partition {} was truncated: offsets {from} to {next} (exclusive) were already read, and are missing there now or replaced by other records; a broker that had fewer records became its leader, or lost its disk", partition.topic, partition.number)]
    Diverged {
        /// Where.
        partition: Partition,
        /// The first offset with another record or none, as far as leader epochs show.
        from: i64,
        /// The next offset to read.
        next: i64,
    },
    /// The broker's answer to a request was an error.
    #[error("could not {what}: {message}{}", remedy(*code))]
    Request {
        /// What was requested.
        what: String,
        /// The broker's error.
        message: String,
        /// Its code, where it has one.
        code: Option<RDKafkaErrorCode>,
    },
    /// The consumer reported an error that is not temporary.
    #[error("could not read {:?} partition {}: {message}", partition.topic, partition.number)]
    Consume {
        /// Where.
        partition: Partition,
        /// librdkafka's error.
        message: String,
    },
}

impl KafkaError {
    /// A request that ended with `error`.
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

    /// A request that was answered with `code`.
    pub fn answer(what: impl Into<String>, code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::Request { what: what.into(), message: code.to_string(), code: Some(code) }
    }
}

impl Classified for KafkaError {
    fn kind(&self) -> FailureKind {
        match self {
            // The range that was to be read is not there, and will not come back.
            KafkaError::Lost { .. } | KafkaError::Truncated { .. } | KafkaError::Diverged { .. } => {
                FailureKind::DataLoss
            }
            // The records that the book continues from are not there any more.
            KafkaError::Recreated { .. } | KafkaError::FewerPartitions { .. } => FailureKind::DataLoss,
            KafkaError::Settings { .. } | KafkaError::NoTopic { .. } => FailureKind::Usage,
            KafkaError::NoBroker { code: Some(code), .. } | KafkaError::Request { code: Some(code), .. }
                if is_refusal(*code) =>
            {
                FailureKind::Usage
            }
            KafkaError::NoBroker { .. } | KafkaError::Request { .. } | KafkaError::Consume { .. } => FailureKind::Other,
        }
    }
}

/// Whether a broker refuses until a setting or a right is changed, so that a retry is useless.
pub(super) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    !remedy(Some(code)).is_empty()
}

/// What to do about a refusal.
fn remedy(code: Option<RDKafkaErrorCode>) -> &'static str {
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
        ) => "; the cluster does not allow this: create the topic by hand with settings that it allows",
        Some(Code::InvalidTransactionTimeout) => "; give a -X transaction.timeout.ms that the broker allows",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_wrong_settings_and_temporary_errors_are_not() {
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
