//! One worker's consumer: its partitions, what arrives, and what an error means.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::batch::{KafkaRecords, Message, Queue};
use super::context::{Context, client};
use super::{KafkaError, KafkaSettings};
use crate::change::{Partition, PartitionStart, Taken};
use crate::source::{Accepted, Cursors, Source, SourceError, Waker};

/// How long to wait for a broker's answer about watermarks.
const ASK: Duration = Duration::from_secs(15);
/// How long brokers may not know a partition before that counts as final; they learn of it from each other.
const UNKNOWN: Duration = Duration::from_secs(60);
/// How often one partition may be assigned anew without a record before an error counts as final.
const REASSIGNMENTS: u32 = 5;

/// Reads partitions of Kafka topics with one consumer.
pub struct KafkaSource {
    /// Emptied only while the callback is being set.
    consumer: Option<BaseConsumer<Context>>,
    queue: Option<Queue>,
    cursors: Cursors,
    /// librdkafka's topic handle and partition by place.
    origins: Vec<((usize, i32), usize)>,
    /// By place: how often it was assigned anew since its last record.
    reassigned: Vec<u32>,
    /// By place: since when brokers do not know it.
    unknown_since: Vec<Option<Instant>>,
}

impl KafkaSource {
    /// A consumer without partitions.
    ///
    /// # Errors
    /// [`KafkaError::Settings`] when librdkafka refuses them.
    pub fn new(settings: &KafkaSettings, worker: usize) -> Result<KafkaSource, KafkaError> {
        Ok(KafkaSource {
            consumer: Some(settings.reading(worker)?),
            queue: None,
            cursors: Cursors::default(),
            origins: Vec::new(),
            reassigned: Vec::new(),
            unknown_since: Vec::new(),
        })
    }

    /// The place of a message's partition; `None` for what is of none of our partitions.
    fn place(&mut self, message: &Message) -> Option<usize> {
        let origin = message.origin();
        if let Some((_, place)) = self.origins.iter().find(|(known, _)| *known == origin) {
            return Some(*place);
        }
        let topic = message.topic()?;
        let is_it = |place: &usize| {
            let partition = self.cursors.partition(*place);
            partition.number == origin.1 && partition.topic == topic
        };
        let place = (0..self.cursors.len()).find(is_it)?;
        self.origins.push((origin, place));
        Some(place)
    }

    /// Forgets a partition's past trouble.
    fn is_well(&mut self, place: usize) {
        self.reassigned[place] = 0;
        self.unknown_since[place] = None;
    }

    /// Decides what an error message means; an end of partition is one.
    fn heed(&mut self, message: &Message, code: RDKafkaRespErr) -> Result<(), KafkaError> {
        use RDKafkaRespErr as Code;
        let Some(place) = self.place(message) else {
            warn!(error = message.error_text(), "Kafka consumer reported an error");
            return Ok(());
        };
        let failed = |cursors: &Cursors, message: &Message| KafkaError::Consume {
            partition: Partition::clone(cursors.partition(place)),
            message: message.error_text(),
        };
        match code {
            Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                self.is_well(place);
                self.cursors.pass(place, message.offset());
                Ok(())
            }
            // After an election of a broker that was behind, the offsets are there again, with other records.
            Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET if message.error_text().contains("truncation") => {
                let (partition, end) = (Partition::clone(self.cursors.partition(place)), message.offset());
                Err(KafkaError::Truncated { partition, end, next: self.cursors.next_offset(place) })
            }
            Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                self.out_of_range(place)
            }
            // One broker's metadata may be behind, during a rolling restart or for a new partition.
            Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
            | Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION => {
                let since = *self.unknown_since[place].get_or_insert_with(Instant::now);
                if since.elapsed() < UNKNOWN { Ok(()) } else { Err(failed(&self.cursors, message)) }
            }
            Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            | Code::RD_KAFKA_RESP_ERR__BAD_COMPRESSION
            | Code::RD_KAFKA_RESP_ERR__BAD_MSG
            | Code::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED
            | Code::RD_KAFKA_RESP_ERR__FATAL => Err(failed(&self.cursors, message)),
            // librdkafka goes on by itself: leaders move, brokers come back.
            _ => {
                let partition = self.cursors.partition(place);
                let (topic, number) = (&partition.topic, partition.number);
                warn!(topic, partition = number, error = message.error_text(), "Kafka consumer reported an error");
                Ok(())
            }
        }
    }

    /// The broker does not have the next offset: is it gone, was the partition cut, or was it a mistake?
    fn out_of_range(&mut self, place: usize) -> Result<(), KafkaError> {
        let partition = Partition::clone(self.cursors.partition(place));
        let next = self.cursors.next_offset(place);
        let queue = self.queue.as_ref().expect("messages come from the queue");
        let (low, high) =
            queue.consumer().fetch_watermarks(&partition.topic, partition.number, ASK).map_err(|error| {
                let what = format!("ask for the watermarks of {:?} partition {}", partition.topic, partition.number);
                KafkaError::request(what, &error)
            })?;
        if low > next {
            return Err(KafkaError::Lost { partition, from: next, to: low });
        }
        if high < next {
            return Err(KafkaError::Truncated { partition, end: high, next });
        }
        self.reassigned[place] += 1;
        if self.reassigned[place] > REASSIGNMENTS {
            let message = format!("the broker has offsets {low} to {high}, but refused {next} time and again");
            return Err(KafkaError::Consume { partition, message });
        }
        // librdkafka may give the topic another handle.
        self.origins.clear();
        info!(topic = partition.topic, partition = partition.number, next, low, high, "assigning a partition anew");
        let list = list([(&partition, next)]);
        let again =
            queue.consumer().incremental_unassign(&list).and_then(|()| queue.consumer().incremental_assign(&list));
        again.map_err(|error| KafkaError::Consume { partition, message: error.to_string() })
    }
}

/// Partitions with the offsets to read from.
fn list<'a>(partitions: impl IntoIterator<Item = (&'a Partition, i64)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))
            .expect("an offset of a record is a valid offset");
    }
    list
}

impl Source for KafkaSource {
    fn wake_with(&mut self, waker: Waker) {
        let mut consumer = self.consumer.take().expect("a source is woken by one waker, named once");
        consumer.set_nonempty_callback(move || waker());
        self.queue = Some(Queue::new(Rc::new(consumer)));
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), SourceError> {
        for start in partitions {
            self.cursors.add(start);
            self.reassigned.push(0);
            self.unknown_since.push(None);
        }
        let list = list(partitions.iter().map(|start| (&start.partition, start.from)));
        let queue = self.queue.as_ref().expect("a source is woken before it is assigned");
        queue
            .consumer()
            .incremental_assign(&list)
            .map_err(|error| KafkaError::request("assign partitions", &error).into())
    }

    fn take(&mut self, limit: usize) -> Result<Option<Taken>, SourceError> {
        let mut queue = self.queue.take().expect("a source is woken before it is read");
        let mut messages: Vec<Message> = Vec::new();
        let mut stretches = Vec::new();
        let mut failed = Ok(());
        let mut last: Option<((usize, i32), usize)> = None;
        // The end of the open stretch is known when the next one begins.
        let mut open: Option<usize> = None;
        let mut heeded = Vec::new();
        for message in queue.take(limit) {
            if let Some(code) = message.error() {
                heeded.push((message, code));
                continue;
            }
            let origin = message.origin();
            let place = match last {
                Some((known, place)) if known == origin => place,
                _ => match self.place(&message) {
                    Some(place) => place,
                    None => continue,
                },
            };
            last = Some((origin, place));
            if self.cursors.accept(place, message.offset()) == Accepted::Drop {
                continue;
            }
            if open != Some(place) {
                self.is_well(place);
                if let Some(before) = open.replace(place) {
                    stretches.push((self.cursors.partition(before).clone(), messages.len()));
                }
            }
            messages.push(message);
        }
        if let Some(place) = open {
            stretches.push((self.cursors.partition(place).clone(), messages.len()));
        }
        let consumer = Rc::clone(queue.consumer());
        self.queue = Some(queue);
        for (message, code) in heeded {
            failed = failed.and_then(|()| self.heed(&message, code));
        }
        failed?;
        if messages.is_empty() {
            return Ok(None);
        }
        let count = messages.len();
        Ok(Some(Taken { records: Box::new(KafkaRecords { messages, stretches, _consumer: consumer }), count }))
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        let Some(queue) = &self.queue else { return Some(0) };
        let native = client(queue.consumer());
        let lags = (0..self.cursors.len()).map(|place| {
            let partition = self.cursors.partition(place);
            let high = super::batch::known_end(native, partition);
            high.map_or(0, |high| (high - self.cursors.next_offset(place)).max(0))
        });
        Some(lags.sum())
    }
}
