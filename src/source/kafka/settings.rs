//! How clients of librdkafka are set up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as RdError;
use rdkafka::{ClientConfig, ClientContext};
use tracing::{debug, error, info, warn};

use super::KafkaError;

/// Bytes that librdkafka may hold for one worker.
const QUEUE_KBYTES: &str = "16384";

/// How often topics are looked at anew, in milliseconds; ours too, not only librdkafka's.
const METADATA_REFRESH: &str = "topic.metadata.refresh.interval.ms";

/// Brokers and what the user passes through to librdkafka.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Settings of librdkafka by name; they win over our own.
    pub passed: Vec<(String, String)>,
}

/// Settings that correctness stands on; a user cannot change them.
const FIXED: [(&str, &str); 5] = [
    ("isolation.level", "read_committed"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
];

impl KafkaSettings {
    /// A consumer for reading, whose group is only a name: it never joins and never commits.
    pub(super) fn reading(&self, worker: usize) -> Result<BaseConsumer<Context>, KafkaError> {
        let group = format!("walbook-reader-{}-{worker}", std::process::id());
        self.consumer(&[
            ("group.id", group.as_str()),
            ("queued.max.messages.kbytes", QUEUE_KBYTES),
            ("queued.min.messages", "1000000"),
            ("fetch.message.max.bytes", "4194304"),
            ("fetch.max.bytes", "8388608"),
            // The broker answers at once when there is a record; this is only how long an idle request rests there.
            ("fetch.wait.max.ms", "200"),
            ("fetch.queue.backoff.ms", "5"),
            ("check.crcs", "true"),
        ])
    }

    /// A consumer that asks for metadata and tells `group` how far the book is.
    pub(super) fn asking(&self, group: &str) -> Result<BaseConsumer<Context>, KafkaError> {
        self.consumer(&[("group.id", group)])
    }

    fn consumer(&self, ours: &[(&str, &str)]) -> Result<BaseConsumer<Context>, KafkaError> {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", "walbook").set("socket.keepalive.enable", "true");
        config.set(METADATA_REFRESH, "10000");
        // A topic that does not exist is the user's mistake, never to be created by looking for it.
        config.set("allow.auto.create.topics", "false");
        for (key, value) in ours {
            config.set(*key, *value);
        }
        for (key, value) in &self.passed {
            // One setting has two names, and librdkafka would take whichever comes last.
            config.set(if key == "max.partition.fetch.bytes" { "fetch.message.max.bytes" } else { key }, value);
        }
        for (key, value) in FIXED {
            config.set(key, value);
        }
        for (key, value) in ours.iter().filter(|(key, _)| *key == "group.id") {
            config.set(*key, *value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config
            .create_with_context(Context::default())
            .map_err(|error| KafkaError::Settings { message: explain(&error) })
    }

    /// How often to look for new partitions: as often as librdkafka does.
    pub fn metadata_refresh_interval(&self) -> Duration {
        let passed = self.passed.iter().rev().find(|(key, _)| key == METADATA_REFRESH);
        let millis = passed.and_then(|(_, value)| value.parse().ok()).filter(|millis| *millis > 0);
        Duration::from_millis(millis.unwrap_or(10_000))
    }

    /// Says no to settings that would break a promise.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] with the name and what it is for.
    pub fn check(&self) -> Result<(), KafkaError> {
        let refuse = |message: String| Err(KafkaError::Settings { message });
        for (key, _) in &self.passed {
            if FIXED.iter().any(|(fixed, _)| fixed == key) {
                return refuse(format!("-X {key} cannot be set: exactly-once stands on walbook's own offsets"));
            }
            match key.as_str() {
                "bootstrap.servers" | "metadata.broker.list" => return refuse(format!("-X {key}: use --brokers")),
                "group.id" => return refuse("-X group.id: use --group".to_owned()),
                _ => {}
            }
        }
        self.asking("walbook-check").map(drop)
    }
}

/// What librdkafka said of a setting, with what to do about it.
fn explain(error: &RdError) -> String {
    let text = match error {
        // Not the value: it may be a password.
        RdError::ClientConfig(_, what, key, _) => format!("{what} ({key})"),
        other => other.to_string(),
    };
    let needs_tls = ["OpenSSL", "SASL", "security.protocol", "ssl."].iter().any(|word| text.contains(word));
    if needs_tls && !cfg!(feature = "tls") {
        return format!("{text}; this build is without TLS and SASL: build with --features tls");
    }
    text
}

/// Hands librdkafka's log lines to ours, and keeps the last error for the answer to "what was seen?".
#[derive(Clone, Default)]
pub(super) struct Context {
    last_error: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// The last error that librdkafka told of this client.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, message: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Error => {
                self.note(message.to_owned());
                warn!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: RdError, reason: &str) {
        self.note(reason.to_owned());
        debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Context {}

/// The client below a consumer.
pub(super) fn client(consumer: &BaseConsumer<Context>) -> &Client<Context> {
    consumer.client()
}
