//! The newest records of a partition.

use std::time::Duration;

use super::peek::Peeked;
use super::{KafkaError, Topics, Watermarks};
use crate::change::Partition;

/// How long to wait for the partition's end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long to look for a sample: what was found until then is one too.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(5);
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

    /// The values of the newest records, at most `count` and perhaps fewer; tombstones are left out.
    ///
    /// # Errors
    /// What the broker says.
    pub fn newest_values(&self, partition: &Partition, count: usize) -> Result<Vec<Vec<u8>>, KafkaError> {
        let Watermarks { low, high } = self.watermarks(partition)?;
        let back = i64::try_from(count).unwrap_or(i64::MAX);
        let from = high.saturating_sub(back).max(low);
        let mut values = Vec::new();
        if from < high {
            let keep = |value: Option<&[u8]>| values.extend(value.map(<[u8]>::to_vec));
            self.peek(partition, (from, high), SAMPLE_PATIENCE, keep)?;
        }
        Ok(values)
    }

    /// The value of the last record from `from` on.
    fn read_to_end(&self, partition: &Partition, from: i64, high: i64) -> Result<Option<Option<Vec<u8>>>, KafkaError> {
        let mut newest = None;
        let keep = |value: Option<&[u8]>| newest = Some(value.map(<[u8]>::to_vec));
        match self.peek(partition, (from, high), PATIENCE, keep)? {
            Peeked::Whole => Ok(newest),
            Peeked::InPart(seen) => Err(KafkaError::Consume {
                partition: partition.clone(),
                message: format!("its end was not reached within {} s: {seen}", PATIENCE.as_secs()),
            }),
        }
    }
}
