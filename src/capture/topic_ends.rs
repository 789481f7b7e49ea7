//! Where a topic's partitions ended at a position: all that was written below must still be there.
//!
//! A broker that lost its disk, or an unclean election of a leader, cuts records off that a position stands for, also if the
//! position itself survives in its own topic. Later records may stand at the same offsets then; their leader epoch is another.

use serde::{Deserialize, Serialize};

use super::CaptureError;
use crate::change::{LeaderEpoch, Lsn, Partition};
use crate::source::kafka::{KafkaError, KafkaSettings, Topics};

/// The end of one partition: `[partition, offset, leader epoch]` in JSON, with -1 for an epoch that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i32, i64, i32)", into = "(i32, i64, i32)")]
pub struct PartitionEnd {
    /// The partition's number.
    pub partition: i32,
    /// The offset after its last record.
    pub offset: i64,
    /// The epoch of its leader then, where brokers have one.
    pub leader_epoch: Option<i32>,
}

impl From<(i32, i64, i32)> for PartitionEnd {
    fn from((partition, offset, epoch): (i32, i64, i32)) -> PartitionEnd {
        PartitionEnd { partition, offset, leader_epoch: (epoch >= 0).then_some(epoch) }
    }
}

impl From<PartitionEnd> for (i32, i64, i32) {
    fn from(end: PartitionEnd) -> (i32, i64, i32) {
        (end.partition, end.offset, end.leader_epoch.unwrap_or(-1))
    }
}

/// A topic whose ends are kept in the positions.
pub(super) struct TopicEnds<'a> {
    pub(super) topics: &'a Topics,
    pub(super) kafka: &'a KafkaSettings,
    pub(super) topic: &'a str,
}

impl TopicEnds<'_> {
    /// Where the partitions end now, with what is not committed yet; those that were never written to are left out.
    pub(super) fn ask(&self) -> Result<Vec<PartitionEnd>, KafkaError> {
        let ends = self.topics.written_ends()?.into_iter();
        let ends = ends.filter(|(_, end)| end.offset > 0).map(|(partition, end)| PartitionEnd {
            partition: partition.number,
            offset: end.offset,
            leader_epoch: end.epoch,
        });
        Ok(ends.collect())
    }

    /// Checks that what was below the `known` ends is still there, given where the partitions end `now`; `position` is what the
    /// known ones stand for.
    ///
    /// # Errors
    /// [`CaptureError::RecordsGone`].
    pub(super) fn check(
        &self,
        known: &[PartitionEnd],
        now: &[PartitionEnd],
        position: Lsn,
    ) -> Result<(), CaptureError> {
        let gone = |partition: i32, from: i64, to: i64| {
            let topic = self.topic.to_owned();
            Err(CaptureError::RecordsGone { topic, partition, from, to, position })
        };
        if let Some((end, offset)) = cut(known, now) {
            return gone(end.partition, offset, end.offset);
        }
        let epochs = changed_epochs(known, now).map(|(end, epoch)| {
            let partition = Partition { topic: self.topic.to_owned(), number: end.partition };
            (partition, LeaderEpoch { epoch, to: end.offset })
        });
        let epochs: Vec<(Partition, LeaderEpoch)> = epochs.collect();
        let Some(diverged) =
            self.kafka.check_positions(&epochs)?.into_iter().min_by_key(|diverged| diverged.partition.number)
        else {
            return Ok(());
        };
        let to =
            known.iter().find(|end| end.partition == diverged.partition.number).map_or(diverged.from, |end| end.offset);
        gone(diverged.partition.number, diverged.from, to)
    }
}

/// The first known end that lies above the partition's present end, and that one.
fn cut(known: &[PartitionEnd], now: &[PartitionEnd]) -> Option<(PartitionEnd, i64)> {
    let offset = |partition: i32| now.iter().find(|end| end.partition == partition).map_or(0, |end| end.offset);
    known.iter().map(|end| (*end, offset(end.partition))).find(|(end, offset)| *offset < end.offset)
}

/// The known ends of partitions that have had another leader since. Under one leader nothing is cut but at its end.
fn changed_epochs<'a>(
    known: &'a [PartitionEnd],
    now: &'a [PartitionEnd],
) -> impl Iterator<Item = (PartitionEnd, i32)> + 'a {
    let same = |end: &PartitionEnd| {
        now.iter().any(|now| now.partition == end.partition && now.leader_epoch == end.leader_epoch)
    };
    known.iter().filter(move |end| !same(end)).filter_map(|end| Some((*end, end.leader_epoch?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(partition: i32, offset: i64, epoch: i32) -> PartitionEnd {
        (partition, offset, epoch).into()
    }

    #[test]
    fn a_partition_that_ends_before_its_known_end_was_cut() {
        let known = [end(0, 10, 1), end(3, 20, 1)];
        assert_eq!(cut(&known, &[end(0, 10, 1), end(1, 5, 1), end(3, 25, 1)]), None);
        assert_eq!(cut(&known, &[end(0, 10, 1), end(3, 19, 2)]), Some((known[1], 19)));
        assert_eq!(cut(&known, &[end(3, 20, 1)]), Some((known[0], 0)), "it was written to, and is empty now");
    }

    #[test]
    fn histories_are_compared_where_the_leader_is_another() {
        let known = [end(0, 10, 1), end(1, 20, 4), end(2, 30, -1)];
        let changed: Vec<_> = changed_epochs(&known, &[end(0, 12, 1), end(1, 22, 5), end(2, 31, 2)]).collect();
        assert_eq!(changed, [(known[1], 4)]);
    }

    #[test]
    fn an_end_is_written_as_three_numbers() {
        let text = serde_json::to_string(&[end(0, 10, 1), end(1, 5, -1)]).expect("numbers");
        assert_eq!(text, "[[0,10,1],[1,5,-1]]");
        let read: Vec<PartitionEnd> = serde_json::from_str(&text).expect("its own form");
        assert_eq!(read, [end(0, 10, 1), end(1, 5, -1)]);
    }
}
