//! The newest record of a partition.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::{KafkaError, Topics, Watermarks};
use crate::change::Partition;

/// How long to wait for the partition's end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one poll may take.
const POLL: Duration = Duration::from_millis(100);
/// How many offsets before the end to begin with. Markers of transactions take offsets, and compaction leaves gaps.
const FIRST_LOOK: i64 = 16;
/// How much farther back each further look begins.
const FARTHER: i64 = 16;

impl Topics {
    /// The value of the newest record that a read-committed consumer sees; `None` when there is none, or it has no value.
    ///
    /// # Errors
    /// What the broker says, or that the end was not reached in time.
    pub fn newest_value(&self, partition: &Partition) -> Result<Option<Vec<u8>>, KafkaError> {
        let Watermarks { low, high } = self.watermarks(partition)?;
        let mut back = FIRST_LOOK;
        loop {
            let from = high.saturating_sub(back).max(low);
            let found = if from < high { self.read_to_end(partition, from, high)? } else { None };
            match found {
                Some(value) => return Ok(value),
                None if from == low => return Ok(None),
                None => back = back.saturating_mul(FARTHER),
            }
        }
    }

    /// The value of the last record from `from` on.
    fn read_to_end(&self, partition: &Partition, from: i64, high: i64) -> Result<Option<Option<Vec<u8>>>, KafkaError> {
        let failed = |message: String| KafkaError::Consume { partition: partition.clone(), message };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(from))
            .expect("an offset below the end is a valid offset");
        self.consumer.assign(&list).map_err(|error| failed(error.to_string()))?;
        let begin = Instant::now();
        let (mut newest, mut last_error) = (None, None);
        loop {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    newest = Some(message.payload().map(<[u8]>::to_vec));
                    if message.offset() + 1 >= high {
                        break;
                    }
                }
                Some(Err(RdError::PartitionEOF(_))) => break,
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    return Err(failed(error.to_string()));
                }
                Some(Err(error)) => {
                    // librdkafka goes on by itself.
                    debug!(%error, "could not read {:?} yet", partition.topic);
                    last_error = Some(error.to_string());
                }
            }
            if begin.elapsed() >= PATIENCE {
                let seen = last_error.unwrap_or_else(|| "no answer".to_owned());
                return Err(failed(format!("its end was not reached within {} s: {seen}", PATIENCE.as_secs())));
            }
        }
        self.consumer.unassign().map_err(|error| failed(error.to_string()))?;
        Ok(newest)
    }
}
