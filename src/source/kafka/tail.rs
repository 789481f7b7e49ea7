//! The newest records of a partition: a stretch that is read once, and the wait until all before it is committed.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::topics::ask_watermarks;
use super::{KafkaError, KafkaSettings, Topics, Watermarks};
use crate::change::Partition;
use crate::control::Deadline;

/// How long one poll may take.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long to wait for the partition's end.
const END_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to collect a sample: what was read until then is one too.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many offsets before the end to begin with. Markers of transactions have offsets, and compaction leaves gaps.
const FIRST_DISTANCE: i64 = 16;
/// How much farther back each further try begins.
const DISTANCE_FACTOR: i64 = 16;
/// How long to wait for transactions of other producers.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often to check whether they have ended.
const SETTLE_INTERVAL: Duration = Duration::from_millis(100);

/// A record near the end of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestRecord {
    /// Its timestamp as it is stored, which should be milliseconds since 1970-01-01 UTC; `None` without one.
    pub timestamp: Option<i64>,
    /// Its value.
    pub value: Vec<u8>,
}

impl Topics {
    /// The value of the newest record that a read-committed consumer sees; `None` when there is none, or it has no value.
    ///
    /// # Errors
    /// The broker's error, or that the end was not reached in time.
    pub fn newest_value(&self, partition: &Partition) -> Result<Option<Vec<u8>>, KafkaError> {
        let Watermarks { low, high } = self.watermarks(partition)?;
        let mut back = FIRST_DISTANCE;
        loop {
            let from = high.saturating_sub(back).max(low);
            let found = if from < high { self.read_to_end(partition, from, high)? } else { None };
            match found {
                Some(value) => return Ok(value),
                None if from == low => return Ok(None),
                None => back = back.saturating_mul(DISTANCE_FACTOR),
            }
        }
    }

    /// The newest records, at most `count` and perhaps fewer; tombstones are left out.
    ///
    /// # Errors
    /// The broker's error.
    pub fn newest_records(&self, partition: &Partition, count: usize) -> Result<Vec<NewestRecord>, KafkaError> {
        let Watermarks { low, high } = self.watermarks(partition)?;
        let back = i64::try_from(count).unwrap_or(i64::MAX);
        let from = high.saturating_sub(back).max(low);
        let mut records = Vec::new();
        if from < high {
            let keep = |message: &BorrowedMessage<'_>| {
                let timestamp = message.timestamp().to_millis();
                records.extend(message.payload().map(|value| NewestRecord { timestamp, value: value.to_vec() }));
            };
            self.peek(partition, (from, high), SAMPLE_TIMEOUT, keep)?;
        }
        Ok(records)
    }

    /// The value of the last record from `from` on.
    fn read_to_end(&self, partition: &Partition, from: i64, high: i64) -> Result<Option<Option<Vec<u8>>>, KafkaError> {
        let mut newest = None;
        let keep = |message: &BorrowedMessage<'_>| newest = Some(message.payload().map(<[u8]>::to_vec));
        match self.peek(partition, (from, high), END_TIMEOUT, keep)? {
            Peeked::Whole => Ok(newest),
            Peeked::Partial(error) => Err(KafkaError::Consume {
                partition: partition.clone(),
                message: format!("its end was not reached within {} s: {error}", END_TIMEOUT.as_secs()),
            }),
        }
    }
}

impl KafkaSettings {
    /// Waits until every transaction that has written to a partition before the call is committed or aborted, or until
    /// `is_cancelled`; returns whether they are.
    ///
    /// # Errors
    /// [`KafkaError::Consume`] when one stays open, and other errors of the broker.
    pub fn await_settled(&self, partition: &Partition, is_cancelled: impl Fn() -> bool) -> Result<bool, KafkaError> {
        let end = ask_watermarks(&self.seeing_open()?, partition)?.high;
        let committed = self.asking("walbook-settled")?;
        let deadline = Deadline::after(SETTLE_TIMEOUT);
        loop {
            let stable = ask_watermarks(&committed, partition)?.high;
            if stable >= end {
                return Ok(true);
            }
            if is_cancelled() {
                return Ok(false);
            }
            if deadline.has_passed() {
                let message = format!(
                    "a transaction of another producer is open since offset {stable}, and the records up to {end} cannot be read before it ends; kafka-transactions.sh find-hanging shows whose it is"
                );
                return Err(KafkaError::Consume { partition: partition.clone(), message });
            }
            thread::sleep(SETTLE_INTERVAL);
        }
    }
}

/// How a read ended that did not fail.
enum Peeked {
    /// All records were read.
    Whole,
    /// The timeout passed; with librdkafka's last error.
    Partial(String),
}

impl Topics {
    /// Calls `visit` with each committed record from offset `from` up to `to`, for at most `timeout`.
    ///
    /// # Errors
    /// The broker's error, where waiting does not help.
    fn peek(
        &self,
        partition: &Partition,
        (from, to): (i64, i64),
        timeout: Duration,
        visit: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<Peeked, KafkaError> {
        let what = || format!("read {:?} partition {}", partition.topic, partition.number);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(from))
            .expect("an offset below the end is a valid offset");
        self.consumer.assign(&list).map_err(|error| KafkaError::request(what(), &error))?;
        let peeked = self.poll_to(to, timeout, visit);
        // In any case: this client also sends requests, and must not fetch any further.
        let unassigned = self.consumer.unassign();
        let peeked = peeked.map_err(|error| KafkaError::request(what(), &error))?;
        unassigned.map_err(|error| KafkaError::request(what(), &error))?;
        Ok(peeked)
    }

    /// Polls what is assigned up to offset `to`, or its end.
    fn poll_to(
        &self,
        to: i64,
        timeout: Duration,
        mut visit: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<Peeked, RdError> {
        let deadline = Deadline::after(timeout);
        let mut last_error = None;
        while !deadline.has_passed() {
            match self.consumer.poll(POLL_TIMEOUT) {
                None => {}
                Some(Ok(message)) => {
                    visit(&message);
                    if message.offset() + 1 >= to {
                        return Ok(Peeked::Whole);
                    }
                }
                Some(Err(RdError::PartitionEOF(_))) => return Ok(Peeked::Whole),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                        return Err(error);
                    }
                    _ => {
                        // librdkafka retries by itself.
                        debug!(%error, "could not read yet");
                        last_error = Some(error.to_string());
                    }
                },
            }
        }
        Ok(Peeked::Partial(last_error.unwrap_or_else(|| "no answer".to_owned())))
    }
}
