//! What an answer is complete to.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::display::{printable, rfc3339};
use crate::book::State;
use crate::change::{CommitNumber, Day, Epoch};

/// What an answer is complete to; prints as a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CompleteTo {
    /// The newest commit's number; 0 before the first.
    #[schema(value_type = u64)]
    pub commit: CommitNumber,
    /// By topic and partition: the first offset that is not in it.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, i64>>)]
    pub positions: BTreeMap<String, BTreeMap<i32, i64>>,
    /// The highest commit time of the newest commit that has changes, in microseconds since 1970-01-01 UTC (RFC 3339 in
    /// JSON); `None` where its records have none, or a version wrote it that did not record it.
    #[serde(serialize_with = "as_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub commit_time: Option<i64>,
    /// The first day of which all events and rejects are in the book; absent where none were pruned. Counts and views have all days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub events_from: Option<Day>,
    /// Whether it survives a crash.
    #[serde(flatten)]
    pub level: AnswerLevel,
}

/// Whether an answer survives a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum AnswerLevel {
    /// It is the state after the newest commit.
    #[default]
    Durable,
    /// It is what a run has read up to a closed epoch; after a crash some of that is read again.
    Live {
        /// The epoch.
        #[schema(value_type = u64)]
        epoch: Epoch,
    },
}

impl CompleteTo {
    /// What the log folded up to an entry is complete to.
    pub fn new(state: &State) -> CompleteTo {
        let positions = state.topics.iter().map(|(topic, read)| {
            let positions = read.positions.iter().map(|(partition, position)| (*partition, position.next));
            (topic.clone(), positions.collect())
        });
        CompleteTo {
            commit: state.commit,
            positions: positions.collect(),
            commit_time: state.commit_time,
            events_from: state.pruned.map(|pruned| pruned.before),
            level: AnswerLevel::Durable,
        }
    }
}

/// The sentence names the partitions of a topic only when they are few.
const NAMED_PARTITIONS: usize = 8;

impl fmt::Display for CompleteTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commit == 0 {
            return f.write_str("Nothing is committed yet.");
        }
        write!(f, "Complete to commit {}", self.commit)?;
        for (topic, positions) in &self.positions {
            write!(f, "; {} read", printable(topic))?;
            if positions.len() <= NAMED_PARTITIONS {
                for (index, (partition, next_offset)) in positions.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma} to offset {next_offset} of partition {partition}")?;
                }
            } else {
                let sum: i128 = positions.values().map(|next_offset| i128::from(*next_offset)).sum();
                write!(f, " to {sum} offsets in {} partitions", positions.len())?;
            }
        }
        if let Some(time) = self.commit_time {
            write!(f, "; newest transaction of {}", rfc3339(time))?;
        }
        if let Some(day) = self.events_from {
            write!(f, "; events and rejects from {day} on, older ones were pruned")?;
        }
        f.write_str(".")
    }
}

fn as_rfc3339<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(rfc3339).serialize(serializer)
}
