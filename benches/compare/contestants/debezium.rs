//! Debezium, which reads a slot into a topic by a worker of Kafka Connect; its program is `benches/compare/peers/debezium.py`.

use super::PeerProgram;
use super::capture::{Database, PUBLICATION};
use crate::Outcome;
use crate::load::Topic;
use crate::report::Run;

/// The name of its program.
pub(crate) const DEBEZIUM: &str = "debezium";

impl Database<'_> {
    /// Debezium writes the changes of a slot of pgoutput to a topic, whose records are counted afterwards.
    pub(crate) fn debezium(&self, program: &PeerProgram, slot: &str) -> Outcome<Run> {
        let topic = Topic::create(&self.environment.brokers, DEBEZIUM, 4)?;
        let (url, changes) = (self.url(), self.truth.total());
        let options = [
            ("brokers", &*topic.brokers),
            ("topic", &topic.name),
            ("postgres", &url),
            ("slot", slot),
            ("publication", PUBLICATION),
            ("changes", &changes.to_string()),
        ];
        let run = program.run(self.environment, &options)?;
        let wrong = run.counts.difference(&self.truth);
        Ok(run.into_run(changes, wrong))
    }
}
