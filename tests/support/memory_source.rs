//! A source that reads a topic in memory as a worker would read a broker.

use std::sync::{Arc, PoisonError};

use super::{MemoryTopic, WorkloadRecord};
use fastrand::Rng;
use walbook::change::{Failure, Partition, PartitionStart, PolledBatch, Record, Records};
use walbook::source::{Accepted, Cursors, Source, Waker};

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
        if let Some(last) = polled.last() {
            self.cursors.set_leader_epoch(place, self.topic.leader_epoch(partition.number, last.offset));
        }
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
                headers: &**record,
            });
        }
    }
}
