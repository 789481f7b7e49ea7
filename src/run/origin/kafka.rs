//! Topics of Kafka as a run's origin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::background_check::BackgroundCheck;
use super::open_transactions::{OpenTransactions, warn_about};
use super::{Origin, Plan, known_topic};
use crate::book::log::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::book::{State, TopicState};
use crate::change::{Classified, End, Failure, LeaderEpoch, Partition, PartitionStart};
use crate::source::Source;
use crate::source::kafka::{
    EpochEnd, KafkaDiscovery, KafkaError, KafkaSettings, KafkaSource, KnownTopic, StartFrom, Topic, Topics, Watermarks,
    check_same_topics, plan_topic,
};

/// How long a commit waits for Kafka's answer whether the topics are still the same: many topics take some seconds.
const SAME_TOPICS_TIMEOUT: Duration = Duration::from_secs(5);

/// The group of a client that commits no offsets.
const REACHING_GROUP: &str = "walbook-reach";

/// How often it is checked whether transactions are open.
const TRANSACTIONS_INTERVAL: Duration = Duration::from_secs(10);

/// Topics of Kafka, and how to read them.
#[derive(Clone, Debug)]
pub struct KafkaInput {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// The topics, each once.
    pub topics: Vec<String>,
    /// Where to begin in a new topic.
    pub from: StartFrom,
    /// The consumer group that shows how far the book is; by default one of the book's own.
    pub group: Option<String>,
}

/// Reads topics of Kafka.
pub struct KafkaOrigin {
    input: KafkaInput,
    until_end: bool,
    /// In the leading process, once the run is planned.
    connected: OnceLock<Connected>,
    /// In the other processes, once they have reached Kafka.
    reached: OnceLock<Topics>,
}

struct Connected {
    topics: Arc<Topics>,
    described: BTreeMap<String, Topic>,
    /// Asked once: a fence that is tried again should not take as long again.
    watermarks: Mutex<BTreeMap<Partition, Watermarks>>,
    /// By partition and leader epoch that was asked for; also asked once.
    epoch_ends: Mutex<BTreeMap<(Partition, i32), Option<EpochEnd>>>,
    discovery: Mutex<KafkaDiscovery>,
    same_topics: BackgroundCheck,
}

impl KafkaOrigin {
    /// An origin that has not connected yet.
    pub fn new(input: KafkaInput, until_end: bool) -> KafkaOrigin {
        KafkaOrigin { input, until_end, connected: OnceLock::new(), reached: OnceLock::new() }
    }

    fn connect(&self, book: &str) -> Result<&Connected, KafkaError> {
        if let Some(connected) = self.connected.get() {
            return Ok(connected);
        }
        let group = self.input.group.clone().unwrap_or_else(|| format!("walbook-{book}"));
        let topics = Arc::new(Topics::connect(&self.input.kafka, &self.input.topics, &group)?);
        let described = topics.describe()?;
        let (asked, expected) = (Arc::clone(&topics), described.clone());
        let same_topics = move || match check_same_topics(&asked, &expected) {
            Err(error) if error.is_data_loss() => Err(error.into()),
            Err(error) => {
                warn!(%error, "could not check whether the topics are still the same");
                Ok(false)
            }
            Ok(()) => Ok(true),
        };
        Ok(self.connected.get_or_init(|| {
            watch_transactions(&topics);
            Connected {
                discovery: Mutex::new(KafkaDiscovery::new(Arc::clone(&topics), described.clone())),
                same_topics: BackgroundCheck::start(SAME_TOPICS_TIMEOUT, same_topics),
                watermarks: Mutex::default(),
                epoch_ends: Mutex::default(),
                topics,
                described,
            }
        }))
    }

    fn connected(&self) -> &Connected {
        self.connected.get().expect("a run is planned before it begins")
    }
}

impl Connected {
    /// The watermarks of a partition that is read from `next` on, where that is known.
    fn watermarks(&self, partition: &Partition, next: Option<i64>) -> Result<Watermarks, KafkaError> {
        let mut known = self.watermarks.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(partition) {
            // Another run may have read on since they were asked for.
            Some(watermarks) if next.is_none_or(|next| next <= watermarks.high) => Ok(*watermarks),
            _ => {
                let watermarks = self.topics.watermarks(partition)?;
                known.insert(partition.clone(), watermarks);
                Ok(watermarks)
            }
        }
    }

    /// Asks the brokers where the leader epochs of the book end, and sets which partitions have other records now.
    fn find_divergences(
        &self,
        kafka: &KafkaSettings,
        known: &mut BTreeMap<&str, KnownTopic>,
    ) -> Result<(), KafkaError> {
        let mut ends = self.epoch_ends.lock().unwrap_or_else(PoisonError::into_inner);
        let comparable = |name: &str, known: &KnownTopic| known.comparable(name, &self.described[name]);
        let asked = known.iter().flat_map(|(name, known)| comparable(name, known));
        let asked = asked.map(|(partition, last)| (partition, last.epoch));
        let asked: Vec<(Partition, i32)> = asked.filter(|asked| !ends.contains_key(asked)).collect();
        let mut answers = kafka.epoch_ends(&asked)?;
        ends.extend(asked.into_iter().filter_map(|asked| Some((asked.clone(), answers.remove(&asked.0)?))));
        for (name, known) in known {
            let comparable = comparable(name, known);
            let compared: Vec<(Partition, LeaderEpoch, EpochEnd)> = comparable
                .into_iter()
                .filter_map(|(partition, last)| {
                    let end = (*ends.get(&(partition.clone(), last.epoch))?)?;
                    Some((partition, last, end))
                })
                .collect();
            let read = known.next_offsets.values().filter(|next| **next > 0).count();
            if compared.len() < read {
                info!(
                    topic = name,
                    compared = compared.len(),
                    of = read,
                    "the book or the brokers know no leader epoch of some partitions yet: whether these were cut since cannot be compared"
                );
            }
            let suspect = compared.into_iter().filter(|(_, last, end)| last.divergence(*end).is_some());
            let suspect: Vec<_> = suspect.map(|(partition, last, _)| (partition, last)).collect();
            // The answers may be older than what another run has read since.
            let diverged = kafka.check_positions(&suspect)?.into_iter();
            known.diverged = diverged.map(|found| (found.partition.number, found.from)).collect();
        }
        Ok(())
    }
}

/// What the book has of a topic.
fn in_book(topic: &TopicState) -> KnownTopic {
    let positions = || topic.positions.iter();
    KnownTopic {
        id: topic.id.clone(),
        next_offsets: positions().map(|(number, position)| (*number, position.next)).collect(),
        leader_epochs: positions().filter_map(|(number, position)| Some((*number, position.leader_epoch?))).collect(),
        ..KnownTopic::default()
    }
}

impl Origin for KafkaOrigin {
    fn name(&self) -> String {
        self.input.topics.join(", ")
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Kafka
    }

    fn until_end(&self) -> bool {
        self.until_end
    }

    fn check(&self) -> Result<(), Failure> {
        Ok(self.input.kafka.check()?)
    }

    fn plan(&self, state: &State) -> Result<Plan, Failure> {
        let connected = self.connect(&state.book)?;
        let mut known: BTreeMap<&str, KnownTopic> = BTreeMap::new();
        for name in connected.described.keys() {
            known.extend(known_topic(state, name, SourceKind::Kafka)?.map(|topic| (name.as_str(), in_book(topic))));
        }
        connected.find_divergences(&self.input.kafka, &mut known)?;
        let mut starts = Vec::new();
        for (name, topic) in &connected.described {
            let known = known.get(name.as_str());
            let watermarks = |partition: &Partition| {
                let next = known.and_then(|known| known.next_offsets.get(&partition.number));
                connected.watermarks(partition, next.copied())
            };
            starts.extend(plan_topic(name, topic, known, self.input.from, self.until_end, watermarks)?);
        }
        Ok(Plan { topics: new_topics(state, &connected.described, &starts), starts })
    }

    fn reach(&self) -> Result<(), Failure> {
        if let Some(topics) = self.reached.get() {
            return Ok(topics.reach_leaders()?);
        }
        let topics = Topics::reaching(&self.input.kafka, &self.input.topics, REACHING_GROUP)?;
        self.reached.get_or_init(|| topics);
        Ok(())
    }

    fn source(&self, worker: usize) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(KafkaSource::new(&self.input.kafka, worker)?))
    }

    fn discover_interval(&self) -> Option<Duration> {
        (!self.until_end).then(|| self.input.kafka.metadata_refresh_interval())
    }

    fn discover(&self) -> Result<Vec<PartitionStart>, Failure> {
        Ok(self.connected().discovery.lock().unwrap_or_else(PoisonError::into_inner).discover()?)
    }

    fn precommit_check(&self) -> Result<(), Failure> {
        self.connected().same_topics.result()
    }

    fn on_committed(&self, state: &State) {
        self.connected().topics.commit_group_offsets(&state.next_offsets().collect());
    }

    fn knows_ends(&self) -> bool {
        true
    }

    fn ends(&self) -> Result<Vec<(Partition, End)>, Failure> {
        Ok(self.connected().topics.ends()?)
    }

    fn finish(&self) -> Result<(), Failure> {
        let connected = self.connected();
        Arc::clone(&connected.topics).await_group_offsets();
        // A commit may have been faster than the check before it.
        connected.same_topics.last_result()?;
        if self.until_end {
            warn_about_open(&connected.topics);
        }
        Ok(())
    }
}

/// Logs which transactions stay open, as long as the run reads the topics.
fn watch_transactions(topics: &Arc<Topics>) {
    let topics = Arc::downgrade(topics);
    let watch = move || {
        let mut open = OpenTransactions::default();
        loop {
            thread::sleep(TRANSACTIONS_INTERVAL);
            // A standby that another run was faster than begins again with new ones.
            let Some(topics) = topics.upgrade() else { return };
            match topics.ends() {
                Ok(ends) => open.note(&ends, Instant::now()),
                Err(error) => debug!(%error, "could not see whether transactions are open"),
            }
        }
    };
    thread::Builder::new().name("transactions".to_owned()).spawn(watch).expect("a thread can be started");
}

/// Logs what a run that ends leaves unread because of open transactions.
fn warn_about_open(topics: &Topics) {
    match topics.ends() {
        Ok(ends) => {
            for (partition, End { readable, written }) in ends.iter().filter(|(_, end)| end.readable < end.written) {
                warn_about(partition, *readable, *written);
            }
        }
        Err(error) => debug!(%error, "could not see whether transactions are open"),
    }
}

/// The topics that the fence entry must name: new ones with where they start.
fn new_topics(
    state: &State,
    described: &BTreeMap<String, Topic>,
    starts: &[PartitionStart],
) -> BTreeMap<String, TopicEntry> {
    let mut entries = BTreeMap::new();
    for (name, topic) in described.iter().filter(|(name, _)| !state.topics.contains_key(*name)) {
        let of_topic = starts.iter().filter(|start| start.partition.topic == *name);
        let positions = of_topic.map(|start| (start.partition.number, PartitionEntry::start(start.from)));
        let (id, partitions) = (topic.id.clone(), topic.partitions);
        let entry = TopicEntry { id, partitions, positions: positions.collect(), ..TopicEntry::default() };
        entries.insert(name.clone(), entry);
    }
    entries
}
