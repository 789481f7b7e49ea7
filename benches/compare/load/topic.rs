//! Topics on the broker, filled from a plan by one producer per core.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::counts::Counts;
use super::records::{RecordPlan, Tally};
use crate::Outcome;

const TIMEOUT: Duration = Duration::from_secs(60);
const PRODUCERS: u64 = 2;

/// A topic and what is known of it; dropped, it is deleted.
pub(crate) struct Topic {
    pub(crate) brokers: String,
    pub(crate) name: String,
    pub(crate) records: u64,
    /// Bytes of all values.
    pub(crate) bytes: u64,
    /// The right counts.
    pub(crate) truth: Counts,
}

impl Topic {
    /// Makes an empty topic; the name gets a suffix that no other topic has.
    pub(crate) fn create(brokers: &str, name: &str, partitions: i32) -> Outcome<Topic> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("compare_{name}_{}_{number}", std::process::id());
        // The disk of one row is free for the next.
        let new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1)).set("file.delete.delay.ms", "1000");
        let created =
            wait(admin(brokers)?.create_topics([&new], &AdminOptions::new().operation_timeout(Some(TIMEOUT))))?;
        for result in created {
            result.map_err(|(name, code)| format!("could not create topic {name}: {code}"))?;
        }
        Ok(Topic { brokers: brokers.to_owned(), name, records: 0, bytes: 0, truth: Counts::default() })
    }

    /// Makes a topic that holds the records of a plan.
    pub(crate) fn fill(brokers: &str, name: &str, plan: &RecordPlan) -> Outcome<Topic> {
        let mut topic = Topic::create(brokers, name, plan.partitions)?;
        let (mut tally, mut bytes) = (plan.tally(), 0);
        thread::scope(|scope| -> Outcome<()> {
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|part| {
                    scope.spawn({
                        let topic = &topic;
                        move || topic.produce(plan, part)
                    })
                })
                .collect();
            for producer in producers {
                let (part, part_bytes) = producer.join().map_err(|_| "a producer panicked")??;
                tally.merge(&part);
                bytes += part_bytes;
            }
            Ok(())
        })?;
        (topic.records, topic.bytes) = (plan.records, bytes);
        topic.truth = plan.named(&tally);
        Ok(topic)
    }

    /// How many of its records cannot be read: each of the others is one change.
    pub(crate) fn rejects(&self) -> u64 {
        self.records - self.truth.total()
    }

    /// A producer into this topic's brokers.
    pub(crate) fn producer(&self, settings: &[(&str, &str)]) -> Outcome<TopicProducer> {
        TopicProducer::new(&self.brokers, &self.name, settings)
    }

    /// Produces one part of a plan, the records of every second partition, in their order; returns their counts and bytes.
    fn produce(&self, plan: &RecordPlan, part: u64) -> Result<(Tally, u64), String> {
        let settings = [("compression.type", plan.compression.name()), ("linger.ms", "20"), ("batch.size", "1000000")];
        let producer = self.producer(&settings).map_err(|error| error.to_string())?;
        let (mut tally, mut bytes, mut value) = (plan.tally(), 0, Vec::with_capacity(plan.bytes));
        let partitions = u64::from(plan.partitions.unsigned_abs());
        // With a single partition the first producer has all of it, so that the order is that of the numbers.
        for number in (0..plan.records).filter(|number| number % partitions % PRODUCERS == part) {
            let made = plan.make(number, &mut value);
            producer.send(made.partition, made.time, &value)?;
            tally.add(&made);
            bytes += value.len() as u64;
        }
        producer.flush()?;
        Ok((tally, bytes))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // The broker is stopped soon in any case.
        if let Ok(admin) = admin(&self.brokers) {
            let _ = wait(admin.delete_topics(&[&self.name], &AdminOptions::new()));
        }
    }
}

/// Produces into one topic.
pub(crate) struct TopicProducer {
    topic: String,
    producer: BaseProducer<Failures>,
    failures: Failures,
}

impl TopicProducer {
    fn new(brokers: &str, topic: &str, settings: &[(&str, &str)]) -> Outcome<TopicProducer> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("queue.buffering.max.kbytes", "262144")
            .set("queue.buffering.max.messages", "1000000")
            .set("delivery.report.only.error", "true");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let failures = Failures::default();
        let producer = config.create_with_context(failures.clone())?;
        Ok(TopicProducer { topic: topic.to_owned(), producer, failures })
    }

    /// Queues a record; waits while the queue is full.
    pub(crate) fn send(&self, partition: i32, time: i64, value: &[u8]) -> Result<(), String> {
        let mut record = BaseRecord::<(), [u8]>::to(&self.topic).partition(partition).timestamp(time).payload(value);
        while let Err((error, refused)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(format!("could not produce: {error}"));
            }
            self.producer.poll(Duration::from_millis(5));
            record = refused;
        }
        Ok(())
    }

    /// Waits until the broker has everything.
    pub(crate) fn flush(&self) -> Result<(), String> {
        self.producer.flush(TIMEOUT).map_err(|error| format!("the broker did not acknowledge all records: {error}"))?;
        let failures = self.failures.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.is_empty() { Ok(()) } else { Err(format!("records were not delivered: {failures:?}")) }
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
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
        }
    }
}

fn admin(brokers: &str) -> Outcome<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", brokers).create()?)
}

fn wait<T, E: std::error::Error + 'static>(request: impl Future<Output = Result<T, E>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(request)?)
}
