//! The source of one worker of a simulated run: the topic in memory, which may fail, and which a mutation makes wrong.

use std::sync::{Arc, Mutex};

use walbook::change::{Failure, PartitionStart, PolledBatch, Record, Records};
use walbook::source::{Cursors, Source, Waker};

use super::plan::{Fault, Mutation};
use super::world::{Life, World};
use crate::support::MemorySource;

/// The wakers of a run's sources.
pub(crate) type Wakers = Arc<Mutex<Vec<Waker>>>;

/// Reads the topic for one worker.
pub(crate) struct SimulatedSource {
    world: World,
    life: Arc<Life>,
    wakers: Wakers,
    source: MemorySource,
}

impl SimulatedSource {
    /// A source that has no partitions yet.
    pub(crate) fn new(world: World, life: Arc<Life>, wakers: Wakers) -> SimulatedSource {
        let source = MemorySource::new(world.topic.clone(), world.number(), world.plan.largest_batch);
        SimulatedSource { world, life, wakers, source }
    }
}

impl Source for SimulatedSource {
    fn set_waker(&mut self, waker: Waker) {
        self.wakers.lock().expect("no panic").push(waker);
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        self.source.assign(partitions)
    }

    fn poll_batch(&mut self, limit: usize) -> Result<Option<PolledBatch>, Failure> {
        let world = &self.world;
        if world.strikes(Fault::SourceError) {
            self.life.mark_faulted();
            return Err(Failure::new("the source failed"));
        }
        let polled = self.source.poll_batch(limit)?;
        if let Some(polled) = &polled {
            world.note(format_args!("run {}: polled {} records", self.life.run, polled.count));
        }
        let change = world.mutation().filter(|_| polled.is_some() && world.one_in(10));
        match (change, polled) {
            (Some(mutation @ (Mutation::DroppedRecord | Mutation::RepeatedRecord)), Some(polled)) => {
                let PolledBatch { records, count } = polled;
                Ok(Some(PolledBatch { records: Box::new(WrongRecords { records, count, mutation }), count }))
            }
            (Some(Mutation::SkippedOffset), polled) => {
                let cursors = self.source.cursors();
                for place in 0..cursors.len() {
                    cursors.pass(place, cursors.next_offset(place) + 1);
                }
                Ok(polled)
            }
            (_, polled) => Ok(polled),
        }
    }

    fn at_transaction_boundary(&self) -> bool {
        self.source.at_transaction_boundary()
    }

    fn confirm_durable(&mut self, next_offsets: &[i64]) {
        self.source.confirm_durable(next_offsets);
        if self.world.is_alive(&self.life) {
            for (place, next) in next_offsets.iter().enumerate() {
                let number = self.source.cursors().partition(place).number;
                self.world.promise_durable(number, *next);
            }
        }
    }

    fn cursors(&mut self) -> &mut Cursors {
        self.source.cursors()
    }

    fn lag(&mut self) -> Option<i64> {
        self.source.lag()
    }
}

/// Records of which one is missing or comes twice.
struct WrongRecords {
    records: Box<dyn Records>,
    count: usize,
    mutation: Mutation,
}

impl Records for WrongRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        let mut number = 0;
        let mut pass = |only_first: bool| {
            self.records.for_each(&mut |record| {
                number += 1;
                let is_left_out = match self.mutation {
                    Mutation::DroppedRecord => number == self.count,
                    _ => only_first && number != self.count + 1,
                };
                if !is_left_out {
                    visit(record);
                }
            });
        };
        pass(false);
        if self.mutation == Mutation::RepeatedRecord {
            pass(true);
        }
    }
}
