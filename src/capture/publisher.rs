//! The transactional producer: records and position become visible together, or not at all.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use tracing::{debug, warn};

use super::patience::Patience;
use super::position::{KEY, Position, position_topic};
use super::topics::max_message_bytes_command;
use super::{CaptureError, CaptureSettings};
use crate::change::Partition;
use crate::source::kafka::{Context, KafkaError};

/// How long one call may take that can be taken up again: also how late a request to end is seen.
const STEP: Duration = Duration::from_millis(200);
/// How long a step of a transaction may take altogether.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to sleep while records are under way. The binding's own wait spins through its last millisecond.
const NAP: Duration = Duration::from_micros(500);
/// How long taking back what was begun may take.
const ABORT: Duration = Duration::from_millis(500);
/// After how many records librdkafka's news are heard.
const HEAR_EVERY: u64 = 1000;

/// Writes to a topic and to the topic of its position.
pub(super) struct Publisher<'a> {
    producer: BaseProducer<Context>,
    settings: &'a CaptureSettings,
    position_topic: String,
    patience: &'a Patience,
    sent: u64,
}

impl<'a> Publisher<'a> {
    /// A producer that has become the topic's only one: what an earlier one left open is settled, and the newest position
    /// that can be read is the newest there is.
    ///
    /// # Errors
    /// [`CaptureError::Transaction`] when that was not possible in time, [`CaptureError::Kafka`] when it is not allowed.
    pub(super) fn open(
        settings: &'a CaptureSettings,
        batch_bytes: usize,
        patience: &'a Patience,
    ) -> Result<Publisher<'a>, CaptureError> {
        let producer = settings.kafka.producing(&format!("walbook-{}", settings.topic), batch_bytes)?;
        let position_topic = position_topic(&settings.topic);
        let publisher = Publisher { producer, settings, position_topic, patience, sent: 0 };
        publisher.repeat("become the topic's producer", || publisher.producer.init_transactions(STEP))?;
        // A position behind an open transaction would not be seen, and what it says written again.
        let positions = Partition { topic: publisher.position_topic.clone(), number: 0 };
        match settings.kafka.await_settled(&positions, || patience.is_asked())? {
            true => Ok(publisher),
            false => Err(CaptureError::Stopped),
        }
    }

    /// Opens a transaction.
    pub(super) fn begin(&self) -> Result<(), CaptureError> {
        self.producer.begin_transaction().map_err(|error| failed("begin a Kafka transaction", &error))
    }

    /// Adds a record to the open transaction.
    pub(super) fn send(&mut self, key: Option<&[u8]>, value: &[u8]) -> Result<(), CaptureError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.settings.topic).payload(value);
        record.key = key;
        self.enqueue(record)
    }

    /// Completes the open transaction with `position`.
    ///
    /// # Errors
    /// Whatever happened; whether the transaction was committed is then not known.
    pub(super) fn commit(&mut self, position: &Position) -> Result<(), CaptureError> {
        let (topic, value) = (self.position_topic.clone(), position.to_json());
        self.enqueue(BaseRecord::to(&topic).partition(0).key(KEY.as_bytes()).payload(value.as_slice()))?;
        self.await_deliveries(PATIENCE)?;
        self.repeat("commit a Kafka transaction", || self.producer.commit_transaction(STEP))
    }

    /// Takes the open transaction back, so that nobody who reads waits for it. A failure changes nothing: the next producer settles it.
    pub(super) fn abort(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let begin = Instant::now();
        while self.producer.in_flight_count() > 0 && begin.elapsed() < ABORT {
            self.producer.poll(Duration::ZERO);
            thread::sleep(NAP);
        }
        if let Err(error) = self.producer.abort_transaction(ABORT) {
            debug!(%error, "could not take a Kafka transaction back");
        }
    }

    fn enqueue(&mut self, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), CaptureError> {
        let mut record = record;
        let begin = Instant::now();
        while let Err((error, refused)) = self.producer.send(record) {
            match error.rdkafka_error_code() {
                // Memory is bounded: wait until some of it is under way.
                Some(RDKafkaErrorCode::QueueFull) if begin.elapsed() < PATIENCE => {
                    self.hear()?;
                    thread::sleep(NAP);
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let value = refused.payload.unwrap_or_default();
                    return Err(self.too_large(refused.key, value, value.len()));
                }
                _ => return Err(failed("produce a record", &error)),
            }
            record = refused;
        }
        self.sent += 1;
        if self.sent.is_multiple_of(HEAR_EVERY) { self.hear() } else { Ok(()) }
    }

    /// Waits until everything that was produced has arrived.
    fn await_deliveries(&self, limit: Duration) -> Result<(), CaptureError> {
        let begin = Instant::now();
        loop {
            self.hear()?;
            if self.producer.in_flight_count() == 0 {
                return Ok(());
            }
            if begin.elapsed() > limit {
                let message = format!("the broker did not take it within {} s", limit.as_secs());
                return Err(CaptureError::Transaction { what: "produce a record", message });
            }
            thread::sleep(NAP);
        }
    }

    /// Hears what became of records.
    fn hear(&self) -> Result<(), CaptureError> {
        self.producer.poll(Duration::ZERO);
        if self.patience.is_over() {
            return Err(CaptureError::Stopped);
        }
        let Some(undelivered) = self.producer.context().undelivered() else { return Ok(()) };
        if undelivered.code == RDKafkaErrorCode::MessageSizeTooLarge {
            return Err(self.too_large(undelivered.key.as_deref(), &undelivered.beginning, undelivered.bytes));
        }
        let (what, code) = ("produce a record", Some(undelivered.code));
        let message = format!("topic {:?}: {}", undelivered.topic, undelivered.code);
        Err(trouble(what, KafkaError::Request { what: what.to_owned(), message, code }))
    }

    /// Calls what can be taken up again until it is done, fails, or has taken too long.
    fn repeat(&self, what: &'static str, call: impl Fn() -> Result<(), RdError>) -> Result<(), CaptureError> {
        let begin = Instant::now();
        loop {
            let error = match call() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.hear()?;
            let retriable = match &error {
                RdError::Transaction(error) => error.is_retriable(),
                RdError::Flush(_) => true,
                _ => false,
            };
            if !retriable || begin.elapsed() > PATIENCE {
                return Err(failed(what, &error));
            }
            debug!(%error, "could not {what} yet");
        }
    }

    fn too_large(&self, key: Option<&[u8]>, beginning: &[u8], bytes: usize) -> CaptureError {
        let beginning = String::from_utf8_lossy(beginning);
        let lsn = beginning.strip_prefix(r#"{"lsn":""#).and_then(|rest| rest.split('"').next());
        CaptureError::TooLarge {
            table: key
                .map_or("a table that could not be read".to_owned(), |key| String::from_utf8_lossy(key).into_owned()),
            lsn: lsn.unwrap_or("an unknown LSN").to_owned(),
            bytes,
            topic: self.settings.topic.clone(),
            mend: max_message_bytes_command(&self.settings.kafka.brokers, &self.settings.topic, bytes),
        }
    }
}

fn failed(what: &'static str, error: &RdError) -> CaptureError {
    trouble(what, KafkaError::request(what, error))
}

/// A refusal stays one; after anything else the next session finds out what became of the transaction.
fn trouble(what: &'static str, error: KafkaError) -> CaptureError {
    let is_refused = error.is_usage();
    match error {
        KafkaError::Request { message, .. } if !is_refused => CaptureError::Transaction { what, message },
        error => error.into(),
    }
}

impl Drop for Publisher<'_> {
    fn drop(&mut self) {
        let left = self.producer.in_flight_count();
        if left > 0 {
            warn!(records = left, "records that were not committed are given up; they will be read again");
        }
    }
}
