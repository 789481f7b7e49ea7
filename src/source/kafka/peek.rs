//! A stretch of a partition that is read once, to look at it.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError as RdError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use super::{KafkaError, Topics};
use crate::change::Partition;

/// How long one poll may take.
const POLL: Duration = Duration::from_millis(100);

/// How a look ended that did not fail.
pub(super) enum Peeked {
    /// All of it was seen.
    Whole,
    /// The time was over; this was the last thing that librdkafka said.
    InPart(String),
}

impl Topics {
    /// Shows the value of each committed record from offset `from` up to `to` to `look`, for so long at most.
    ///
    /// # Errors
    /// What the broker says, where waiting does not mend it.
    pub(super) fn peek(
        &self,
        partition: &Partition,
        (from, to): (i64, i64),
        patience: Duration,
        look: impl FnMut(Option<&[u8]>),
    ) -> Result<Peeked, KafkaError> {
        let what = || format!("read {:?} partition {}", partition.topic, partition.number);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(from))
            .expect("an offset below the end is a valid offset");
        self.consumer.assign(&list).map_err(|error| KafkaError::request(what(), &error))?;
        let peeked = self.poll_to(to, patience, look);
        // However it ended: this client also asks and tells, and must not go on fetching.
        let unassigned = self.consumer.unassign();
        let peeked = peeked.map_err(|error| KafkaError::request(what(), &error))?;
        unassigned.map_err(|error| KafkaError::request(what(), &error))?;
        Ok(peeked)
    }

    /// Polls what is assigned up to offset `to`, or its end.
    fn poll_to(&self, to: i64, patience: Duration, mut look: impl FnMut(Option<&[u8]>)) -> Result<Peeked, RdError> {
        let begin = Instant::now();
        let mut last_error = None;
        while begin.elapsed() < patience {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    look(message.payload());
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
                        // librdkafka goes on by itself.
                        debug!(%error, "could not read yet");
                        last_error = Some(error.to_string());
                    }
                },
            }
        }
        Ok(Peeked::InPart(last_error.unwrap_or_else(|| "no answer".to_owned())))
    }
}
