//! The rows of a file of events for computations over all of them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::Result as ParquetResult;

use crate::control::catch_panic;

/// The most rows that are decoded at once.
const MOST_ROWS: i64 = 16_384;
/// About how many bytes are decoded at once, where the rows of a row group are alike.
const BATCH_BYTES: i64 = 32 << 20;

/// Reads some columns of a file whose bytes were compared with the log.
///
/// Names are read as numbers into a dictionary, and lines with offsets of 64 bits: those of a few large rows pass 2 GiB.
pub(in crate::book) fn event_batches(
    bytes: Bytes,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, String>> + use<>, String> {
    let open = catch_panic(|| readers(&bytes, columns));
    let readers = open.map_err(|panic| format!("the decoder panicked: {panic}"))?;
    let readers = readers.map_err(|error| error.to_string())?;
    Ok(readers.into_iter().flatten().map(|batch| batch.map_err(|error| error.to_string())))
}

/// A reader for each row group: how many rows are read at once depends on their size there.
fn readers(bytes: &Bytes, columns: &[&str]) -> ParquetResult<Vec<ParquetRecordBatchReader>> {
    let plain = ArrowReaderMetadata::load(bytes, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
    let fields = plain.schema().fields().iter().map(|field| {
        let kind = match field.name().as_str() {
            "topic" | "schema" | "table" | "op" => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            "data" => DataType::LargeUtf8,
            _ => field.data_type().clone(),
        };
        Field::new(field.name(), kind, field.is_nullable())
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)?;
    let groups = metadata.metadata().row_groups().iter().enumerate();
    groups
        .map(|(group, about)| {
            let each = (about.total_byte_size() / about.num_rows().max(1)).max(1);
            let rows = (BATCH_BYTES / each).clamp(1, MOST_ROWS) as usize;
            let mask = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
            reader.with_row_groups(vec![group]).with_projection(mask).with_batch_size(rows).build()
        })
        .collect()
}
