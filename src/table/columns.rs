//! Rows as columns, while a batch is being parsed.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    BinaryBuilder, Int32Builder, Int64Builder, PrimitiveBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::{ArrowPrimitiveType, Int8Type, Int32Type};
use arrow_array::{ArrayRef, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};

use super::schema::{events_schema, rejects_schema};
use crate::change::{CommitNumber, Day, Operation, Partition, Record, Rows, TableName};

/// One row of the events table, borrowed from the record that holds it.
#[derive(Clone, Copy, Debug)]
pub struct EventRow<'a> {
    /// Offset of the record.
    pub offset: i64,
    /// Number of the change inside its record.
    pub ordinal: i32,
    /// The record's timestamp, microseconds UTC.
    pub kafka_time: Option<i64>,
    /// The transaction's commit time, microseconds UTC.
    pub commit_time: Option<i64>,
    /// The change's LSN.
    pub lsn: Option<i64>,
    /// The transaction's end LSN.
    pub commit_lsn: Option<i64>,
    /// Number of the change in its transaction.
    pub seq: Option<i32>,
    /// The transaction's number.
    pub xid: Option<i64>,
    /// The index of the table in this batch.
    pub table: usize,
    /// What was done.
    pub op: Operation,
    /// The change as it was received.
    pub data: &'a str,
}

/// Stretches of equal day in the order of rows.
#[derive(Default)]
struct Days(Vec<(Day, usize)>);

impl Days {
    fn push(&mut self, day: Day) {
        match self.0.last_mut() {
            Some((last, end)) if *last == day => *end += 1,
            last => {
                let end = last.map_or(0, |(_, end)| *end) + 1;
                self.0.push((day, end));
            }
        }
    }
}

/// The partitions of one batch, and the index of each row's partition.
#[derive(Default)]
struct Origins {
    partitions: Vec<Arc<Partition>>,
    /// Index of the current partition; partitions come in long stretches.
    current: usize,
    topics: Vec<i32>,
    numbers: Vec<i32>,
}

impl Origins {
    fn enter(&mut self, partition: &Arc<Partition>) {
        if self.partitions.get(self.current).is_some_and(|current| Arc::ptr_eq(current, partition)) {
            return;
        }
        let known = self.partitions.iter().position(|known| **known == **partition);
        self.current = known.unwrap_or_else(|| {
            self.partitions.push(Arc::clone(partition));
            self.partitions.len() - 1
        });
    }

    fn push(&mut self) {
        self.topics.push(i32::try_from(self.current).expect("fewer than 2^31 partitions"));
        self.numbers.push(self.partitions[self.current].number);
    }

    /// The columns `topic` and `partition`.
    fn finish(self) -> (ArrayRef, ArrayRef) {
        // One dictionary value per partition, so a topic may occur twice: Parquet's own dictionary merges them.
        let names: StringArray = self.partitions.iter().map(|partition| Some(partition.topic.as_str())).collect();
        let topics = DictionaryArray::<Int32Type>::new(self.topics.into(), Arc::new(names));
        (Arc::new(topics), Arc::new(PrimitiveArray::<Int32Type>::from(self.numbers)))
    }
}

fn numbers<T: ArrowPrimitiveType>(mut builder: PrimitiveBuilder<T>) -> ArrayRef {
    Arc::new(builder.finish())
}

fn times(mut builder: TimestampMicrosecondBuilder) -> ArrayRef {
    Arc::new(builder.finish().with_timezone("UTC"))
}

/// The names of all operations; one array for all batches, so that their dictionaries need not be merged.
static OPERATIONS: LazyLock<ArrayRef> = LazyLock::new(|| {
    let names: StringArray = Operation::ALL.iter().map(|op| Some(op.as_str())).collect();
    Arc::new(names)
});

/// Columns of the events table.
#[derive(Default)]
pub struct EventColumns {
    origins: Origins,
    offset: Vec<i64>,
    ordinal: Vec<i32>,
    kafka_time: TimestampMicrosecondBuilder,
    commit_time: TimestampMicrosecondBuilder,
    lsn: Int64Builder,
    commit_lsn: Int64Builder,
    seq: Int32Builder,
    xid: Int64Builder,
    table: Vec<i32>,
    op: Vec<i8>,
    data: StringBuilder,
    days: Days,
}

impl EventColumns {
    /// Columns with room for `rows` rows that hold `bytes` bytes of data together.
    pub fn with_capacity(rows: usize, bytes: usize) -> EventColumns {
        EventColumns {
            origins: Origins {
                topics: Vec::with_capacity(rows),
                numbers: Vec::with_capacity(rows),
                ..Origins::default()
            },
            offset: Vec::with_capacity(rows),
            ordinal: Vec::with_capacity(rows),
            kafka_time: TimestampMicrosecondBuilder::with_capacity(rows),
            commit_time: TimestampMicrosecondBuilder::with_capacity(rows),
            lsn: Int64Builder::with_capacity(rows),
            commit_lsn: Int64Builder::with_capacity(rows),
            seq: Int32Builder::with_capacity(rows),
            xid: Int64Builder::with_capacity(rows),
            table: Vec::with_capacity(rows),
            op: Vec::with_capacity(rows),
            data: StringBuilder::with_capacity(rows, bytes),
            ..EventColumns::default()
        }
    }

    /// Sets the partition of the rows that follow.
    pub fn enter(&mut self, partition: &Arc<Partition>) {
        self.origins.enter(partition);
    }

    /// Adds one row.
    pub fn push(&mut self, day: Day, row: &EventRow<'_>) {
        self.origins.push();
        self.offset.push(row.offset);
        self.ordinal.push(row.ordinal);
        self.kafka_time.append_option(row.kafka_time);
        self.commit_time.append_option(row.commit_time);
        self.lsn.append_option(row.lsn);
        self.commit_lsn.append_option(row.commit_lsn);
        self.seq.append_option(row.seq);
        self.xid.append_option(row.xid);
        self.table.push(i32::try_from(row.table).expect("fewer than 2^31 tables in a batch"));
        self.op.push(row.op.index() as i8);
        self.data.append_value(row.data);
        self.days.push(day);
    }

    /// The rows, or `None` when there are none. `tables` are the batch's tables in the order of [`EventRow::table`].
    pub fn finish(mut self, commit: CommitNumber, tables: &[Arc<TableName>]) -> Option<Rows> {
        if self.offset.is_empty() {
            return None;
        }
        let (topic, partition) = self.origins.finish();
        let keys = PrimitiveArray::<Int32Type>::from(self.table);
        let name = |of: fn(&TableName) -> &str| -> ArrayRef {
            let values: StringArray = tables.iter().map(|table| Some(of(table))).collect();
            Arc::new(DictionaryArray::<Int32Type>::new(keys.clone(), Arc::new(values)))
        };
        let columns: Vec<ArrayRef> = vec![
            topic,
            partition,
            Arc::new(arrow_array::Int64Array::from(self.offset)),
            Arc::new(arrow_array::Int32Array::from(self.ordinal)),
            times(self.kafka_time),
            times(self.commit_time),
            numbers(self.lsn),
            numbers(self.commit_lsn),
            numbers(self.seq),
            numbers(self.xid),
            name(|table| &table.schema),
            name(|table| &table.table),
            Arc::new(DictionaryArray::<Int8Type>::new(self.op.into(), Arc::clone(&OPERATIONS))),
            Arc::new(self.data.finish()),
        ];
        let columns = RecordBatch::try_new(events_schema(), columns).expect("columns are built to the schema");
        Some(Rows { commit, columns, days: self.days.0 })
    }
}

/// Columns of the rejects table.
#[derive(Default)]
pub struct RejectColumns {
    origins: Origins,
    offset: Vec<i64>,
    kafka_time: TimestampMicrosecondBuilder,
    reason: StringBuilder,
    key: BinaryBuilder,
    value: BinaryBuilder,
    headers: BinaryBuilder,
    days: Days,
}

impl RejectColumns {
    /// Adds a record that could not be read, whole.
    pub fn push(&mut self, day: Day, record: &Record<'_>, reason: &str) {
        self.origins.enter(record.partition);
        self.origins.push();
        self.offset.push(record.offset);
        self.kafka_time.append_option(record.kafka_time);
        self.reason.append_value(reason);
        self.key.append_option(record.key);
        self.value.append_option(record.value);
        self.headers.append_option(encode_headers(record));
        self.days.push(day);
    }

    /// The rows, or `None` when there are none.
    pub fn finish(mut self, commit: CommitNumber) -> Option<Rows> {
        if self.offset.is_empty() {
            return None;
        }
        let (topic, partition) = self.origins.finish();
        let columns: Vec<ArrayRef> = vec![
            topic,
            partition,
            Arc::new(arrow_array::Int64Array::from(self.offset)),
            times(self.kafka_time),
            Arc::new(self.reason.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.headers.finish()),
        ];
        let columns = RecordBatch::try_new(rejects_schema(), columns).expect("columns are built to the schema");
        Some(Rows { commit, columns, days: self.days.0 })
    }
}

/// The headers in the form of the column, `None` without any: for each header the name's length, the name, the value's
/// length (−1 for null) and the value; lengths are 32-bit integers, least byte first.
fn encode_headers(record: &Record<'_>) -> Option<Vec<u8>> {
    let pairs = record.headers.pairs();
    if pairs.is_empty() {
        return None;
    }
    let length = |bytes: usize| i32::try_from(bytes).expect("a Kafka record is below 2 GB").to_le_bytes();
    let mut encoded = Vec::new();
    for (name, value) in pairs {
        encoded.extend(length(name.len()));
        encoded.extend(name.as_bytes());
        match value {
            Some(value) => {
                encoded.extend(length(value.len()));
                encoded.extend(value);
            }
            None => encoded.extend((-1i32).to_le_bytes()),
        }
    }
    Some(encoded)
}
