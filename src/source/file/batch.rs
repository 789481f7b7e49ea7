//! Records of an input that travel together.

use std::sync::Arc;

use super::records::psql::RowPlace;
use crate::change::{Decoded, Partition, Record, Records};

/// Bytes of a batch, or one record.
pub(super) const BATCH_BYTES: usize = 1 << 20;
/// Records of a batch.
pub(super) const BATCH_RECORDS: usize = 16_384;

/// Records one after the other, without their line ends.
#[derive(Debug, Default)]
pub(super) struct FileBatch {
    bytes: Vec<u8>,
    pub(super) records: Vec<BatchRecord>,
    pub(super) transactions: Vec<TransactionInfo>,
    /// Where changes stand that rows of psql hold.
    places: Vec<RowPlace>,
    /// The offset after the last record.
    pub(super) next: i64,
    /// Whether it ends between transactions.
    pub(super) at_transaction_boundary: bool,
}

/// A record, and where it ends in the bytes; one without bytes is a tombstone.
#[derive(Debug)]
pub(super) struct BatchRecord {
    pub(super) offset: i64,
    end: usize,
    /// The index of its transaction, for changes.
    pub(super) transaction: Option<u32>,
    /// The index of its place, for changes that have one.
    place: Option<u32>,
}

/// What the changes of a transaction have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TransactionInfo {
    pub(super) decoded: Decoded,
    /// An instant that is better than the input's own, where there is no commit time.
    pub(super) arrived: Option<i64>,
}

impl FileBatch {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS
    }

    pub(super) fn push(&mut self, text: &[u8], offset: i64, transaction: Option<u32>, place: Option<RowPlace>) {
        self.bytes.extend_from_slice(text);
        let place = place.map(|place| {
            self.places.push(place);
            u32::try_from(self.places.len() - 1).expect("a batch has few records")
        });
        self.records.push(BatchRecord { offset, end: self.bytes.len(), transaction, place });
    }

    /// Makes room for as much as another batch holds: the next is mostly as large as the one before.
    pub(super) fn reserve_as(&mut self, other: &FileBatch) {
        self.bytes.reserve(other.bytes.len().min(BATCH_BYTES));
        self.records.reserve(other.records.len());
    }

    pub(super) fn push_transaction(&mut self, info: TransactionInfo) -> u32 {
        self.transactions.push(info);
        u32::try_from(self.transactions.len() - 1).expect("a batch has few records")
    }

    /// Sets what the changes of a transaction have in common.
    pub(super) fn set_transaction(&mut self, transaction: u32, info: TransactionInfo) {
        self.transactions[transaction as usize] = info;
    }

    /// The offset of the first record.
    pub(super) fn begin(&self) -> i64 {
        self.records.first().map_or(self.next, |record| record.offset)
    }

    /// Moves the records from `first` on, changes of one transaction and what stands between them, into a batch of their own, in which
    /// that is the first transaction.
    pub(super) fn split_off(&mut self, first: usize) -> FileBatch {
        let begin = first.checked_sub(1).map_or(0, |last| self.records[last].end);
        let mut records = self.records.split_off(first);
        let first_place = records.iter().find_map(|record| record.place);
        let places = first_place.map_or_else(Vec::new, |place| self.places.split_off(place as usize));
        for record in &mut records {
            record.end -= begin;
            record.transaction = record.transaction.map(|_| 0);
            record.place = record.place.zip(first_place).map(|(place, first)| place - first);
        }
        FileBatch {
            bytes: self.bytes.split_off(begin),
            records,
            transactions: Vec::new(),
            places,
            next: self.next,
            at_transaction_boundary: false,
        }
    }

    /// The records: the offset of each, its place if it has one, and its text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (i64, Option<RowPlace>, &[u8])> {
        let mut begin = 0;
        self.records.iter().map(move |record| {
            let text = &self.bytes[begin..record.end];
            begin = record.end;
            (record.offset, record.place.map(|place| self.places[place as usize]), text)
        })
    }
}

/// A batch as the dataflow reads it.
pub(super) struct FileRecords {
    pub(super) partition: Arc<Partition>,
    pub(super) batch: FileBatch,
    /// The instant of the whole input, in microseconds since 1970-01-01 UTC.
    pub(super) time: i64,
}

impl Records for FileRecords {
    fn for_each(&self, visit: &mut dyn FnMut(Record<'_>)) {
        let mut begin = 0;
        for record in &self.batch.records {
            let transaction = record.transaction.map(|index| &self.batch.transactions[index as usize]);
            let placed = record.place.map(|index| {
                let decoded = transaction.map(|transaction| transaction.decoded).unwrap_or_default();
                self.batch.places[index as usize].placed(decoded)
            });
            visit(Record {
                partition: &self.partition,
                offset: record.offset,
                ordinal: 0,
                kafka_time: None,
                arrived: transaction.and_then(|transaction| transaction.arrived).or(Some(self.time)),
                key: None,
                value: (begin < record.end).then(|| &self.batch.bytes[begin..record.end]),
                decoded: placed.as_ref().or(transaction.map(|transaction| &transaction.decoded)),
                headers: &(),
            });
            begin = record.end;
        }
    }
}
