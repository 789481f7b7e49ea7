//! Partition lists of librdkafka with offsets and leader epochs.

use std::ffi::CString;

use rdkafka::bindings as rd;
use rdkafka::{Offset, TopicPartitionList};

use crate::change::Partition;

/// Partitions with an offset each; those with a leader epoch are compared with the log of their leader (KIP-320).
pub(super) fn partition_list<'a>(
    partitions: impl IntoIterator<Item = (&'a Partition, Offset, Option<i32>)>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset, leader_epoch) in partitions {
        list.add_partition_offset(&partition.topic, partition.number, offset)
            .expect("an offset of a record is a valid offset");
        if let (Some(epoch), Some(element)) = (leader_epoch, find(&list, partition)) {
            // SAFETY: the element belongs to the list, which is alive and not shared.
            unsafe { rd::rd_kafka_topic_partition_set_leader_epoch(element, epoch) }
        }
    }
    list
}

/// The leader epoch that an answer has for a partition; `None` where the broker has none.
pub(super) fn leader_epoch(list: &TopicPartitionList, partition: &Partition) -> Option<i32> {
    let element = find(list, partition)?;
    // SAFETY: the element belongs to the list, which is alive.
    let epoch = unsafe { rd::rd_kafka_topic_partition_get_leader_epoch(element) };
    (epoch >= 0).then_some(epoch)
}

/// The list's element of a partition.
fn find(list: &TopicPartitionList, partition: &Partition) -> Option<*mut rd::rd_kafka_topic_partition_t> {
    let topic = CString::new(partition.topic.as_str()).ok()?;
    // SAFETY: the list is alive and the name is a C string; librdkafka only reads both.
    let element = unsafe { rd::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition.number) };
    (!element.is_null()).then_some(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_leader_epoch_of_each_partition() {
        let partition = |number| Partition { topic: "t".to_owned(), number };
        let (with, without) = (partition(0), partition(1));
        let list = partition_list([(&with, Offset::Offset(5), Some(7)), (&without, Offset::Offset(6), None)]);
        assert_eq!(leader_epoch(&list, &with), Some(7));
        assert_eq!(leader_epoch(&list, &without), None);
        assert_eq!(leader_epoch(&list, &partition(2)), None);
    }
}
