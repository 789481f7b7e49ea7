//! Topics of the real Kafka: made, filled, cut and deleted.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use crate::environment;
use crate::producer::TopicProducer;

const TIMEOUT: Duration = Duration::from_secs(60);
/// The server decodes a transaction of ten million rows before it sends the first.
const LONG: Duration = Duration::from_secs(300);

/// What is produced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Where to.
    pub(crate) partition: i32,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
}

/// A topic of this test alone.
#[derive(Clone)]
pub(crate) struct Topic {
    /// Its name on the brokers.
    pub(crate) name: String,
    /// The addresses of the brokers that have it.
    pub(crate) brokers: String,
    pub(crate) partitions: i32,
}

impl Topic {
    /// Makes a topic; the name gets a suffix that no other run has.
    pub(crate) fn create(name: &str, partitions: i32) -> Topic {
        Topic::create_with(name, partitions, &[])
    }

    /// Makes a topic with settings of its own.
    pub(crate) fn create_with(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Topic {
        let topic = Topic::nowhere(environment::brokers(), name, partitions);
        topic.make(settings);
        topic
    }

    /// A topic that does not exist yet, on brokers of the test's own; `partitions` is how many it will have.
    pub(crate) fn nowhere(brokers: String, name: &str, partitions: i32) -> Topic {
        Topic { name: environment::unique(name), brokers, partitions }
    }

    /// The topic of a capture's position in this one, with as many partitions.
    pub(crate) fn of_position(&self) -> Topic {
        Topic { name: format!("{}.walbook-position", self.name), ..self.clone() }
    }

    /// A topic that another process may have created.
    pub(crate) fn of_name(name: &str) -> Topic {
        Topic { name: name.to_owned(), brokers: environment::brokers(), partitions: 1 }
    }

    /// Makes it with settings of its own.
    pub(crate) fn make(&self, settings: &[(&str, &str)]) {
        self.make_replicated(TopicReplication::Fixed(1), settings);
    }

    /// Makes it with its one partition on these brokers, the first of which leads.
    pub(crate) fn make_on(&self, brokers: &[i32], settings: &[(&str, &str)]) {
        self.make_on_each(&[brokers], settings);
    }

    /// Makes it with the brokers of each partition, the first of which leads.
    pub(crate) fn make_on_each(&self, brokers: &[&[i32]], settings: &[(&str, &str)]) {
        let lists = i32::try_from(brokers.len()).expect("few partitions");
        assert_eq!(self.partitions, lists, "one list of brokers is one partition");
        self.make_replicated(TopicReplication::Variable(brokers), settings);
    }

    fn make_replicated(&self, replication: TopicReplication<'_>, settings: &[(&str, &str)]) {
        let mut new = NewTopic::new(&self.name, self.partitions, replication);
        for (key, value) in settings {
            new = new.set(key, value);
        }
        for result in wait_for(self.admin().create_topics([&new], &options())).expect("the broker answers") {
            result.expect("the topic can be made");
        }
        self.await_partitions();
    }

    /// Adds partitions.
    pub(crate) fn grow(&mut self, partitions: i32) {
        let new = NewPartitions::new(&self.name, usize::try_from(partitions).expect("a positive number"));
        for result in wait_for(self.admin().create_partitions([&new], &options())).expect("the broker answers") {
            result.expect("partitions can be added");
        }
        self.partitions = partitions;
        self.await_partitions();
    }

    /// Deletes the topic and waits until the brokers do not know it any more.
    pub(crate) fn delete(&self) {
        for result in wait_for(self.admin().delete_topics(&[&self.name], &options())).expect("the broker answers") {
            result.expect("the topic can be deleted");
        }
        let began = Instant::now();
        while self.exists() {
            assert!(began.elapsed() < TIMEOUT, "topic {} stays", self.name);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Deletes the topic and makes another of the same name.
    pub(crate) fn recreate(&self) {
        self.delete();
        self.make(&[]);
    }

    /// Deletes the records of a partition that are below an offset, as retention would.
    pub(crate) fn delete_below(&self, partition: i32, offset: i64) {
        let mut below = TopicPartitionList::new();
        below.add_partition_offset(&self.name, partition, Offset::Offset(offset)).expect("a valid offset");
        wait_for(self.admin().delete_records(&below, &options())).expect("records can be deleted");
    }

    /// Whether the brokers know the name; asking does not make it.
    pub(crate) fn exists(&self) -> bool {
        let metadata = self.consumer(&[]).fetch_metadata(None, TIMEOUT).expect("the broker answers");
        metadata.topics().iter().any(|topic| topic.name() == self.name)
    }

    /// How many partitions it has, or will have.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// The end offset of each partition.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let consumer = self.consumer(&[]);
        let end = |partition| consumer.fetch_watermarks(&self.name, partition, TIMEOUT).expect("the broker answers").1;
        (0..self.partitions).map(end).collect()
    }

    /// Waits until `number` offsets are used, committed or not, while `look` allows it.
    pub(crate) fn await_offsets(&self, number: i64, mut look: impl FnMut()) {
        let consumer = self.consumer(&[("isolation.level", "read_uncommitted")]);
        let began = Instant::now();
        loop {
            look();
            // The topic may not be there yet, or its broker may be away.
            let ends = (0..self.partitions)
                .map(|partition| consumer.fetch_watermarks(&self.name, partition, Duration::from_secs(5)))
                .map(|marks| marks.map_or(0, |(_, end)| end));
            let used: i64 = ends.sum();
            if used >= number {
                return;
            }
            assert!(began.elapsed() < LONG, "{} has {used} offsets after {LONG:?}, not {number}", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many records a consumer finds, from the first to the end.
    pub(crate) fn stored_records(&self) -> usize {
        let mut records = 0;
        self.each_record(&[], |_| records += 1);
        records
    }

    /// Shows each record to `look`, partition by partition in their order, from the first to the end there is now, as a
    /// consumer with `settings` sees them; without any it sees what is committed.
    pub(crate) fn each_record(&self, settings: &[(&str, &str)], mut look: impl FnMut(&BorrowedMessage<'_>)) {
        let consumer = self.consumer(settings);
        let mut all = TopicPartitionList::new();
        for partition in 0..self.partitions {
            all.add_partition_offset(&self.name, partition, Offset::Beginning).expect("a valid offset");
        }
        consumer.assign(&all).expect("partitions can be assigned");
        let mut ended = BTreeSet::new();
        while ended.len() < usize::try_from(self.partitions).expect("a positive number") {
            match consumer.poll(TIMEOUT).expect("the broker answers") {
                Ok(message) => look(&message),
                Err(KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
                Err(error) => panic!("could not consume {}: {error}", self.name),
            }
        }
    }

    /// Produces all records and waits until the broker has them.
    pub(crate) fn produce(&self, records: impl IntoIterator<Item = Record>) {
        self.producer(&[]).produce(records);
    }

    /// A producer with settings of its own.
    pub(crate) fn producer(&self, settings: &[(&str, &str)]) -> TopicProducer {
        TopicProducer::new(self, settings)
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.brokers).create().expect("valid settings")
    }

    fn consumer(&self, settings: &[(&str, &str)]) -> BaseConsumer {
        static CONSUMERS: AtomicU64 = AtomicU64::new(0);
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", format!("{}-{}", environment::unique("test"), CONSUMERS.fetch_add(1, Ordering::Relaxed)))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().expect("valid settings")
    }

    /// Waits until a broker leads all partitions, alone if `alone`.
    pub(crate) fn await_leader(&self, broker: i32, alone: bool) {
        let (consumer, began) = (self.consumer(&[]), Instant::now());
        loop {
            let known = consumer.fetch_metadata(None, TIMEOUT).expect("the broker answers");
            let topic = known.topics().iter().find(|topic| topic.name() == self.name).expect("the topic is there");
            let leads = topic
                .partitions()
                .iter()
                .all(|partition| partition.leader() == broker && (!alone || partition.isr() == [broker]));
            if leads {
                return;
            }
            assert!(began.elapsed() < TIMEOUT, "broker {broker} does not lead {}", self.name);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a partition has no leader.
    pub(crate) fn await_leaderless(&self, partition: i32) {
        let (consumer, began) = (self.consumer(&[]), Instant::now());
        loop {
            let known = consumer.fetch_metadata(None, TIMEOUT).expect("a broker answers");
            let topic = known.topics().iter().find(|topic| topic.name() == self.name).expect("the topic is there");
            if topic.partitions().iter().any(|found| found.id() == partition && found.leader() < 0) {
                return;
            }
            assert!(began.elapsed() < TIMEOUT, "partition {partition} of {} keeps its leader", self.name);
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn await_partitions(&self) {
        let (consumer, began) = (self.consumer(&[]), Instant::now());
        loop {
            let known = consumer.fetch_metadata(None, TIMEOUT).expect("the broker answers");
            let found = known.topics().iter().find(|topic| topic.name() == self.name);
            if found.is_some_and(|topic| {
                topic.partitions().len() == usize::try_from(self.partitions).expect("a positive number")
                    && topic.partitions().iter().all(|partition| partition.leader() >= 0)
            }) {
                return;
            }
            assert!(began.elapsed() < TIMEOUT, "topic {} does not get its partitions", self.name);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}

/// Runs a future to its end on this thread: the admin client is the only asynchronous thing here.
fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
