//! A selection as columns: an Arrow stream or a Parquet file.

use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};

use super::selection::{Selection, SumRow};
use crate::query::GroupBy;
use crate::query::files::parquet_bytes::parquet_bytes;

/// Rows of a batch.
const BATCH: usize = 1 << 16;

impl Selection {
    /// The bytes of an Arrow IPC stream.
    pub fn arrow(self) -> Vec<u8> {
        let schema = self.schema();
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("plain columns can be a stream");
        self.batches(&schema, &mut |batch| writer.write(&batch).expect("memory takes all bytes"));
        writer.into_inner().expect("memory takes all bytes")
    }

    /// The bytes of a Parquet file.
    pub fn parquet(self) -> Vec<u8> {
        let schema = self.schema();
        parquet_bytes(&schema, |write| self.batches(&schema, write))
    }

    fn schema(&self) -> Arc<Schema> {
        let fields = self.columns().into_iter().map(|column| {
            let kind = match column {
                "day" => DataType::Date32,
                "count" => DataType::Int64,
                _ => DataType::Utf8,
            };
            Field::new(column, kind, false)
        });
        Arc::new(Schema::new(fields.collect::<Vec<Field>>()))
    }

    fn batches(mut self, schema: &Arc<Schema>, write: &mut dyn FnMut(RecordBatch)) {
        let mut rows: Vec<SumRow> = Vec::new();
        while let Some(more) = self.next_rows() {
            rows.extend(more);
            if rows.len() >= BATCH {
                write(self.batch(schema, &rows));
                rows.clear();
            }
        }
        if !rows.is_empty() {
            write(self.batch(schema, &rows));
        }
    }

    fn batch(&self, schema: &Arc<Schema>, rows: &[SumRow]) -> RecordBatch {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for part in self.by() {
            match part {
                GroupBy::Day => {
                    let mut days = Date32Builder::with_capacity(rows.len());
                    rows.iter().for_each(|row| days.append_value(row.day.days()));
                    columns.push(Arc::new(days.finish()));
                }
                GroupBy::Table => {
                    let (mut schemas, mut tables) = (StringBuilder::new(), StringBuilder::new());
                    for row in rows {
                        let name = self.name(row.table);
                        schemas.append_value(&name.schema);
                        tables.append_value(&name.table);
                    }
                    columns.extend([Arc::new(schemas.finish()) as ArrayRef, Arc::new(tables.finish())]);
                }
                GroupBy::Op => {
                    let mut ops = StringBuilder::new();
                    rows.iter().for_each(|row| ops.append_value(row.op.as_str()));
                    columns.push(Arc::new(ops.finish()));
                }
            }
        }
        let mut counts = Int64Builder::with_capacity(rows.len());
        // A count beyond 2^63 − 1 is out of reach.
        rows.iter().for_each(|row| counts.append_value(i64::try_from(row.count).unwrap_or(i64::MAX)));
        columns.push(Arc::new(counts.finish()));
        RecordBatch::try_new(Arc::clone(schema), columns).expect("columns are made as the schema says")
    }
}
