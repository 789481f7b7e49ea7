//! The two topics of a capture: made if asked for, checked at each start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use super::patience::Patience;
use super::position::position_topic;
use super::watch::Watch;
use super::{CaptureError, CaptureSettings, Position};
use crate::change::Partition;
use crate::source::kafka::{Admin, KafkaError, Topic, Topics};

/// The size of a record that a new topic takes.
const NEW_MAX_MESSAGE_BYTES: usize = 64 << 20;
/// What librdkafka puts into one batch at most, where the topic takes it.
const BATCH_BYTES: usize = 1_000_000;
/// What a batch may need beyond its records.
const BATCH_OVERHEAD: usize = 1_000;
/// How long a topic may be unknown that must be there, or was just made: brokers learn of it from each other.
pub(super) const UNKNOWN: Duration = Duration::from_secs(5);
/// The same of topics that this process has written to: that they are gone ends it for good, so it is not believed soon.
pub(super) const UNKNOWN_THOUGH_WRITTEN: Duration = Duration::from_secs(30);
/// How often to ask again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The topics as one session asks for them.
pub(super) struct CaptureTopics<'a> {
    settings: &'a CaptureSettings,
    position_topic: String,
    patience: &'a Patience,
    asking: Arc<Topics>,
    admin: Admin,
}

/// A topic that was checked.
pub(super) struct CheckedTopic {
    /// Its id; empty where brokers have none.
    pub(super) id: String,
    /// Whether nothing was ever written to it.
    pub(super) is_empty: bool,
    /// What one batch may hold, so that it is not refused where its records would be taken one by one.
    pub(super) batch_bytes: usize,
}

impl<'a> CaptureTopics<'a> {
    pub(super) fn connect(settings: &'a CaptureSettings, patience: &'a Patience) -> Result<Self, CaptureError> {
        let position_topic = position_topic(&settings.topic);
        let asking = Topics::connect(&settings.kafka, std::slice::from_ref(&settings.topic), "walbook-capture")?;
        let admin = Admin::new(&settings.kafka)?;
        Ok(CaptureTopics { settings, position_topic, patience, asking: Arc::new(asking), admin })
    }

    /// Looks from now on whether the topic stays the one with this id, and that of its position what it is now.
    pub(super) fn watch(&self, id: &str) -> Watch {
        let topic = (self.settings.topic.clone(), id.to_owned());
        Watch::begin(Arc::clone(&self.asking), [topic, (self.position_topic.clone(), String::new())])
    }

    /// The newest position, if there is one.
    pub(super) fn position(&self) -> Result<Option<Position>, CaptureError> {
        self.position_within(Duration::ZERO)
    }

    /// The newest position; brokers may need as long as `patience` to know of its topic.
    pub(super) fn position_within(&self, patience: Duration) -> Result<Option<Position>, CaptureError> {
        if self.find(&self.position_topic, patience)?.is_none() {
            return Ok(None);
        }
        let partition = Partition { topic: self.position_topic.clone(), number: 0 };
        let newest = self.asking.newest_value(&partition)?;
        newest.map(|value| Position::from_json(&self.position_topic, &value)).transpose()
    }

    /// Makes what is missing and may be made, and checks both topics; `position` is what the topic is known by. With one,
    /// brokers may need as long as `patience` to know of the topic.
    pub(super) fn check(&self, position: Option<&Position>, patience: Duration) -> Result<CheckedTopic, CaptureError> {
        let name = &self.settings.topic;
        let patience = if position.is_some() { patience } else { Duration::ZERO };
        let topic = match (self.find(name, patience)?, position, self.settings.create_topic) {
            (Some(topic), _, _) => topic,
            (None, Some(position), _) => {
                let (topic, position_topic) = (name.clone(), self.position_topic.clone());
                return Err(CaptureError::TopicGone { topic, position_topic, position: position.lsn });
            }
            (None, None, Some(partitions)) => {
                let size = NEW_MAX_MESSAGE_BYTES.to_string();
                self.make(name, partitions, &[("cleanup.policy", "delete"), ("max.message.bytes", &size)])?
            }
            (None, None, None) => {
                return Err(CaptureError::Setup(format!(
                    "topic {name:?} does not exist at {}; make it with --create-topic [--partitions N], or check --topic",
                    self.settings.kafka.brokers
                )));
            }
        };
        self.check_position_topic()?;
        let settings = self.admin.topic_settings(name)?;
        if is_compacted(&settings) {
            return Err(CaptureError::Setup(format!(
                "topic {name:?} is compacted: of a table's changes only the newest would stay. Mend it: {}",
                alter_command(&self.settings.kafka.brokers, name, "cleanup.policy=delete")
            )));
        }
        let limit = settings.get("max.message.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(BATCH_BYTES);
        Ok(CheckedTopic {
            is_empty: self.is_empty(&topic)?,
            id: topic.id,
            batch_bytes: limit.saturating_sub(BATCH_OVERHEAD).clamp(BATCH_OVERHEAD, BATCH_BYTES),
        })
    }

    fn check_position_topic(&self) -> Result<(), CaptureError> {
        let name = &self.position_topic;
        let topic = match self.find(name, Duration::ZERO)? {
            Some(topic) => topic,
            // The tail is what is read: segments are small, so that what compaction leaves alone is, too.
            None => self.make(name, 1, &[("cleanup.policy", "compact"), ("segment.bytes", "16777216")])?,
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
                "topic {name:?} has cleanup.policy={policy}: the position would be deleted one day. Mend it: {}",
                alter_command(&self.settings.kafka.brokers, name, "cleanup.policy=compact")
            )));
        }
        Ok(())
    }

    fn make(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<Topic, CaptureError> {
        if self.admin.create(name, partitions, settings)? {
            info!(topic = name, partitions, "made a topic");
        }
        self.find(name, UNKNOWN)?.ok_or_else(|| {
            let brokers = self.settings.kafka.brokers.clone();
            KafkaError::Request {
                what: format!("find topic {name:?} at {brokers}"),
                message: "it was just made".to_owned(),
                code: None,
            }
            .into()
        })
    }

    /// Describes a topic; `None` when the broker did not know it for so long.
    fn find(&self, name: &str, patience: Duration) -> Result<Option<Topic>, CaptureError> {
        let begin = Instant::now();
        loop {
            match self.asking.describe_topic(name) {
                Ok(topic) => return Ok(Some(topic)),
                Err(KafkaError::NoTopic { .. }) if begin.elapsed() >= patience => return Ok(None),
                Err(KafkaError::NoTopic { .. }) => self.patience.sleep(ASK_AGAIN),
                Err(error) => return Err(error.into()),
            }
            if self.patience.is_asked() {
                return Err(CaptureError::Stopped);
            }
        }
    }

    fn is_empty(&self, topic: &Topic) -> Result<bool, CaptureError> {
        for number in 0..topic.partitions {
            let partition = Partition { topic: self.settings.topic.clone(), number };
            if self.asking.watermarks(&partition)?.high > 0 {
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

/// What to do about a record of `bytes` that a topic does not take.
pub(super) fn max_message_bytes_command(brokers: &str, topic: &str, bytes: usize) -> String {
    // What stands around a record in its batch is little.
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
