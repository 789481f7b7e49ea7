//! One row of the events table.

use crate::book::rfc3339;
use crate::query::print::FieldValue;
use crate::store::columns::{EVENT_COLUMNS, column_names};

/// One row of the events table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The source topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The change's place in its record.
    pub ordinal: i32,
    /// The record's timestamp, in microseconds since 1970-01-01 UTC.
    pub kafka_time: Option<i64>,
    /// The transaction's commit time, in microseconds since 1970-01-01 UTC.
    pub commit_time: Option<i64>,
    /// The change's LSN.
    pub lsn: Option<i64>,
    /// The transaction's end LSN.
    pub commit_lsn: Option<i64>,
    /// The change's place in its transaction.
    pub seq: Option<i32>,
    /// The transaction.
    pub xid: Option<i64>,
    /// The schema, unquoted.
    pub schema: String,
    /// The table, unquoted.
    pub table: String,
    /// The operation.
    pub op: String,
    /// The change as it was received.
    pub data: String,
}

impl Event {
    /// The columns, in the order of the files.
    pub const COLUMNS: [&str; 14] = column_names(&EVENT_COLUMNS);

    /// Appends the values, in the order of the columns.
    pub(in crate::query) fn values<'a>(&'a self, values: &mut Vec<FieldValue<'a>>) {
        let number = |number: Option<i64>| number.map_or(FieldValue::Null, FieldValue::Number);
        let time = |micros: Option<i64>| micros.map_or(FieldValue::Null, |micros| rfc3339(micros).into());
        values.extend([
            self.topic.as_str().into(),
            FieldValue::Number(self.partition.into()),
            FieldValue::Number(self.offset),
            FieldValue::Number(self.ordinal.into()),
            time(self.kafka_time),
            time(self.commit_time),
            number(self.lsn),
            number(self.commit_lsn),
            number(self.seq.map(i64::from)),
            number(self.xid),
            self.schema.as_str().into(),
            self.table.as_str().into(),
            self.op.as_str().into(),
            self.data.as_str().into(),
        ]);
    }
}
