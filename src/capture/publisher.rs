//! The transactional producer: records and position become visible together, or not at all.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use tracing::{debug, warn};

use super::flow::TransactionSink;
use super::position::{KEY, Position, position_topic};
use super::shutdown_deadline::ShutdownDeadline;
use super::slow_step::SlowStep;
use super::topic_ends::TopicEnds;
use super::topic_watch::TopicWatch;
use super::topics::max_message_bytes_command;
use super::{CaptureError, CaptureSettings};
use crate::change::{Classified, Lsn, Partition};
use crate::control::Deadline;
use crate::source::kafka::{Context, KafkaError};

/// How long one call may take that can be resumed: also the delay until a request to end is seen.
const STEP_TIMEOUT: Duration = Duration::from_millis(200);
/// How long a step of a Kafka transaction may take altogether.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a partition that does not answer where it ends is waited for: an election takes less.
const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to sleep while records are in flight. The binding's own wait spins through its last millisecond.
const DELIVERY_INTERVAL: Duration = Duration::from_micros(500);
/// How long the abort of a Kafka transaction may take.
const ABORT_TIMEOUT: Duration = Duration::from_millis(500);
const ASK_ENDS: &str = "ask where all partitions of the topic end";
/// After how many records librdkafka's delivery reports are read.
const REPORT_INTERVAL: u64 = 1000;

/// Writes to a topic and to the topic of its position.
pub(super) struct Publisher<'a> {
    producer: BaseProducer<Context>,
    settings: &'a CaptureSettings,
    position_topic: String,
    deadline: &'a ShutdownDeadline,
    sent: u64,
    /// Whether the open Kafka transaction has records.
    has_records: bool,
    /// Where the partitions of the claimed topic end: kept in each position.
    ends: Option<TopicEnds<'a>>,
    /// Watches the claimed topic.
    watch: Option<&'a TopicWatch>,
}

impl<'a> Publisher<'a> {
    /// A producer that has become the topic's only one: transactions that an earlier one left open are settled, so that the
    /// newest position that can be read is the newest one.
    ///
    /// # Errors
    /// [`CaptureError::Transaction`] when that was not possible in time, [`CaptureError::Kafka`] when it is not allowed.
    pub(super) fn open(
        settings: &'a CaptureSettings,
        batch_bytes: usize,
        deadline: &'a ShutdownDeadline,
    ) -> Result<Publisher<'a>, CaptureError> {
        let producer = settings.kafka.producing(&format!("walbook-{}", settings.topic), batch_bytes)?;
        let position_topic = position_topic(&settings.topic);
        let publisher = Publisher {
            producer,
            settings,
            position_topic,
            deadline,
            sent: 0,
            has_records: false,
            ends: None,
            watch: None,
        };
        publisher.repeat("become the topic's producer", || publisher.producer.init_transactions(STEP_TIMEOUT))?;
        // A position behind an open transaction could not be read, and its records would be written twice.
        let positions = Partition { topic: publisher.position_topic.clone(), number: 0 };
        match settings.kafka.await_settled(&positions, || deadline.is_requested())? {
            true => Ok(publisher),
            false => Err(CaptureError::Stopped),
        }
    }

    /// Sets the topic that is claimed.
    pub(super) fn set_topic(&mut self, ends: TopicEnds<'a>, watch: &'a TopicWatch) {
        (self.ends, self.watch) = (Some(ends), Some(watch));
    }

    /// Whether a partition of the topic was written to, as far as is known.
    pub(super) fn has_ends(&self) -> bool {
        self.ends.as_ref().is_some_and(|ends| !ends.known().is_empty())
    }

    /// Learns where the partitions end after all that was produced, without the end of the transaction, if that may have
    /// changed. `position` is what their last known ends stand for. Gives the partitions that answered until now.
    ///
    /// # Errors
    /// [`CaptureError::RecordsGone`] if what was below the known ends is not there any more.
    pub(super) fn update_ends(&mut self, position: Lsn) -> Result<Vec<i32>, CaptureError> {
        let Some(mut ends) = self.ends.take() else { return Ok(Vec::new()) };
        let updated = if ends.is_due(Instant::now()) { self.await_ends(&mut ends, position) } else { Ok(Vec::new()) };
        self.ends = Some(ends);
        updated
    }

    /// Asks until the partitions answer. One that does not is waited for once, longer than the election of a leader takes.
    fn await_ends(&self, ends: &mut TopicEnds<'_>, position: Lsn) -> Result<Vec<i32>, CaptureError> {
        let deadline = Deadline::after(TRANSACTION_TIMEOUT);
        let mut step = self.slow_step(ASK_ENDS);
        let mut is_repeated = false;
        loop {
            let is_late = deadline.elapsed() >= UNANSWERED_TIMEOUT;
            match ends.ask(Instant::now(), is_repeated) {
                Ok(answers) if is_late || ends.is_conclusive(&answers, is_repeated) => {
                    return ends.compare_and_keep(answers, position);
                }
                Ok(_) => {}
                Err(error) if error.is_usage() || deadline.has_passed() => return Err(error.into()),
                // A leader that moves is found again, and the transaction is still open.
                Err(error) => debug!(%error, "could not ask where the topic ends yet"),
            }
            is_repeated = true;
            self.read_reports()?;
            step.wait(deadline.elapsed(), || self.last_error())?;
            thread::sleep(STEP_TIMEOUT);
        }
    }

    /// A step that is waited for.
    fn slow_step(&self, what: &'static str) -> SlowStep<'a> {
        SlowStep::new(what, self.watch)
    }

    /// Notes that the open Kafka transaction has written to the topic, if it has.
    fn note_write(&mut self) {
        if let Some(ends) = self.ends.as_mut().filter(|_| self.has_records) {
            ends.note_write(Instant::now());
        }
    }

    fn last_error(&self) -> Option<String> {
        self.producer.context().last_error()
    }

    fn enqueue(&mut self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), CaptureError> {
        let deadline = Deadline::after(TRANSACTION_TIMEOUT);
        let mut step = self.slow_step("produce a record");
        while let Err((error, refused)) = self.producer.send(record) {
            match error.rdkafka_error_code() {
                // Memory is bounded: wait until some records were delivered.
                Some(RDKafkaErrorCode::QueueFull) if !deadline.has_passed() => {
                    self.read_reports()?;
                    step.wait(deadline.elapsed(), || self.last_error())?;
                    thread::sleep(DELIVERY_INTERVAL);
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
        if self.sent.is_multiple_of(REPORT_INTERVAL) { self.read_reports() } else { Ok(()) }
    }

    /// Waits until everything that was produced has been delivered.
    fn await_deliveries(&self) -> Result<(), CaptureError> {
        let deadline = Deadline::after(TRANSACTION_TIMEOUT);
        let mut step = self.slow_step("produce a record");
        loop {
            self.read_reports()?;
            if self.producer.in_flight_count() == 0 {
                return Ok(());
            }
            step.wait(deadline.elapsed(), || self.last_error())?;
            if deadline.has_passed() {
                let message = format!("the broker did not accept it within {} s", deadline.timeout().as_secs());
                return Err(CaptureError::Transaction { what: "produce a record", message });
            }
            thread::sleep(DELIVERY_INTERVAL);
        }
    }

    /// Reads which records were not delivered; also ends the work that a shutdown does not wait for.
    fn read_reports(&self) -> Result<(), CaptureError> {
        self.producer.poll(Duration::ZERO);
        if self.deadline.has_passed() {
            return Err(CaptureError::Stopped);
        }
        let Some(undelivered) = self.producer.context().undelivered() else { return Ok(()) };
        if undelivered.code == RDKafkaErrorCode::MessageSizeTooLarge {
            return Err(self.too_large(undelivered.key.as_deref(), &undelivered.beginning, undelivered.bytes));
        }
        let (what, code) = ("produce a record", Some(undelivered.code));
        let message = format!("topic {:?}: {}", undelivered.topic, undelivered.code);
        Err(transaction_error(what, KafkaError::Request { what: what.to_owned(), message, code }))
    }

    /// Repeats a call that can be resumed until it is done, fails, or its time is over.
    fn repeat(&self, what: &'static str, call: impl Fn() -> Result<(), RdError>) -> Result<(), CaptureError> {
        let deadline = Deadline::after(TRANSACTION_TIMEOUT);
        let mut step = self.slow_step(what);
        loop {
            let error = match call() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.read_reports()?;
            let is_retryable = match &error {
                RdError::Transaction(error) => error.is_retriable(),
                RdError::Flush(_) => true,
                _ => false,
            };
            if !is_retryable || deadline.has_passed() {
                return Err(failed(what, &error));
            }
            debug!(%error, "could not {what} yet");
            step.wait(deadline.elapsed(), || self.last_error())?;
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
            fix: max_message_bytes_command(&self.settings.kafka.brokers, &self.settings.topic, bytes),
        }
    }
}

impl TransactionSink for Publisher<'_> {
    fn begin(&mut self) -> Result<(), CaptureError> {
        self.has_records = false;
        self.producer.begin_transaction().map_err(|error| failed("begin a Kafka transaction", &error))
    }

    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) -> Result<(), CaptureError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.settings.topic).payload(value);
        record.key = key;
        self.has_records = true;
        self.enqueue(record)
    }

    /// After an error it is unknown whether the Kafka transaction was committed.
    fn commit(&mut self, position: &Position) -> Result<(), CaptureError> {
        // The position names where the partitions end with what was produced.
        self.await_deliveries()?;
        self.note_write();
        let silent = self.update_ends(position.lsn)?;
        if self.has_records && !silent.is_empty() {
            // They may have accepted records of this transaction, and lose them again before their end is known.
            let message = format!("partitions {silent:?} stopped answering while records were written");
            return Err(CaptureError::Transaction { what: ASK_ENDS, message });
        }
        let ends = self.ends.as_ref().map_or_else(Vec::new, |ends| ends.known().to_vec());
        let position = Position { ends, ..position.clone() };
        let (topic, value) = (self.position_topic.clone(), position.to_json());
        self.enqueue(BaseRecord::to(&topic).partition(0).key(KEY.as_bytes()).payload(value.as_slice()))?;
        // Not awaited: the commit sends what is queued at once, and fails if the broker refuses it.
        self.repeat("commit a Kafka transaction", || self.producer.commit_transaction(STEP_TIMEOUT))?;
        // The transaction's end is written to each partition that has records of it.
        self.note_write();
        Ok(())
    }

    /// Done so that no reader waits for the open transaction. A failure changes nothing: the next producer settles it.
    fn abort(&mut self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        Deadline::after(ABORT_TIMEOUT).wait_until(DELIVERY_INTERVAL, || {
            self.producer.poll(Duration::ZERO);
            self.producer.in_flight_count() == 0
        });
        if let Err(error) = self.producer.abort_transaction(ABORT_TIMEOUT) {
            debug!(%error, "could not abort a Kafka transaction");
        }
    }
}

fn failed(what: &'static str, error: &RdError) -> CaptureError {
    transaction_error(what, KafkaError::request(what, error))
}

/// A refusal stays one; after anything else the next session finds out whether the Kafka transaction was committed.
fn transaction_error(what: &'static str, error: KafkaError) -> CaptureError {
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
            warn!(records = left, "dropped records that were not committed; they will be read again");
        }
    }
}
