//! A Kafka broker in this process, so that the demo needs no other: librdkafka's mock cluster and a producer for it.
//!
//! What the mock cannot do (librdkafka 2.12, `rdkafka_mock.c`): a partition keeps its newest 5 MiB of record batches, as
//! they are stored, and drops older ones whatever the topic's settings (200 000 of the shop's records fit on 4 partitions,
//! 400 000 do not); a fetch that finds nothing answers only after
//! `fetch.wait.max.ms`, even if records arrive meanwhile; it names a controller that does not exist, so admin requests
//! must be sent to broker 1; offsets are not found by timestamp; transactions leave neither markers nor aborted records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, DeliveryResult, Producer, ProducerContext};

use super::ShopRecord;
use crate::change::{Classified, FailureKind};

/// How long the broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(30);

/// A broker with one topic; it ends when it is dropped.
///
/// It stays on the thread that made it; its address serves clients on any thread.
pub struct Broker {
    // Fields drop in this order: the producer must not outlive the cluster it is connected to.
    producer: BaseProducer<Deliveries>,
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: String,
    partitions: i32,
    failed: Arc<AtomicU64>,
}

/// A failure of the demo's broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The mock cluster or its producer could not be made.
    #[error("could not start the demo's broker")]
    Start(#[source] KafkaError),
    /// A record was refused.
    #[error("could not produce to the demo's topic {topic}")]
    Produce {
        /// The topic.
        topic: String,
        /// librdkafka's error.
        #[source]
        source: KafkaError,
    },
    /// Records were accepted but did not arrive.
    #[error("{failed} records did not arrive in the demo's topic {topic}")]
    Lost {
        /// The topic.
        topic: String,
        /// How many.
        failed: u64,
    },
    /// The mock cluster dropped records because a partition grew too large.
    #[error("the demo's broker dropped offsets 0..{low} of {topic}/{partition}: it keeps 5 MiB per partition")]
    Dropped {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The first offset that it still has.
        low: i64,
    },
}

impl Classified for BrokerError {
    fn kind(&self) -> FailureKind {
        FailureKind::Other
    }
}

impl Broker {
    /// A broker on a free port of the loopback, with an empty `topic`.
    ///
    /// # Errors
    /// [`BrokerError::Start`] when librdkafka cannot make it.
    pub fn start(topic: &str, partitions: i32) -> Result<Broker, BrokerError> {
        let cluster = MockCluster::new(1).map_err(BrokerError::Start)?;
        cluster.create_topic(topic, partitions, 1).map_err(BrokerError::Start)?;
        let failed = Arc::new(AtomicU64::new(0));
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            // A retried batch must not be in the topic twice, or the expected counts would be wrong.
            .set("enable.idempotence", "true")
            // The mock answers a fetch with one batch a partition, and its 5 MiB count compressed bytes.
            .set("batch.size", "900000")
            .set("batch.num.messages", "10000")
            .set("linger.ms", "5")
            .set("compression.type", "zstd")
            .set("compression.level", "1")
            // As walbook's capture and Java's producer: a table's records stay in one partition.
            .set("partitioner", "murmur2_random")
            .create_with_context(Deliveries(Arc::clone(&failed)))
            .map_err(BrokerError::Start)?;
        Ok(Broker { producer, cluster, topic: topic.to_owned(), partitions, failed })
    }

    /// The client that produces.
    pub fn client(&self) -> &Client<impl ClientContext + use<>> {
        self.producer.client()
    }

    /// What clients give as `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Sends `records`, waiting while the producer's queue is full; returns how many.
    ///
    /// # Errors
    /// [`BrokerError::Produce`] when one is refused.
    pub fn produce(&self, records: impl IntoIterator<Item = ShopRecord>) -> Result<u64, BrokerError> {
        let mut produced = 0_u64;
        for record in records {
            self.enqueue(&record)?;
            produced += 1;
            if produced.is_multiple_of(1000) {
                self.producer.poll(Duration::ZERO);
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(produced)
    }

    /// Waits until everything that was produced is in the topic.
    ///
    /// # Errors
    /// [`BrokerError::Lost`] when something did not arrive, [`BrokerError::Produce`] after the timeout.
    pub fn flush(&self) -> Result<(), BrokerError> {
        self.producer.flush(BROKER_TIMEOUT).map_err(|source| self.refused(source))?;
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => Err(BrokerError::Lost { topic: self.topic.clone(), failed }),
        }
    }

    /// Checks that the topic still has everything from offset 0; call it before the first reader starts.
    ///
    /// # Errors
    /// [`BrokerError::Dropped`] when it does not.
    pub fn check_nothing_dropped(&self) -> Result<(), BrokerError> {
        for partition in 0..self.partitions {
            let watermarks = self.producer.client().fetch_watermarks(&self.topic, partition, BROKER_TIMEOUT);
            let (low, _) = watermarks.map_err(|source| self.refused(source))?;
            if low > 0 {
                return Err(BrokerError::Dropped { topic: self.topic.clone(), partition, low });
            }
        }
        Ok(())
    }

    fn enqueue(&self, record: &ShopRecord) -> Result<(), BrokerError> {
        let mut message = BaseRecord::<str, [u8]>::to(&self.topic).timestamp(record.time_millis);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    message = refused;
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((source, _)) => return Err(self.refused(source)),
            }
        }
    }

    fn refused(&self, source: KafkaError) -> BrokerError {
        BrokerError::Produce { topic: self.topic.clone(), source }
    }
}

/// Counts the records that did not arrive.
struct Deliveries(Arc<AtomicU64>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::Message;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::{Offset, TopicPartitionList};

    use super::*;
    use crate::demo::Shop;

    #[test]
    fn every_produced_record_is_consumed() {
        let mut shop = Shop::new(1, 1_795_362_400_000_000);
        let mut sent: Vec<ShopRecord> = shop.history(3_000).take(10_000).collect();
        let broker = Broker::start("shop", 4).expect("a mock cluster needs nothing");
        assert_eq!(broker.produce(sent.clone()).expect("the producer accepts records"), 10_000);
        broker.flush().expect("records arrive");
        broker.check_nothing_dropped().expect("10 000 records are few");

        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .expect("a consumer needs nothing");
        let mut partitions = TopicPartitionList::new();
        for partition in 0..4 {
            partitions.add_partition_offset("shop", partition, Offset::Beginning).expect("a valid offset");
        }
        consumer.assign(&partitions).expect("partitions exist");
        let mut received = Vec::new();
        while received.len() < sent.len() {
            let message = consumer.poll(BROKER_TIMEOUT).expect("records within the time").expect("no errors");
            received.push(ShopRecord {
                key: message.key().map(|key| String::from_utf8(key.to_vec()).expect("keys are text")),
                value: message.payload().map(<[u8]>::to_vec),
                time_millis: message.timestamp().to_millis().expect("a timestamp"),
            });
        }
        let order = |record: &ShopRecord| (record.time_millis, record.key.clone(), record.value.clone());
        sent.sort_by_key(order);
        received.sort_by_key(order);
        assert!(sent == received, "records differ");
    }
}
