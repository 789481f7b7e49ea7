//! The two topics of a capture: created if requested, checked at each start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::position::position_topic;
use super::shutdown_deadline::ShutdownDeadline;
use super::topic_ends::TopicEnds;
use super::topic_watch::TopicWatch;
use super::{CaptureError, CaptureSettings, PartitionEnd, Position};
use crate::change::Partition;
use crate::control::{Backoff, Deadline};
use crate::source::kafka::{Admin, KafkaError, Topic, Topics};

/// The largest record that a new topic accepts.
const NEW_MAX_MESSAGE_BYTES: usize = 64 << 20;
/// The largest batch that librdkafka sends, if the topic accepts it.
const BATCH_BYTES: usize = 1_000_000;
/// Bytes that a batch may need beyond its records.
const BATCH_OVERHEAD: usize = 1_000;
/// How long a topic that must exist, or was just created, may be unknown: brokers learn of it from each other.
pub(super) const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for topics that this process has written to. Longer, because a missing one ends the capture for good.
pub(super) const WRITTEN_UNKNOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// The same where two answers in a row have shown already that one is missing. Long enough for a broker that has just started and waits
/// for its controller.
pub(super) const MISSED_UNKNOWN_TIMEOUT: Duration = Duration::from_secs(12);
/// How often to ask for an unknown topic again.
const UNKNOWN_INTERVAL: Duration = Duration::from_millis(100);

/// The topics of one session.
pub(super) struct CaptureTopics<'a> {
    settings: &'a CaptureSettings,
    position_topic: String,
    deadline: &'a ShutdownDeadline,
    topics: Arc<Topics>,
    admin: Arc<Admin>,
}

/// A topic that was checked.
pub(super) struct CheckedTopic {
    /// Its id; empty where brokers have none.
    pub(super) id: String,
    /// Whether it was never written to; not asked for where there is a position, so that a partition may be away.
    pub(super) is_empty: bool,
    /// The largest batch that is not refused although the topic accepts each of its records.
    pub(super) batch_bytes: usize,
}

impl<'a> CaptureTopics<'a> {
    pub(super) fn connect(settings: &'a CaptureSettings, deadline: &'a ShutdownDeadline) -> Result<Self, CaptureError> {
        let position_topic = position_topic(&settings.topic);
        let topics = Topics::connect(&settings.kafka, std::slice::from_ref(&settings.topic), "walbook-capture")?;
        let admin = Arc::new(Admin::new(&settings.kafka)?);
        Ok(CaptureTopics { settings, position_topic, deadline, topics: Arc::new(topics), admin })
    }

    /// Watches from now on whether the topic is still the one with this id, and its position's topic the one that it is now.
    pub(super) fn watch(&self, id: &str) -> TopicWatch {
        let topic = (self.settings.topic.clone(), id.to_owned());
        let (topics, admin) = (Arc::clone(&self.topics), Arc::clone(&self.admin));
        TopicWatch::start(topics, admin, [topic, (self.position_topic.clone(), String::new())])
    }

    /// The topic's ends, to be kept in positions and compared; `known` are those of the last position.
    pub(super) fn ends(&self, known: Vec<PartitionEnd>) -> TopicEnds<'_> {
        TopicEnds::new(&self.topics, &self.settings.kafka, &self.settings.topic, known)
    }

    /// The newest position, if there is one.
    pub(super) fn position(&self) -> Result<Option<Position>, CaptureError> {
        self.position_within(Duration::ZERO)
    }

    /// The newest position; its topic may be unknown for as long as `timeout`.
    pub(super) fn position_within(&self, timeout: Duration) -> Result<Option<Position>, CaptureError> {
        if self.find(&self.position_topic, timeout)?.is_none() {
            return Ok(None);
        }
        let partition = Partition { topic: self.position_topic.clone(), number: 0 };
        let newest = self.topics.newest_value(&partition)?;
        newest.map(|value| Position::from_json(&self.position_topic, &value)).transpose()
    }

    /// Creates missing topics if that is allowed, and checks both. A topic that has a `position` may be unknown for as long as
    /// `timeout`.
    pub(super) fn check(&self, position: Option<&Position>, timeout: Duration) -> Result<CheckedTopic, CaptureError> {
        let name = &self.settings.topic;
        let timeout = if position.is_some() { timeout } else { Duration::ZERO };
        let topic = match (self.find(name, timeout)?, position, self.settings.create_topic) {
            (Some(topic), _, _) => topic,
            (None, Some(position), _) => {
                let (topic, position_topic) = (name.clone(), self.position_topic.clone());
                return Err(CaptureError::TopicGone { topic, position_topic, position: position.lsn });
            }
            (None, None, Some(partitions)) => {
                let size = NEW_MAX_MESSAGE_BYTES.to_string();
                self.create(name, partitions, &[("cleanup.policy", "delete"), ("max.message.bytes", &size)])?
            }
            (None, None, None) => {
                return Err(CaptureError::Setup(format!(
                    "topic {name:?} does not exist at {}; create it with --create-topic [--partitions N], or check --topic",
                    self.settings.kafka.brokers
                )));
            }
        };
        self.check_position_topic()?;
        let settings = self.admin.topic_settings(name)?;
        if is_compacted(&settings) {
            return Err(CaptureError::Setup(format!(
                "topic {name:?} is compacted: only the newest of a table's changes would be kept. To fix this: {}",
                alter_command(&self.settings.kafka.brokers, name, "cleanup.policy=delete")
            )));
        }
        let limit = settings.get("max.message.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(BATCH_BYTES);
        Ok(CheckedTopic {
            is_empty: position.is_none() && self.is_empty(&topic)?,
            id: topic.id,
            batch_bytes: limit.saturating_sub(BATCH_OVERHEAD).clamp(BATCH_OVERHEAD, BATCH_BYTES),
        })
    }

    fn check_position_topic(&self) -> Result<(), CaptureError> {
        let name = &self.position_topic;
        let topic = match self.find(name, Duration::ZERO)? {
            Some(topic) => topic,
            // Small segments: the active one is never compacted, and all of it is read.
            None => self.create(name, 1, &[("cleanup.policy", "compact"), ("segment.bytes", "16777216")])?,
        };
        if topic.partitions != 1 {
            return Err(CaptureError::Setup(format!(
                "topic {name:?} has {} partitions, and a position needs exactly one: delete it if it is not walbook's, or give another --topic",
                topic.partitions
            )));
        }
        let settings = self.admin.topic_settings(name)?;
        let policy = settings.get("cleanup.policy").map_or("", String::as_str);
        if policy != "compact" {
            return Err(CaptureError::Setup(format!(
                "topic {name:?} has cleanup.policy={policy}: the position would be deleted one day. To fix this: {}",
                alter_command(&self.settings.kafka.brokers, name, "cleanup.policy=compact")
            )));
        }
        Ok(())
    }

    fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<Topic, CaptureError> {
        if self.admin.create(name, partitions, settings)? {
            info!(topic = name, partitions, "created a topic");
        }
        self.find(name, UNKNOWN_TIMEOUT)?.ok_or_else(|| {
            let brokers = self.settings.kafka.brokers.clone();
            KafkaError::Request {
                what: format!("find topic {name:?} at {brokers}"),
                message: "it was just created".to_owned(),
                code: None,
            }
            .into()
        })
    }

    /// Describes a topic; `None` if the broker has not known it for as long as `timeout`.
    fn find(&self, name: &str, timeout: Duration) -> Result<Option<Topic>, CaptureError> {
        let (deadline, mut backoff) = (Deadline::after(timeout), Backoff::constant(UNKNOWN_INTERVAL));
        loop {
            match self.topics.describe_topic(name) {
                Ok(topic) => return Ok(Some(topic)),
                Err(KafkaError::NoTopic { .. }) if deadline.has_passed() => return Ok(None),
                Err(KafkaError::NoTopic { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if !backoff.pause(|| self.deadline.is_requested()) {
                return Err(CaptureError::Stopped);
            }
        }
    }

    fn is_empty(&self, topic: &Topic) -> Result<bool, CaptureError> {
        for number in 0..topic.partitions {
            let partition = Partition { topic: self.settings.topic.clone(), number };
            if self.topics.watermarks(&partition)?.high > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_compacted(settings: &BTreeMap<String, String>) -> bool {
    settings.get("cleanup.policy").is_some_and(|policy| policy.split(',').any(|part| part.trim() == "compact"))
}

fn alter_command(brokers: &str, topic: &str, setting: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {setting}"
    )
}

/// How to fix that a topic does not accept a record of `bytes`.
pub(super) fn max_message_bytes_command(brokers: &str, topic: &str, bytes: usize) -> String {
    // The batch around a record needs little more.
    let enough = bytes.saturating_add(bytes / 16).saturating_add(4096);
    let mut text =
        format!("Raise the limit: {}", alter_command(brokers, topic, &format!("max.message.bytes={enough}")));
    if enough > 100_000_000 {
        text.push_str(&format!(
            "; so large a request also needs socket.request.max.bytes at the broker, and -X message.max.bytes={enough} here"
        ));
    }
    text
}
