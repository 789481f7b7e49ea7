//! A topic in memory: what it holds, and what brokers do to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::WorkloadRecord;
use walbook::change::{Partition, PartitionStart};

/// A topic that all workers of a process share.
#[derive(Clone)]
pub struct MemoryTopic {
    pub(super) partitions: Arc<Mutex<BTreeMap<i32, Vec<Arc<WorkloadRecord>>>>>,
    /// How many offsets a transaction has.
    pub(super) transaction: i64,
    /// By partition: the offset below which the source knows all to be durable.
    pub(super) durable: Arc<Mutex<BTreeMap<i32, i64>>>,
    /// What is true of the topic beside its records.
    description: Arc<Mutex<Description>>,
}

#[derive(Default)]
struct Description {
    /// Its identity, as far as it has one.
    id: String,
    /// By partition: the first offset that exists, where it is not 0.
    low: BTreeMap<i32, i64>,
    /// By partition: where each leader epoch after 0 begins. `None` if its records have no leader epochs.
    leader_epochs: Option<BTreeMap<i32, Vec<i64>>>,
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
        self.description().id.clone()
    }

    /// Makes it another topic of the same name.
    pub fn set_id(&self, id: &str) {
        id.clone_into(&mut self.description().id);
    }

    /// The number of partitions, of which those below the highest may be empty.
    pub fn partitions(&self) -> i32 {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.keys().next_back().map_or(0, |last| last + 1)
    }

    /// The first offset that exists, and the one after the last.
    pub fn watermarks(&self, number: i32) -> (i64, i64) {
        let low = self.description().low.get(&number).copied();
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let last = partitions.get(&number).and_then(|records| records.last());
        let low = low.unwrap_or(0);
        (low, last.map_or(low, |record| record.offset + 1))
    }

    /// Deletes the records below an offset, as retention does.
    pub fn delete_before(&self, number: i32, offset: i64) {
        self.description().low.insert(number, offset);
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.entry(number).or_default().retain(|record| record.offset >= offset);
    }

    /// Deletes the records from an offset on, as the election of a leader that does not have them does.
    pub fn delete_from(&self, number: i32, offset: i64) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.entry(number).or_default().retain(|record| record.offset < offset);
        drop(partitions);
        self.elect_leader(number);
    }

    /// Gives records leader epochs from now on.
    pub fn keep_leader_epochs(&self) {
        self.description().leader_epochs.get_or_insert_default();
    }

    /// Begins a leader epoch at the end of a partition.
    pub fn elect_leader(&self, number: i32) {
        let (_, high) = self.watermarks(number);
        if let Some(epochs) = &mut self.description().leader_epochs {
            let begins = epochs.entry(number).or_default();
            // Epochs in which nothing that is left was written keep their number and are empty.
            begins.iter_mut().for_each(|begin| *begin = high.min(*begin));
            begins.push(high);
        }
    }

    /// The leader epoch of the record at an offset.
    pub fn leader_epoch(&self, number: i32, offset: i64) -> Option<i32> {
        let description = self.description();
        let begins = description.leader_epochs.as_ref()?.get(&number);
        let epoch = begins.map_or(0, |begins| begins.partition_point(|begin| *begin <= offset));
        i32::try_from(epoch).ok()
    }

    /// The first offset after a leader epoch.
    pub fn end_of_leader_epoch(&self, number: i32, epoch: i32) -> i64 {
        let (_, high) = self.watermarks(number);
        let description = self.description();
        let begins = description.leader_epochs.as_ref().and_then(|epochs| epochs.get(&number));
        let next = usize::try_from(epoch).ok().and_then(|next| begins?.get(next)).copied();
        next.unwrap_or(high)
    }

    fn description(&self) -> MutexGuard<'_, Description> {
        self.description.lock().unwrap_or_else(PoisonError::into_inner)
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
