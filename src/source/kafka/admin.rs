//! Creates topics and reads their settings.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::context::Context;
use super::{KafkaError, KafkaSettings};

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// As many replicas as the broker gives a topic by default (KIP-464).
const DEFAULT_REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// A client that creates and describes topics.
pub struct Admin {
    client: AdminClient<Context>,
}

impl Admin {
    /// A client that has sent no request yet.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] when librdkafka refuses them.
    pub fn new(settings: &KafkaSettings) -> Result<Admin, KafkaError> {
        Ok(Admin { client: settings.administering()? })
    }

    /// Creates a topic, or leaves an existing one as it is. Returns whether it is new.
    ///
    /// # Errors
    /// The broker's error.
    pub fn create(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<bool, KafkaError> {
        let what = || format!("create topic {topic:?}");
        let mut new = NewTopic::new(topic, partitions, DEFAULT_REPLICATION);
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let answers = wait_for(self.client.create_topics([&new], &options()))
            .map_err(|error| KafkaError::request(what(), &error))?;
        for answer in answers {
            match answer {
                Ok(_) => {}
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(false),
                Err((_, code)) => return Err(KafkaError::answer(what(), code)),
            }
        }
        Ok(true)
    }

    /// The settings of an existing topic, with the defaults of its broker.
    ///
    /// # Errors
    /// The broker's error.
    pub fn topic_settings(&self, topic: &str) -> Result<BTreeMap<String, String>, KafkaError> {
        let what = || format!("read the settings of topic {topic:?}");
        let answers = wait_for(self.client.describe_configs(&[ResourceSpecifier::Topic(topic)], &options()))
            .map_err(|error| KafkaError::request(what(), &error))?;
        let mut settings = BTreeMap::new();
        for answer in answers {
            let entries = answer.map_err(|code| KafkaError::answer(what(), code))?.entries;
            settings.extend(entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        if settings.is_empty() {
            // The binding drops the error of a single topic. If the topic exists it is a missing right.
            let metadata = self.client.inner().fetch_metadata(Some(topic), REQUEST_TIMEOUT);
            let metadata = metadata.map_err(|error| KafkaError::request(what(), &error))?;
            let exists = metadata.topics().iter().any(|topic| topic.error().is_none());
            return Err(KafkaError::answer(
                what(),
                match exists {
                    true => RDKafkaErrorCode::TopicAuthorizationFailed,
                    false => RDKafkaErrorCode::UnknownTopicOrPartition,
                },
            ));
        }
        Ok(settings)
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT)).request_timeout(Some(REQUEST_TIMEOUT))
}

/// Runs a future to its end on this thread: librdkafka's own thread completes it.
fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
