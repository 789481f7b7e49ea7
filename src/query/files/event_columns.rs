//! Events as columns: a Parquet file with the columns of a book's event files.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};

use super::parquet_bytes::parquet_bytes;
use crate::query::{Event, EventsAnswer};
use crate::store::columns::EVENT_COLUMNS;

/// Rows that are copied into columns at once.
const ROWS: usize = 4_096;

impl EventsAnswer {
    /// The bytes of a Parquet file. The memory of rows is freed while they are written.
    pub fn into_parquet(self) -> Vec<u8> {
        let schema = event_columns(&[]).schema();
        parquet_bytes(&schema, |write| {
            let mut rows = self.rows.into_iter().peekable();
            while rows.peek().is_some() {
                let some: Vec<Event> = rows.by_ref().take(ROWS).collect();
                write(event_columns(&some.iter().collect::<Vec<_>>()));
            }
        })
    }
}

/// Events as columns.
///
/// # Panics
/// Never: all columns have one length.
pub fn event_columns(rows: &[&Event]) -> RecordBatch {
    let text = |of: fn(&Event) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| of(row))))
    };
    let long = |of: fn(&Event) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<Int64Array>())
    };
    let int = |of: fn(&Event) -> Option<i32>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<Int32Array>())
    };
    let time = |of: fn(&Event) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        text(|row| &row.topic),
        int(|row| Some(row.partition)),
        long(|row| Some(row.offset)),
        int(|row| Some(row.ordinal)),
        time(|row| row.kafka_time),
        time(|row| row.commit_time),
        long(|row| row.lsn),
        long(|row| row.commit_lsn),
        int(|row| row.seq),
        long(|row| row.xid),
        text(|row| &row.schema),
        text(|row| &row.table),
        text(|row| &row.op),
        text(|row| &row.data),
    ];
    let fields = EVENT_COLUMNS
        .iter()
        .zip(&columns)
        .map(|(column, values)| Field::new(column.name, values.data_type().clone(), column.is_nullable));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    RecordBatch::try_new(schema, columns).expect("columns of one length")
}
