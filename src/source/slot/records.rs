//! Changes of a slot as a batch of records.

use std::sync::Arc;

use crate::change::{Decoded, Partition, Record, Records};

/// Changes of one slot, with all their lines in one buffer.
pub(super) struct SlotRecords {
    pub(super) partition: Arc<Partition>,
    pub(super) bytes: Vec<u8>,
    pub(super) changes: Vec<SlotChange>,
}

/// A change, and where its line ends.
pub(super) struct SlotChange {
    pub(super) end: usize,
    pub(super) offset: i64,
    pub(super) seq: i32,
    pub(super) lsn: i64,
    pub(super) xid: i64,
    pub(super) commit_time: i64,
}

impl Records for SlotRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        let mut begin = 0;
        for change in &self.changes {
            let decoded = Decoded {
                lsn: Some(change.lsn),
                commit_lsn: Some(change.offset),
                seq: Some(change.seq),
                xid: Some(change.xid),
                commit_time: Some(change.commit_time),
                unfinished: false,
            };
            visit(Record {
                partition: &self.partition,
                offset: change.offset,
                ordinal: change.seq,
                kafka_time: None,
                arrived: None,
                key: None,
                value: Some(&self.bytes[begin..change.end]),
                decoded: Some(&decoded),
                headers: &(),
            });
            begin = change.end;
        }
    }
}
