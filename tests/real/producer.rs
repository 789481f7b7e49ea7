//! Producers into a topic, transactional or not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::topic::{Record, Topic};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Produces into one topic.
pub(crate) struct TopicProducer {
    topic: String,
    producer: BaseProducer<Failures>,
    failures: Failures,
}

impl TopicProducer {
    /// A producer with settings of its own.
    pub(crate) fn new(topic: &Topic, settings: &[(&str, &str)]) -> TopicProducer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &topic.brokers)
            .set("message.max.bytes", "64000000")
            .set("queue.buffering.max.kbytes", "262144")
            .set("linger.ms", "5");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let failures = Failures::default();
        let producer = config.create_with_context(failures.clone()).expect("valid settings");
        TopicProducer { topic: topic.name.clone(), producer, failures }
    }

    /// Produces all records and waits until the broker has them.
    pub(crate) fn produce(&self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.send(&record);
        }
        self.flush();
    }

    /// Queues one record.
    pub(crate) fn send(&self, record: &Record) {
        let mut message = BaseRecord::<[u8], [u8]>::to(&self.topic).partition(record.partition).timestamp(record.time);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            let headers = record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
            message = message.headers(headers);
        }
        while let Err((error, refused)) = self.producer.send(message) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "could not produce: {error}");
            self.producer.poll(Duration::from_millis(50));
            message = refused;
        }
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until the broker has everything.
    pub(crate) fn flush(&self) {
        self.producer.flush(TIMEOUT).expect("the broker takes the records");
        let failures = self.failures.0.lock().expect("no thread panics with it");
        assert!(failures.is_empty(), "records were not delivered: {failures:?}");
    }

    /// Makes this producer transactional, once; it needs a `transactional.id`.
    pub(crate) fn init_transactions(&self) {
        self.producer.init_transactions(TIMEOUT).expect("transactions are possible");
    }

    /// Opens a transaction.
    pub(crate) fn begin(&self) {
        self.producer.begin_transaction().expect("no transaction is open");
    }

    /// Commits what was produced since `begin`.
    pub(crate) fn commit(&self) {
        self.producer.commit_transaction(TIMEOUT).expect("the transaction commits");
    }

    /// Takes back what was produced since `begin`.
    pub(crate) fn abort(&self) {
        self.producer.abort_transaction(TIMEOUT).expect("the transaction aborts");
    }
}

/// What went wrong with records after they were queued.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("no thread panics with it").push(error.to_string());
        }
    }
}
