//! The floor: consumers of librdkafka that read and count records, and do nothing with them.
//!
//! They are threads of a process of their own, so that their CPU and memory are measured as those of the others. Their settings
//! are those of walbook's own consumers, and so is the call that returns many messages at a time.

#![allow(unsafe_code, reason = "the batch call of librdkafka has no safe form")]

use std::ptr::{self, NonNull};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::{Contestant, TIMEOUT};
use crate::Outcome;
use crate::environment::Environment;
use crate::load::Topic;
use crate::measure::measure;
use crate::report::Run;

/// Messages of one call.
const BATCH: usize = 4_096;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// So many consumers.
pub(crate) struct Drain {
    pub(crate) consumers: usize,
}

/// What the process prints.
#[derive(Serialize, Deserialize)]
struct Drained {
    records: u64,
    bytes: u64,
    /// From the first record to the last.
    stream_seconds: f64,
}

impl Contestant for Drain {
    fn name(&self) -> String {
        format!("bare drain, {} consumer{}", self.consumers, if self.consumers == 1 { "" } else { "s" })
    }

    fn run(&self, environment: &Environment, topic: &Topic) -> Outcome<Run> {
        let folder = environment.folder("drain")?;
        let mut command = environment.this_program();
        command.args(["--drain", &topic.name, "--brokers", &topic.brokers, "--workers", &self.consumers.to_string()]);
        let measured = measure(vec![command], folder.path(), TIMEOUT)?;
        measured.check()?;
        let drained: Drained = serde_json::from_str(&measured.stdout[0])?;
        let (read, expected) = ((drained.records, drained.bytes), (topic.records, topic.bytes));
        let wrong = (read != expected)
            .then(|| format!("{} records of {} bytes instead of {} of {}", read.0, read.1, expected.0, expected.1));
        Ok(Run { stream_seconds: Some(drained.stream_seconds), ..Run::of(topic.records, &measured, wrong) })
    }
}

/// The process: reads `topic` to the end that it has now and prints what it was.
pub(crate) fn drain(brokers: &str, topic: &str, consumers: usize) -> Outcome<()> {
    let asking: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let metadata = asking.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
    let partitions = metadata.topics().first().ok_or("the broker does not know the topic")?.partitions().len() as i32;
    let shares = (0..consumers as i32).map(|share| (share..partitions).step_by(consumers).collect::<Vec<i32>>());
    let parts: Vec<Outcome<Part>> = thread::scope(|scope| {
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || read(brokers, topic, &share).map_err(|error| error.to_string())))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Part, String>>| match thread.join() {
            Ok(part) => part.map_err(Into::into),
            Err(_) => Err("a consumer panicked".into()),
        };
        threads.into_iter().map(join).collect()
    });
    let parts = parts.into_iter().collect::<Outcome<Vec<Part>>>()?;
    let first = parts.iter().filter_map(|part| part.first).min();
    let last = parts.iter().filter_map(|part| part.last).max();
    let stream = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
    let (records, bytes) = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.records, sum.1 + part.bytes));
    println!("{}", serde_json::to_string(&Drained { records, bytes, stream_seconds: stream.as_secs_f64() })?);
    Ok(())
}

/// What one consumer has read.
#[derive(Default)]
struct Part {
    records: u64,
    bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// Reads some partitions to their ends.
fn read(brokers: &str, topic: &str, partitions: &[i32]) -> Outcome<Part> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "walbook-compare-drain")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "1000000")
        .set("fetch.message.max.bytes", "4194304")
        .set("fetch.max.bytes", "8388608")
        .set("fetch.wait.max.ms", "200")
        .set("fetch.queue.backoff.ms", "5")
        .set("check.crcs", "true")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let queue = Queue::of(&consumer)?;
    let (mut part, mut open, mut room) = (Part::default(), partitions.len(), vec![ptr::null_mut(); BATCH]);
    while open > 0 {
        for message in queue.poll(&mut room) {
            match message.error() {
                None => {
                    part.records += 1;
                    part.bytes += message.length() as u64;
                }
                Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF) => open -= 1,
                Some(error) => return Err(format!("could not read {topic}: {error:?}").into()),
            }
        }
        if part.records > 0 {
            part.last = Some(Instant::now());
            part.first = part.first.or(part.last);
        }
    }
    Ok(part)
}

/// The queue that all partitions of a consumer arrive in.
struct Queue<'c> {
    queue: NonNull<rd::rd_kafka_queue_t>,
    /// The queue must not outlive it.
    _consumer: &'c BaseConsumer,
}

impl<'c> Queue<'c> {
    fn of(consumer: &'c BaseConsumer) -> Outcome<Queue<'c>> {
        // SAFETY: the client pointer is valid as long as the consumer, which is borrowed.
        let queue = unsafe { rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Ok(Queue { queue: NonNull::new(queue).ok_or("the consumer has no queue")?, _consumer: consumer })
    }

    /// The messages that have arrived, or arrive within 100 ms.
    fn poll<'r>(&self, room: &'r mut [*mut rd::rd_kafka_message_t]) -> impl Iterator<Item = Message> + use<'r> {
        // SAFETY: `room` has space for as many pointers as its length says; the queue is valid until it is dropped.
        let polled =
            unsafe { rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 100, room.as_mut_ptr(), room.len()) };
        let polled = usize::try_from(polled).unwrap_or(0);
        // Each pointer moves into exactly one Message, which frees it.
        room[..polled].iter().filter_map(|pointer| NonNull::new(*pointer)).map(Message)
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_queue_get_consumer and destroyed once, before the consumer.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// One message, error or end of partition.
struct Message(NonNull<rd::rd_kafka_message_t>);

impl Message {
    fn error(&self) -> Option<RDKafkaRespErr> {
        // SAFETY: the message is valid until it is destroyed in drop.
        let error = unsafe { self.0.as_ref() }.err;
        (error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(error)
    }

    fn length(&self) -> usize {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }.len
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it came from the queue once and is destroyed once.
        unsafe { rd::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}
