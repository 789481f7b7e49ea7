//! Whether a process reaches the brokers: any of them, and the leaders of all partitions.

use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::debug;

use super::topics::{REQUEST_TIMEOUT, ask_all_ends};
use super::{KafkaError, Topics};
use crate::change::{Classified, Partition};
use crate::control::Deadline;

/// How long a start waits for an answer.
const START_TIMEOUT: Duration = Duration::from_secs(25);
/// How long to wait for librdkafka's errors between two requests.
const ERROR_TIMEOUT: Duration = Duration::from_millis(200);

impl Topics {
    /// Asks until there is an answer or a start has waited long enough; `ask` gets the time that it may take.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`], with the last error of librdkafka.
    pub(super) fn await_answer(&self, ask: impl Fn(Duration) -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        let deadline = Deadline::after(START_TIMEOUT);
        loop {
            match ask(REQUEST_TIMEOUT.min(deadline.remaining())) {
                Ok(()) => return Ok(()),
                Err(error) if deadline.remaining() <= Duration::from_secs(1) => {
                    return Err(KafkaError::NoBroker {
                        brokers: self.settings.brokers.clone(),
                        seconds: deadline.elapsed().as_secs(),
                        message: self.consumer.context().last_error().unwrap_or_else(|| error.to_string()),
                        code: self.consumer.context().refusal(),
                    });
                }
                Err(error) => {
                    debug!(%error, "no answer from Kafka yet");
                    // Serves librdkafka's error events, which name the cause.
                    drop(self.consumer.poll(ERROR_TIMEOUT));
                }
            }
        }
    }

    /// Waits until the leaders of all partitions answer this process.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`] when they do not within half a minute, and at once a refusal.
    pub fn await_leaders(&self) -> Result<(), KafkaError> {
        let refusal = OnceLock::new();
        let answered = self.await_answer(|_| match self.reach_leaders() {
            Err(error) if error.is_usage() => {
                let _ = refusal.set(error);
                Ok(())
            }
            reached => reached,
        });
        refusal.into_inner().map_or(answered, Err)
    }

    /// Whether the leaders of all partitions answer this process now.
    ///
    /// # Errors
    /// The error of any broker.
    pub fn reach_leaders(&self) -> Result<(), KafkaError> {
        let partitions = self.partitions(&self.consumer)?.into_iter().map(|led| led.partition);
        ask_all_ends(&self.consumer, &partitions.collect::<Vec<Partition>>()).map(drop)
    }
}
