//! A topic in memory, read as a worker would read a broker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::WorkloadRecord;
use fastrand::Rng;
use walbook::change::{Failure, Partition, PartitionStart, PolledBatch, Record, Records};
use walbook::source::{Accepted, Cursors, Source, Waker};

/// A topic that all workers of a process share.
#[derive(Clone)]
pub struct MemoryTopic {
    partitions: Arc<Mutex<BTreeMap<i32, Vec<Arc<WorkloadRecord>>>>>,
    /// How many offsets a transaction has.
    transaction: i64,
    /// By partition: the offset below which the source knows all to be durable.
    durable: Arc<Mutex<BTreeMap<i32, i64>>>,
    /// What is true of the topic beside its records.
    description: Arc<Mutex<Description>>,
}

#[derive(Default)]
struct Description {
    /// Its identity, as far as it has one.
    id: String,
    /// By partition: the first offset that exists, where it is not 0.
    low: BTreeMap<i32, i64>,
}

impl MemoryTopic {
    /// The topic's name.
    pub const NAME: &str = "changes";

    /// A topic with these records, each at the end of its partition.
    pub fn new(records: impl IntoIterator<Item = WorkloadRecord>) -> MemoryTopic {
        MemoryTopic::with_transactions(records, 1)
    }

    /// A topic whose records come in transactions that must stay in one commit: each so many offsets of a partition.
    pub fn with_transactions(records: impl IntoIterator<Item = WorkloadRecord>, offsets: i64) -> MemoryTopic {
        let topic = MemoryTopic {
            partitions: Arc::default(),
            transaction: offsets,
            durable: Arc::default(),
            description: Arc::default(),
        };
        topic.append(records);
        topic
    }

    /// By partition: the offsets below which sources know all to be durable.
    pub fn durable(&self) -> BTreeMap<i32, i64> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds records at the ends of their partitions.
    pub fn append(&self, records: impl IntoIterator<Item = WorkloadRecord>) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            partitions.entry(record.partition).or_default().push(Arc::new(record));
        }
    }

    /// The topic's identity.
    pub fn id(&self) -> String {
        self.description.lock().unwrap_or_else(PoisonError::into_inner).id.clone()
    }

    /// Makes it another topic of the same name.
    pub fn set_id(&self, id: &str) {
        id.clone_into(&mut self.description.lock().unwrap_or_else(PoisonError::into_inner).id);
    }

    /// The number of partitions, of which those below the highest may be empty.
    pub fn partitions(&self) -> i32 {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.keys().next_back().map_or(0, |last| last + 1)
    }

    /// The first offset that exists, and the one after the last.
    pub fn watermarks(&self, number: i32) -> (i64, i64) {
        let low = self.description.lock().unwrap_or_else(PoisonError::into_inner).low.get(&number).copied();
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let last = partitions.get(&number).and_then(|records| records.last());
        let low = low.unwrap_or(0);
        (low, last.map_or(low, |record| record.offset + 1))
    }

    /// Deletes the records below an offset, as retention does.
    pub fn delete_before(&self, number: i32, offset: i64) {
        self.description.lock().unwrap_or_else(PoisonError::into_inner).low.insert(number, offset);
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.entry(number).or_default().retain(|record| record.offset >= offset);
    }

    /// Deletes the records from an offset on, as an election of a leader that does not have them does.
    pub fn delete_from(&self, number: i32, offset: i64) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.entry(number).or_default().retain(|record| record.offset < offset);
    }

    /// Where to read each partition, from `next` (or its first offset) until the end that it has now.
    pub fn starts(&self, next: impl Fn(i32) -> Option<i64>) -> Vec<PartitionStart> {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let start = |(number, records): (&i32, &Vec<Arc<WorkloadRecord>>)| {
            let partition = Partition { topic: MemoryTopic::NAME.to_owned(), number: *number };
            let from = next(*number).unwrap_or_else(|| records.first().map_or(0, |record| record.offset));
            PartitionStart::new(partition, from, Some(records.last().map_or(0, |record| record.offset + 1)))
        };
        partitions.iter().map(start).collect()
    }
}

/// Reads partitions of a [`MemoryTopic`] in batches of random size, and now and then repeats what it gave before.
pub struct MemorySource {
    topic: MemoryTopic,
    cursors: Cursors,
    random: Rng,
    largest_batch: u64,
    /// The place whose transaction was begun and has more records.
    inside: Option<usize>,
    /// By place: the offset below which it knows all to be durable.
    durable: Vec<i64>,
}

impl MemorySource {
    /// A source whose batches have at most `largest_batch` records; `seed` decides how many.
    pub fn new(topic: MemoryTopic, seed: u64, largest_batch: u64) -> MemorySource {
        MemorySource {
            topic,
            cursors: Cursors::default(),
            random: Rng::with_seed(seed),
            largest_batch,
            inside: None,
            durable: Vec::new(),
        }
    }
}

impl Source for MemorySource {
    fn set_waker(&mut self, _waker: Waker) {}

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        for start in partitions {
            self.cursors.add(start);
        }
        Ok(())
    }

    fn poll_batch(&mut self, limit: usize) -> Result<Option<PolledBatch>, Failure> {
        if self.cursors.is_empty() {
            return Ok(None);
        }
        let place = self.inside.unwrap_or_else(|| self.random.u64(..self.cursors.len() as u64) as usize);
        let partition = Arc::clone(self.cursors.partition(place));
        let want = (1 + self.random.u64(..self.largest_batch) as usize).min(limit);
        let repeated = if self.random.u32(..1000) < 100 { 3 } else { 0 };
        let all = self.topic.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let records = all.get(&partition.number).map_or(&[][..], Vec::as_slice);
        let next = self.cursors.next_offset(place);
        let first = records.partition_point(|record| record.offset < next).saturating_sub(repeated);
        let transaction = |record: &WorkloadRecord| record.offset / self.topic.transaction;
        let mut polled: Vec<Arc<WorkloadRecord>> = Vec::new();
        self.inside = None;
        for record in &records[first..] {
            let continues = polled.last().is_some_and(|last| transaction(last) == transaction(record));
            if continues && polled.len() >= want {
                self.inside = Some(place);
            }
            // What is given ends between transactions, if there is one whose end is near.
            let is_full =
                if self.topic.transaction > 1 { !continues && !polled.is_empty() } else { polled.len() >= want };
            if is_full || self.inside.is_some() {
                break;
            }
            if self.cursors.accept(place, record.offset) == Accepted::New {
                polled.push(Arc::clone(record));
            }
        }
        drop(all);
        let count = polled.len();
        Ok((count > 0).then(|| PolledBatch { records: Box::new(MemoryRecords { partition, records: polled }), count }))
    }

    fn at_transaction_boundary(&self) -> bool {
        self.inside.is_none()
    }

    fn confirm_durable(&mut self, next_offsets: &[i64]) {
        let mut durable = self.topic.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, next) in next_offsets.iter().enumerate() {
            assert!(
                self.durable.get(place) <= Some(next),
                "what is durable stays so: {:?}, then {next}",
                self.durable.get(place)
            );
            durable.insert(self.cursors.partition(place).number, *next);
        }
        self.durable = next_offsets.to_vec();
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        None
    }
}

struct MemoryRecords {
    partition: Arc<Partition>,
    records: Vec<Arc<WorkloadRecord>>,
}

impl Records for MemoryRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        for record in &self.records {
            visit(Record {
                partition: &self.partition,
                offset: record.offset,
                ordinal: 0,
                kafka_time: record.time,
                arrived: None,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                decoded: None,
                headers: &(),
            });
        }
    }
}
