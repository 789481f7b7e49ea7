//! What a client of librdkafka reports: log lines, its last error, records that it could not deliver.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tracing::{debug, error, info, warn};

use super::error::is_refusal;

/// Events of a client that are served at once: more than all brokers of a cluster send in a second.
const MAX_EVENTS: usize = 100;

/// Forwards librdkafka's log lines to ours, and keeps the last error for messages.
#[derive(Clone, Default)]
pub struct Context {
    last_error: Arc<Mutex<Option<String>>>,
    refusal: Arc<Mutex<Option<RDKafkaErrorCode>>>,
    undelivered: Arc<Mutex<Option<Undelivered>>>,
}

/// A record that a producer could not deliver.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// Why.
    pub code: RDKafkaErrorCode,
    /// The topic it was for.
    pub topic: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// How its value begins.
    pub beginning: Vec<u8>,
    /// The size of its value.
    pub bytes: usize,
}

impl Undelivered {
    /// How much of a value is kept.
    const BEGINNING: usize = 200;
}

impl Context {
    /// The last error that librdkafka reported for this client.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last refusal of a broker that a retry does not change.
    pub(super) fn refusal(&self) -> Option<RDKafkaErrorCode> {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first record that was not delivered.
    pub fn undelivered(&self) -> Option<Undelivered> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, message: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Error) {
            self.note(message.to_owned());
        }
        log_line(level, facility, message);
    }

    fn error(&self, error: RdError, reason: &str) {
        self.note(reason.to_owned());
        if let Some(code) = error.rdkafka_error_code().filter(|code| is_refusal(*code)) {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
        }
        debug!(target: "librdkafka", %error, "{reason}");
    }
}

/// Writes a log line of librdkafka.
pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Error => warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, "{message}"),
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else { return };
        let value = message.payload().unwrap_or_default();
        let undelivered = Undelivered {
            code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
            topic: message.topic().to_owned(),
            key: message.key().map(<[u8]>::to_vec),
            beginning: value[..value.len().min(Undelivered::BEGINNING)].to_vec(),
            bytes: value.len(),
        };
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(undelivered);
    }
}

/// The client below a consumer.
pub(super) fn client(consumer: &BaseConsumer<Context>) -> &Client<Context> {
    consumer.client()
}

/// Serves librdkafka's events, which would pile up in a client that is only asked.
pub(super) fn serve_events(consumer: &BaseConsumer<Context>) {
    for _ in 0..MAX_EVENTS {
        if consumer.poll(Duration::ZERO).is_none() {
            break;
        }
    }
}
