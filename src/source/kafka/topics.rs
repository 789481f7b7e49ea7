//! What the leader needs of the topics: identity, partitions, watermarks; and the offsets that it commits to the group.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, warn};

use super::context::{Context, client, serve_events};
use super::partition_list::{leader_epoch, partition_list};
use super::uuid::topic_uuid;
use super::{KafkaError, KafkaSettings};
use crate::change::{Classified, End, Partition};
use crate::control::Deadline;

/// How long a start waits for an answer.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(25);

/// How long one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of a run may wait for the group's answer.
const GROUP_COMMIT_TIMEOUT: Duration = Duration::from_millis(500);

/// Where to begin in a topic that is new to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StartFrom {
    /// At the first record that exists.
    #[default]
    Earliest,
    /// At the end: only what comes from now on.
    Latest,
}

/// A topic as the broker describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its UUID; empty where the broker has none.
    pub id: String,
    /// Its number of partitions.
    pub partitions: i32,
}

/// First offset and the offset after the last that a read-committed consumer may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that exists.
    pub low: i64,
    /// The last stable offset.
    pub high: i64,
}

/// The topics of a run, and the client that requests what is needed of them.
pub struct Topics {
    pub(super) consumer: BaseConsumer<Context>,
    /// Reads uncommitted records; created for the first request of ends.
    seeing_open: OnceLock<BaseConsumer<Context>>,
    pub(super) settings: KafkaSettings,
    names: Vec<String>,
    /// The offsets that were committed to the group last.
    committed: Mutex<TopicPartitionList>,
}

impl Topics {
    /// Connects; offsets are committed to `group` later.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`] when no broker answers within half a minute.
    pub fn connect(settings: &KafkaSettings, names: &[String], group: &str) -> Result<Topics, KafkaError> {
        Topics::connect_until(Deadline::after(START_TIMEOUT), settings, names, group)
    }

    /// The same, until a deadline.
    pub(super) fn connect_until(
        deadline: Deadline,
        settings: &KafkaSettings,
        names: &[String],
        group: &str,
    ) -> Result<Topics, KafkaError> {
        let consumer = settings.asking(group)?;
        let (seeing_open, settings, names) = (OnceLock::new(), settings.clone(), names.to_vec());
        let topics = Topics { consumer, seeing_open, settings, names, committed: Mutex::default() };
        topics.await_answer(deadline, |timeout| {
            let metadata = topics.consumer.fetch_metadata(None, timeout);
            metadata.map(drop).map_err(|error| KafkaError::request("connect", &error))
        })?;
        Ok(topics)
    }

    /// Describes all topics of the run.
    ///
    /// # Errors
    /// [`KafkaError::NoTopic`] and other errors of the broker.
    pub fn describe(&self) -> Result<BTreeMap<String, Topic>, KafkaError> {
        self.names.iter().map(|name| Ok((name.clone(), self.describe_topic(name)?))).collect()
    }

    /// Describes one topic.
    ///
    /// # Errors
    /// [`KafkaError::NoTopic`] and other errors of the broker.
    pub fn describe_topic(&self, name: &str) -> Result<Topic, KafkaError> {
        let no_topic = || KafkaError::NoTopic { topic: name.to_owned(), brokers: self.settings.brokers.clone() };
        let what = || format!("describe topic {name:?}");
        let metadata = self.consumer.fetch_metadata(Some(name), REQUEST_TIMEOUT * 3);
        let metadata = metadata.map_err(|error| KafkaError::request(what(), &error))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name).ok_or_else(no_topic)?;
        if let Some(error) = topic.error() {
            let code = RDKafkaErrorCode::from(error);
            return match code {
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::InvalidTopic => Err(no_topic()),
                code => Err(KafkaError::answer(what(), code)),
            };
        }
        if topic.partitions().is_empty() {
            return Err(no_topic());
        }
        let partitions = i32::try_from(topic.partitions().len()).expect("partition numbers are 32 bits");
        let id = topic_uuid(client(&self.consumer), metadata.orig_broker_id(), name, REQUEST_TIMEOUT)
            .map_err(|error| KafkaError::answer(what(), RDKafkaErrorCode::from(error)))?;
        Ok(Topic { id: id.unwrap_or_default(), partitions })
    }

    /// How many copies the partition with the fewest has.
    ///
    /// # Errors
    /// The broker's error.
    pub fn replicas(&self, name: &str) -> Result<usize, KafkaError> {
        let what = || format!("count the replicas of topic {name:?}");
        let metadata = self.consumer.fetch_metadata(Some(name), REQUEST_TIMEOUT * 3);
        let metadata = metadata.map_err(|error| KafkaError::request(what(), &error))?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let fewest = partitions.map(|partition| partition.replicas().len()).min();
        fewest.ok_or_else(|| KafkaError::answer(what(), RDKafkaErrorCode::UnknownTopicOrPartition))
    }

    /// The copies of each partition of a topic.
    ///
    /// # Errors
    /// The broker's error.
    pub fn copies(&self, name: &str) -> Result<Vec<Copies>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(name), REQUEST_TIMEOUT);
        let what = || format!("count the copies of topic {name:?}");
        let metadata = metadata.map_err(|error| KafkaError::request(what(), &error))?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let copies = partitions.map(|partition| Copies {
            partition: partition.id(),
            has_leader: partition.leader() >= 0,
            all: partition.replicas().len(),
            in_sync: partition.isr().len(),
        });
        Ok(copies.collect())
    }

    /// The partitions of the topics and their leaders now, from new metadata, with which [`Topics::written_ends`] asks until
    /// the next call.
    ///
    /// # Errors
    /// The broker's error.
    pub fn led_partitions(&self) -> Result<Vec<LedPartition>, KafkaError> {
        self.partitions(self.seeing_open()?)
    }

    /// Where partitions end now, with records that are not committed yet; one whose leader answers with an error is left out.
    ///
    /// # Errors
    /// One leader's error for all its partitions, that one does not answer within `timeout`, and a refusal of any partition.
    pub fn written_ends(
        &self,
        partitions: &[Partition],
        timeout: Duration,
    ) -> Result<BTreeMap<Partition, LeaderEnd>, KafkaError> {
        let answers = ask_ends(self.seeing_open()?, partitions, timeout)?.into_iter();
        let ends = answers.filter_map(|(partition, end)| match end {
            Ok(end) => Some(Ok((partition, end))),
            Err(error) if error.is_usage() => Some(Err(error)),
            Err(error) => {
                debug!(%error, ?partition, "a partition does not answer where it ends");
                None
            }
        });
        ends.collect()
    }

    /// The watermarks of one partition.
    ///
    /// # Errors
    /// The broker's error.
    pub fn watermarks(&self, partition: &Partition) -> Result<Watermarks, KafkaError> {
        ask_watermarks(&self.consumer, partition)
    }

    /// Where all partitions of the topics end now, requested from all their leaders at once.
    ///
    /// # Errors
    /// The error of any broker.
    pub fn ends(&self) -> Result<Vec<(Partition, End)>, KafkaError> {
        let seeing_open = self.seeing_open()?;
        // Each client has its own metadata, and reports a partition that is new to it as unknown.
        self.partitions(seeing_open)?;
        let partitions: Vec<Partition> =
            self.partitions(&self.consumer)?.into_iter().map(|led| led.partition).collect();
        // In this order, what can be read lies below what was written only because of an open transaction.
        let written = ask_all_ends(seeing_open, &partitions)?;
        let readable = ask_all_ends(&self.consumer, &partitions)?;
        let ends = readable.into_iter().map(|(partition, readable)| {
            let written =
                written.get(&partition).map_or(readable.offset, |written| readable.offset.max(written.offset));
            (partition, End { readable: readable.offset, written })
        });
        Ok(ends.collect())
    }

    /// The partitions of the topics now, from new metadata of `consumer`; a run may not have discovered all of them.
    pub(super) fn partitions(&self, consumer: &BaseConsumer<Context>) -> Result<Vec<LedPartition>, KafkaError> {
        let mut partitions = Vec::new();
        for name in &self.names {
            let what = || format!("list the partitions of topic {name:?}");
            let metadata = consumer.fetch_metadata(Some(name), REQUEST_TIMEOUT);
            let metadata = metadata.map_err(|error| KafkaError::request(what(), &error))?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            if let Some(error) = topic.and_then(|topic| topic.error()) {
                return Err(KafkaError::answer(what(), RDKafkaErrorCode::from(error)));
            }
            let Some(topic) = topic.filter(|topic| !topic.partitions().is_empty()) else {
                return Err(KafkaError::answer(what(), RDKafkaErrorCode::UnknownTopicOrPartition));
            };
            partitions.extend(topic.partitions().iter().map(|partition| LedPartition {
                partition: Partition { topic: name.clone(), number: partition.id() },
                leader: Some(partition.leader()).filter(|leader| *leader >= 0),
            }));
        }
        Ok(partitions)
    }

    fn seeing_open(&self) -> Result<&BaseConsumer<Context>, KafkaError> {
        if let Some(known) = self.seeing_open.get() {
            serve_events(known);
            return Ok(known);
        }
        let created = self.settings.seeing_open()?;
        Ok(self.seeing_open.get_or_init(|| created))
    }

    /// Commits the next offsets to the group: for lag dashboards, never read back, so a failure is only logged.
    pub fn commit_group_offsets(&self, next_offsets: &BTreeMap<Partition, i64>) {
        let mut list = TopicPartitionList::new();
        for (partition, next) in next_offsets {
            if self.names.contains(&partition.topic) {
                list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*next))
                    .expect("an offset of a record is a valid offset");
            }
        }
        if list.count() == 0 {
            return;
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            warn!(%error, "could not commit offsets to Kafka's group");
        }
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = list;
        // Serves the answers of earlier commits.
        drop(self.consumer.poll(Duration::ZERO));
    }

    /// Waits until the newest offsets are committed to the group, but not for long: dashboards are not worth it.
    pub fn await_group_offsets(self: Arc<Self>) {
        let (answer, answered) = channel();
        let commit = move || {
            let committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = self.consumer.commit(&committed, CommitMode::Sync) {
                debug!(%error, "could not commit offsets to Kafka's group");
            }
            // The caller may have stopped waiting.
            let _ = answer.send(());
        };
        thread::Builder::new().name("group".to_owned()).spawn(commit).expect("a thread can be started");
        let _ = answered.recv_timeout(GROUP_COMMIT_TIMEOUT);
    }
}

/// A partition and the broker that leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedPartition {
    /// The partition.
    pub partition: Partition,
    /// The number of the broker; `None` while it has no leader.
    pub leader: Option<i32>,
}

/// The end of a partition, as its leader answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderEnd {
    /// The offset after the last record.
    pub offset: i64,
    /// The leader's epoch; `None` where it has none.
    pub epoch: Option<i32>,
}

/// The copies of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The partition's number.
    pub partition: i32,
    /// Whether one of them leads.
    pub has_leader: bool,
    /// How many there are.
    pub all: usize,
    /// How many hold everything that the leader has.
    pub in_sync: usize,
}

/// Where partitions end as `consumer` may see them.
pub(super) fn ask_all_ends(
    consumer: &BaseConsumer<Context>,
    partitions: &[Partition],
) -> Result<BTreeMap<Partition, LeaderEnd>, KafkaError> {
    let answers = ask_ends(consumer, partitions, REQUEST_TIMEOUT)?.into_iter();
    answers.map(|(partition, end)| Ok((partition, end?))).collect()
}

/// A partition, and where it ends or its leader's error.
type EndAnswer = (Partition, Result<LeaderEnd, KafkaError>);

/// Where partitions end as `consumer` may see them, or the error of each.
fn ask_ends(
    consumer: &BaseConsumer<Context>,
    partitions: &[Partition],
    timeout: Duration,
) -> Result<Vec<EndAnswer>, KafkaError> {
    const WHAT: &str = "ask where the topics end";
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    // The end in place of a timestamp.
    let list = partition_list(partitions.iter().map(|partition| (partition, Offset::End, None)));
    let ends = consumer.offsets_for_times(list, timeout).map_err(|error| KafkaError::request(WHAT, &error))?;
    let read = ends.elements().into_iter().map(|element| {
        let partition = Partition { topic: element.topic().to_owned(), number: element.partition() };
        let end = match (element.error(), element.offset()) {
            (Err(error), _) => Err(KafkaError::request(WHAT, &error)),
            (Ok(()), Offset::Offset(offset)) => Ok(LeaderEnd { offset, epoch: leader_epoch(&ends, &partition) }),
            (Ok(()), other) => {
                let message = format!("the answer for {:?} is {other:?}", partition.topic);
                Err(KafkaError::Request { what: WHAT.to_owned(), message, code: None })
            }
        };
        (partition, end)
    });
    Ok(read.collect())
}

/// The watermarks of one partition as `consumer` may see them.
pub(super) fn ask_watermarks(
    consumer: &BaseConsumer<Context>,
    partition: &Partition,
) -> Result<Watermarks, KafkaError> {
    let ask = || consumer.fetch_watermarks(&partition.topic, partition.number, REQUEST_TIMEOUT * 3);
    // A partition that was just created may have no leader yet.
    let answer = ask().or_else(|error| match error {
        RdError::MetadataFetch(
            RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => {
            thread::sleep(Duration::from_secs(1));
            ask()
        }
        error => Err(error),
    });
    let what = || format!("ask for the watermarks of {:?} partition {}", partition.topic, partition.number);
    let (low, high) = answer.map_err(|error| KafkaError::request(what(), &error))?;
    Ok(Watermarks { low, high })
}
