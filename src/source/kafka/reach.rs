//! Whether a process reaches the brokers: any of them, and the leaders of all partitions.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::debug;

use super::context::serve_events;
use super::topics::{REQUEST_TIMEOUT, START_TIMEOUT, ask_all_ends};
use super::{KafkaError, KafkaSettings, Topics};
use crate::change::{Classified, Partition};
use crate::control::Deadline;

/// How long to wait for librdkafka's errors between two requests.
const ERROR_TIMEOUT: Duration = Duration::from_millis(200);

impl Topics {
    /// Asks until there is an answer or the deadline has passed; `ask` gets the time that it may take.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`], with the last error of librdkafka.
    pub(super) fn await_answer(
        &self,
        deadline: Deadline,
        ask: impl Fn(Duration) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
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

    /// Connects, and waits until the leaders of all partitions answer this process.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`] when no broker answers within half a minute; else, after that time, the last error, and a refusal at once.
    pub fn reaching(settings: &KafkaSettings, names: &[String], group: &str) -> Result<Topics, KafkaError> {
        let deadline = Deadline::after(START_TIMEOUT);
        let topics = Topics::connect_until(deadline, settings, names, group)?;
        loop {
            match topics.reach_leaders() {
                Ok(()) => return Ok(topics),
                Err(error) if error.is_usage() || deadline.has_passed() => return Err(error),
                Err(error) => {
                    debug!(%error, "not all leaders of partitions answer yet");
                    drop(topics.consumer.poll(ERROR_TIMEOUT));
                }
            }
        }
    }

    /// Whether the leaders of all partitions answer this process now.
    ///
    /// # Errors
    /// The error of any broker.
    pub fn reach_leaders(&self) -> Result<(), KafkaError> {
        serve_events(&self.consumer);
        let partitions = self.partitions(&self.consumer)?.into_iter().map(|led| led.partition);
        ask_all_ends(&self.consumer, &partitions.collect::<Vec<Partition>>()).map(drop)
    }
}
