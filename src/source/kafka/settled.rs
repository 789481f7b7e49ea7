//! Whether all transactions of a partition have come to an end: only then its newest committed record is its newest.

use std::thread;
use std::time::{Duration, Instant};

use super::topics::ask_watermarks;
use super::{KafkaError, KafkaSettings};
use crate::change::Partition;

/// How long to wait for other producers.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often to ask.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl KafkaSettings {
    /// Waits until every transaction that has written to a partition before the call is committed or taken back, or until
    /// `is_asked` to give up; returns whether they are.
    ///
    /// # Errors
    /// [`KafkaError::Consume`] when one stays open, and what else the broker says.
    pub fn await_settled(&self, partition: &Partition, is_asked: impl Fn() -> bool) -> Result<bool, KafkaError> {
        let end = ask_watermarks(&self.seeing_open()?, partition)?.high;
        let committed = self.asking("walbook-settled")?;
        let begin = Instant::now();
        loop {
            let stable = ask_watermarks(&committed, partition)?.high;
            if stable >= end {
                return Ok(true);
            }
            if is_asked() {
                return Ok(false);
            }
            if begin.elapsed() >= PATIENCE {
                let message = format!(
                    "a transaction of another producer is open since offset {stable}, and the records up to {end} cannot be read before it ends; kafka-transactions.sh find-hanging tells whose it is"
                );
                return Err(KafkaError::Consume { partition: partition.clone(), message });
            }
            thread::sleep(ASK_AGAIN);
        }
    }
}
