//! How clients of librdkafka are set up.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError as RdError;
use rdkafka::producer::{BaseProducer, Producer};

use super::KafkaError;
use super::context::{Context, client};
use super::logger::write_log_lines;

/// Bytes that librdkafka may hold for one worker.
const QUEUE_KBYTES: &str = "16384";

/// How often metadata is refreshed, in milliseconds; by us too, not only by librdkafka.
const METADATA_REFRESH: &str = "topic.metadata.refresh.interval.ms";

/// Whether a request for a topic creates it; librdkafka's default depends on the kind of client.
const AUTO_CREATE: &str = "allow.auto.create.topics";

/// Brokers and what the user passes through to librdkafka.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Settings of librdkafka by name; they override our own.
    pub passed: Vec<(String, String)>,
}

/// Settings of consumers that correctness depends on; a user cannot change them.
const FIXED: [(&str, &str); 5] = [
    ("isolation.level", "read_committed"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
];

/// The same of producers.
const FIXED_PRODUCING: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("request.required.acks", "all"),
    // As Java's: a table's records stay in one partition, with any producer.
    ("partitioner", "murmur2_random"),
    // A topic that is deleted while it is written must not be created again: the rest would go into another topic.
    (AUTO_CREATE, "false"),
    // Report failed deliveries only.
    ("delivery.report.only.error", "true"),
];

/// Other names of settings of producers that are fixed, or that walbook sets itself.
const OURS_PRODUCING: [&str; 2] = ["acks", "transactional.id"];

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
            // The broker answers at once when there is a record; this is how long an idle request rests there. librdkafka has one request
            // at a time for each broker, so a partition that is added waits for that.
            ("fetch.wait.max.ms", "200"),
            ("fetch.queue.backoff.ms", "5"),
            ("check.crcs", "true"),
        ])
    }

    /// A consumer that requests metadata and commits offsets to `group`.
    pub(super) fn asking(&self, group: &str) -> Result<BaseConsumer<Context>, KafkaError> {
        // It also reads the tail of a partition, up to the end.
        self.consumer(&[("group.id", group), ("fetch.wait.max.ms", "20")])
    }

    /// A consumer that requests the end of partitions, with what is not committed yet.
    pub(super) fn seeing_open(&self) -> Result<BaseConsumer<Context>, KafkaError> {
        let mut config = self.consuming(&[("group.id", "walbook-open")]);
        config.set("isolation.level", "read_uncommitted");
        consumer(&config)
    }

    /// A producer of transactions under an id that one process has at a time; a batch holds at most `batch_bytes`.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] when librdkafka refuses them.
    pub fn producing(&self, transactional_id: &str, batch_bytes: usize) -> Result<BaseProducer<Context>, KafkaError> {
        let batch_bytes = batch_bytes.to_string();
        let mut config = self.config(&[
            // Few large requests: with 5 ms a broker needs more than twice the CPU for the same records.
            ("linger.ms", "20"),
            ("batch.size", batch_bytes.as_str()),
            ("batch.num.messages", "100000"),
            ("compression.type", "lz4"),
            // A broker closes the connection for a larger request (socket.request.max.bytes) without a reason.
            ("message.max.bytes", "100000000"),
            // The queue is bounded by records here, and in bytes by the callers.
            ("queue.buffering.max.messages", "50000"),
            ("queue.buffering.max.kbytes", "2097151"),
        ]);
        for (key, value) in FIXED_PRODUCING {
            config.set(key, value);
        }
        config.set("transactional.id", transactional_id);
        let producer: BaseProducer<Context> = config.create_with_context(Context::default()).map_err(refused)?;
        write_log_lines(producer.client());
        Ok(producer)
    }

    /// A client that creates and describes topics.
    pub(super) fn administering(&self) -> Result<AdminClient<Context>, KafkaError> {
        let admin: AdminClient<Context> = self.config(&[]).create_with_context(Context::default()).map_err(refused)?;
        write_log_lines(admin.inner());
        Ok(admin)
    }

    fn consumer(&self, ours: &[(&str, &str)]) -> Result<BaseConsumer<Context>, KafkaError> {
        consumer(&self.consuming(ours))
    }

    /// The settings of every consumer.
    fn consuming(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.config(ours);
        for (key, value) in FIXED {
            config.set(key, value);
        }
        for (key, value) in ours.iter().filter(|(key, _)| *key == "group.id") {
            config.set(*key, *value);
        }
        config
    }

    /// The settings of every client: ours, then the user's.
    fn config(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("client.id", "walbook").set("socket.keepalive.enable", "true");
        config.set(METADATA_REFRESH, "10000");
        for (key, value) in ours {
            config.set(*key, *value);
        }
        for (key, value) in &self.passed {
            // One setting has two names, and librdkafka uses the one that comes last.
            config.set(if key == "max.partition.fetch.bytes" { "fetch.message.max.bytes" } else { key }, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        // A topic that does not exist is the user's mistake; a request must not create it.
        config.set(AUTO_CREATE, "false");
        config
    }

    /// How often to discover new partitions: as often as librdkafka does.
    pub fn metadata_refresh_interval(&self) -> Duration {
        let passed = self.passed.iter().rev().find(|(key, _)| key == METADATA_REFRESH);
        let millis = passed.and_then(|(_, value)| value.parse().ok()).filter(|millis| *millis > 0);
        Duration::from_millis(millis.unwrap_or(10_000))
    }

    /// Refuses settings of producers that would break a promise.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] with the name and what it is for.
    pub fn check_producing(&self) -> Result<(), KafkaError> {
        let fixed = FIXED_PRODUCING.iter().map(|(key, _)| *key).chain(OURS_PRODUCING);
        let is_fixed = |key: &&(String, String)| fixed.clone().any(|fixed| fixed == key.0);
        if let Some((key, _)) = self.passed.iter().find(is_fixed) {
            let message = format!("-X {key} cannot be set: exactly-once depends on it");
            return Err(KafkaError::Settings { message });
        }
        self.check()
    }

    /// Refuses settings that would break a promise.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] with the name and what it is for.
    pub fn check(&self) -> Result<(), KafkaError> {
        let refuse = |message: String| Err(KafkaError::Settings { message });
        for (key, _) in &self.passed {
            if FIXED.iter().any(|(fixed, _)| fixed == key) {
                return refuse(format!("-X {key} cannot be set: exactly-once depends on walbook's own offsets"));
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

fn consumer(config: &ClientConfig) -> Result<BaseConsumer<Context>, KafkaError> {
    let consumer: BaseConsumer<Context> = config.create_with_context(Context::default()).map_err(refused)?;
    write_log_lines(client(&consumer));
    Ok(consumer)
}

fn refused(error: RdError) -> KafkaError {
    KafkaError::Settings { message: explain(&error) }
}

/// librdkafka's error of a setting, with what to do about it.
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
