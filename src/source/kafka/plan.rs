//! Where each partition is read from and until, given what the book has and what the broker has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{KafkaError, StartFrom, Topic, Topics, Watermarks};
use crate::change::{LeaderEpoch, Partition, PartitionStart};

/// What the book has of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTopic {
    /// The topic's UUID; empty when it had none.
    pub id: String,
    /// Next offset by partition.
    pub next_offsets: BTreeMap<i32, i64>,
    /// By partition: the leader epoch of the last record, where it is known.
    pub leader_epochs: BTreeMap<i32, LeaderEpoch>,
    /// By partition: from where on the topic has other records than were read, as [`KafkaSettings::check_positions`] found.
    ///
    /// [`KafkaSettings::check_positions`]: super::KafkaSettings::check_positions
    pub diverged: BTreeMap<i32, i64>,
}

impl KnownTopic {
    /// The positions that can be compared with the topic's history: those with a leader epoch, of partitions that it has.
    pub fn comparable(&self, name: &str, topic: &Topic) -> Vec<(Partition, LeaderEpoch)> {
        let known = self.leader_epochs.range(..topic.partitions);
        known.map(|(number, last)| (Partition { topic: name.to_owned(), number: *number }, *last)).collect()
    }
}

/// Plans one topic: `known` is what the book has of it, if anything.
///
/// # Errors
/// [`KafkaError::Recreated`], [`KafkaError::FewerPartitions`], [`KafkaError::Lost`], [`KafkaError::Diverged`] and
/// [`KafkaError::Truncated`] when what the book continues from does not exist any more; and the errors of `watermarks`.
pub fn plan_topic(
    name: &str,
    topic: &Topic,
    known: Option<&KnownTopic>,
    from: StartFrom,
    until_end: bool,
    mut watermarks: impl FnMut(&Partition) -> Result<Watermarks, KafkaError>,
) -> Result<Vec<PartitionStart>, KafkaError> {
    if let Some(known) = known {
        check_same_topic(name, &known.id, topic)?;
        let expected = known.next_offsets.keys().max().map_or(0, |last| last + 1);
        if topic.partitions < expected {
            return Err(KafkaError::FewerPartitions { topic: name.to_owned(), expected, found: topic.partitions });
        }
    }
    let mut starts = Vec::new();
    for number in 0..topic.partitions {
        let partition = Partition { topic: name.to_owned(), number };
        let Watermarks { low, high } = watermarks(&partition)?;
        let next = match (known, from) {
            // A partition that appeared since the last run was never read: all of it counts.
            (Some(known), _) => known.next_offsets.get(&number).copied().unwrap_or(0),
            (None, StartFrom::Earliest) => low,
            (None, StartFrom::Latest) => high,
        };
        if next < low {
            return Err(KafkaError::Lost { partition, from: next, to: low });
        }
        // First: a topic that was cut may have grown again, below the position or past it.
        if let Some(from) = known.and_then(|known| known.diverged.get(&number)) {
            return Err(KafkaError::Diverged { partition, from: *from, next });
        }
        if next > high {
            return Err(KafkaError::Truncated { partition, end: high, next });
        }
        // What was deleted since cannot be read again.
        let leader_epoch = known.and_then(|known| known.leader_epochs.get(&number));
        let leader_epoch = leader_epoch.map(|last| LeaderEpoch { to: last.to.max(low), ..*last });
        starts.push(PartitionStart { leader_epoch, ..PartitionStart::new(partition, next, until_end.then_some(high)) });
    }
    Ok(starts)
}

/// Whether the topic is the one that the book was made from, as far as brokers have UUIDs.
fn check_same_topic(name: &str, expected: &str, topic: &Topic) -> Result<(), KafkaError> {
    if expected.is_empty() || topic.id.is_empty() || expected == topic.id {
        return Ok(());
    }
    let (expected, found) = (expected.to_owned(), topic.id.clone());
    Err(KafkaError::Recreated { topic: name.to_owned(), expected, found })
}

/// Whether all topics are still those that were described; asked before each commit, which does not wait long for the answer.
///
/// # Errors
/// [`KafkaError::Recreated`] when one is not; another error when the broker does not answer.
pub fn check_same_topics(topics: &Topics, described: &BTreeMap<String, Topic>) -> Result<(), KafkaError> {
    let now = topics.describe()?;
    described.iter().try_for_each(|(name, topic)| check_same_topic(name, &topic.id, &now[name]))
}

/// Discovers new partitions during a run, and checks that the topics are still the same.
pub struct KafkaDiscovery {
    topics: Arc<Topics>,
    known: BTreeMap<String, Topic>,
}

impl KafkaDiscovery {
    /// Begins with the topics as they were described at the start.
    pub fn new(topics: Arc<Topics>, known: BTreeMap<String, Topic>) -> KafkaDiscovery {
        KafkaDiscovery { topics, known }
    }

    /// Partitions that appeared since the last call. May block.
    ///
    /// # Errors
    /// [`KafkaError::Recreated`], [`KafkaError::FewerPartitions`] and [`KafkaError::Lost`] are final; the broker's other errors are not.
    pub fn discover(&mut self) -> Result<Vec<PartitionStart>, KafkaError> {
        let mut found = Vec::new();
        let described = self.topics.describe()?;
        for (name, topic) in &described {
            let known = &self.known[name];
            check_same_topic(name, &known.id, topic)?;
            if topic.partitions < known.partitions {
                let (expected, found) = (known.partitions, topic.partitions);
                return Err(KafkaError::FewerPartitions { topic: name.clone(), expected, found });
            }
            for number in known.partitions..topic.partitions {
                let partition = Partition { topic: name.clone(), number };
                let low = self.topics.watermarks(&partition)?.low;
                if low > 0 {
                    return Err(KafkaError::Lost { partition, from: 0, to: low });
                }
                found.push(PartitionStart::new(partition, 0, None));
            }
        }
        // Only now, because known partitions are not discovered again.
        self.known = described;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    fn topic(partitions: i32) -> Topic {
        Topic { id: "A".to_owned(), partitions }
    }

    fn known(next_offsets: &[(i32, i64)]) -> KnownTopic {
        let next_offsets = next_offsets.iter().copied().collect();
        KnownTopic { id: "A".to_owned(), next_offsets, ..KnownTopic::default() }
    }

    fn plan(
        known: Option<&KnownTopic>,
        topic: &Topic,
        from: StartFrom,
        marks: (i64, i64),
    ) -> Result<Vec<(i64, Option<i64>)>, KafkaError> {
        let starts = plan_topic("t", topic, known, from, true, |_| Ok(Watermarks { low: marks.0, high: marks.1 }))?;
        Ok(starts.into_iter().map(|start| (start.from, start.until)).collect())
    }

    #[test]
    fn a_new_topic_starts_where_it_was_asked_to() {
        assert_eq!(plan(None, &topic(1), StartFrom::Earliest, (3, 9)).expect("a plan"), [(3, Some(9))]);
        assert_eq!(plan(None, &topic(1), StartFrom::Latest, (3, 9)).expect("a plan"), [(9, Some(9))]);
    }

    #[test]
    fn a_known_topic_continues_and_its_new_partitions_start_at_zero() {
        let known = known(&[(0, 5)]);
        let starts = plan(Some(&known), &topic(2), StartFrom::Latest, (0, 9)).expect("a plan");
        assert_eq!(starts, [(5, Some(9)), (0, Some(9))]);
    }

    #[test]
    fn missing_records_are_an_error_with_their_range() {
        let book = known(&[(0, 5)]);
        let lost = plan(Some(&book), &topic(1), StartFrom::Earliest, (7, 9));
        assert!(matches!(lost, Err(KafkaError::Lost { from: 5, to: 7, .. })), "{lost:?}");
        let cut = plan(Some(&book), &topic(1), StartFrom::Earliest, (0, 4));
        assert!(matches!(cut, Err(KafkaError::Truncated { end: 4, next: 5, .. })), "{cut:?}");
        let fewer = plan(Some(&known(&[(0, 5), (1, 1)])), &topic(1), StartFrom::Earliest, (0, 9));
        assert!(matches!(fewer, Err(KafkaError::FewerPartitions { expected: 2, found: 1, .. })), "{fewer:?}");
        let other = Topic { id: "B".to_owned(), partitions: 1 };
        let recreated = plan(Some(&book), &other, StartFrom::Earliest, (0, 9));
        assert!(matches!(recreated, Err(KafkaError::Recreated { .. })), "{recreated:?}");
        assert!(recreated.expect_err("just matched").is_data_loss());
    }

    #[test]
    fn a_topic_with_other_records_is_an_error_with_their_range_whatever_its_end() {
        let book = KnownTopic { diverged: BTreeMap::from([(0, 3)]), ..known(&[(0, 5)]) };
        for high in [3, 4, 5, 9] {
            let cut = plan(Some(&book), &topic(1), StartFrom::Earliest, (0, high)).expect_err("it diverged");
            assert!(
                cut.is_data_loss() && matches!(cut, KafkaError::Diverged { from: 3, next: 5, .. }),
                "{high}: {cut}"
            );
            assert!(cut.to_string().contains("offsets 3 to 5 (exclusive)"), "{cut}");
        }
        // What was never read and is gone comes first.
        let lost = plan(Some(&book), &topic(1), StartFrom::Earliest, (7, 9));
        assert!(matches!(lost, Err(KafkaError::Lost { from: 5, to: 7, .. })), "{lost:?}");
    }

    #[test]
    fn a_partition_continues_with_its_leader_epoch_after_its_last_record_that_is_left() {
        let last = |to| LeaderEpoch { epoch: 2, to };
        let book =
            KnownTopic { leader_epochs: BTreeMap::from([(0, last(3)), (1, last(5))]), ..known(&[(0, 5), (1, 5)]) };
        let start = |low| {
            let marks = |_: &Partition| Ok(Watermarks { low, high: 9 });
            let starts = plan_topic("t", &topic(3), Some(&book), StartFrom::Earliest, false, marks).expect("a plan");
            starts.into_iter().map(|start| (start.from, start.leader_epoch)).collect::<Vec<_>>()
        };
        assert_eq!(start(0), [(5, Some(last(3))), (5, Some(last(5))), (0, None)]);
        let two = KnownTopic { next_offsets: BTreeMap::from([(0, 5)]), ..book.clone() };
        let starts =
            plan_topic("t", &topic(1), Some(&two), StartFrom::Earliest, false, |_| Ok(Watermarks { low: 4, high: 9 }));
        assert_eq!(starts.expect("a plan")[0].leader_epoch, Some(last(4)), "offset 3 was deleted");
        let asked = book.comparable("t", &topic(1));
        assert_eq!(asked, [(Partition { topic: "t".to_owned(), number: 0 }, last(3))], "partition 1 is gone");
    }

    #[test]
    fn a_topic_without_a_uuid_is_accepted() {
        let nameless = Topic { id: String::new(), partitions: 1 };
        assert!(plan(Some(&known(&[(0, 5)])), &nameless, StartFrom::Earliest, (0, 9)).is_ok());
    }
}
