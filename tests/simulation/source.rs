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
        if world.mutation() == Some(Mutation::ForgottenLeaderEpochs) {
            let cursors = self.source.cursors();
            (0..cursors.len()).for_each(|place| cursors.set_leader_epoch(place, None));
        }
        let change = world.mutation().filter(|_| polled.is_some() && world.one_in(10));
        match (change, polled) {
            (Some(mutation), Some(polled)) if mutation.changes_records() => {
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

/// Records of which one is missing or comes twice, or in which a value is wrong.
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
                    visit_changed(self.mutation, record, visit);
                }
            });
        };
        pass(false);
        if self.mutation == Mutation::RepeatedRecord {
            pass(true);
        }
    }
}

/// Visits a record with the value that the mutation makes wrong.
fn visit_changed(mutation: Mutation, mut record: Record<'_>, visit: &mut dyn FnMut(Record<'_>)) {
    let mut value = record.value.map(<[u8]>::to_vec);
    match mutation {
        Mutation::WrongXid => value.iter_mut().for_each(|value| change_digit(value, b"\"xid\":")),
        Mutation::WrongText => value.iter_mut().for_each(|value| change_digit(value, b" id[integer]:")),
        Mutation::WrongTime => record.kafka_time = record.kafka_time.map(|time| time + 1),
        _ => {}
    }
    visit(Record { value: value.as_deref(), ..record });
}

/// Makes the first digit after `name` another one.
fn change_digit(value: &mut [u8], name: &[u8]) {
    let Some(at) = value.windows(name.len()).position(|window| window == name) else { return };
    if let Some(digit @ b'1'..=b'9') = value.get_mut(at + name.len()) {
        *digit = b'1' + b'9' - *digit;
        // Five is its own mirror image.
        if *digit == b'5' {
            *digit = b'6';
        }
    }
}
