//! What an answer is complete to.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Serialize, Serializer};

use super::{State, printable};
use crate::change::{CommitNumber, Epoch};

/// What an answer is complete to; prints as a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompleteTo {
    /// The newest commit's number; 0 before the first.
    pub commit: CommitNumber,
    /// By topic and partition: the first offset that was not read.
    pub positions: BTreeMap<String, BTreeMap<i32, i64>>,
    /// The highest commit time among the newest commit's changes, in microseconds since 1970-01-01 UTC (RFC 3339 in
    /// JSON); `None` where records do not tell it.
    #[serde(serialize_with = "as_rfc3339")]
    pub commit_time: Option<i64>,
    /// Whether what it is complete to would survive a crash.
    #[serde(flatten)]
    pub level: Level,
}

/// Whether an answer would survive a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum Level {
    /// It is what the newest commit left.
    #[default]
    Durable,
    /// It is what a run has read up to an epoch that is closed; a crash makes it read some of that again.
    Live {
        /// The epoch.
        epoch: Epoch,
    },
}

impl CompleteTo {
    pub(super) fn new(state: &State, commit_time: Option<i64>) -> CompleteTo {
        let positions = state.topics.iter().map(|(topic, read)| {
            let positions = read.positions.iter().map(|(partition, position)| (*partition, position.next));
            (topic.clone(), positions.collect())
        });
        CompleteTo { commit: state.commit, positions: positions.collect(), commit_time, level: Level::Durable }
    }
}

/// A sentence that names every partition of a topic is only read when they are few.
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
        f.write_str(".")
    }
}

/// An instant in microseconds since 1970-01-01 UTC, as `2026-11-22T12:34:56.123456Z`.
pub fn rfc3339(micros: i64) -> String {
    // Assumes an instant that chrono knows; all that parsing lets through are within the years 0001 to 9999.
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn as_rfc3339<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(rfc3339).serialize(serializer)
}
