//! The newest records of a partition, for whoever wants to see what kind they are.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError as RdError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::{KafkaError, Topics, Watermarks};
use crate::change::Partition;

/// How long to look for records: what was found until then is a sample too.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one poll may take.
const POLL: Duration = Duration::from_millis(100);

impl Topics {
    /// The values of the newest records, at most `count` and perhaps fewer; tombstones are left out.
    ///
    /// # Errors
    /// What the broker says.
    pub fn newest_values(&self, partition: &Partition, count: usize) -> Result<Vec<Vec<u8>>, KafkaError> {
        let Watermarks { low, high } = self.watermarks(partition)?;
        let back = i64::try_from(count).unwrap_or(i64::MAX);
        let from = high.saturating_sub(back).max(low);
        if from >= high {
            return Ok(Vec::new());
        }
        let failed = |message: String| KafkaError::Consume { partition: partition.clone(), message };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(from))
            .expect("an offset below the end is a valid offset");
        self.consumer.assign(&list).map_err(|error| failed(error.to_string()))?;
        let begin = Instant::now();
        let mut values = Vec::new();
        while begin.elapsed() < PATIENCE {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    values.extend(message.payload().map(<[u8]>::to_vec));
                    if message.offset() + 1 >= high {
                        break;
                    }
                }
                Some(Err(RdError::PartitionEOF(_))) => break,
                Some(Err(error)) => debug!(%error, "could not read {:?} yet", partition.topic),
            }
        }
        self.consumer.unassign().map_err(|error| failed(error.to_string()))?;
        Ok(values)
    }
}
