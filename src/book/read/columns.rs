//! The columns and the metadata of a Parquet file of the book, as readers see them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;

use crate::control::catch_panic;
use crate::store::StoredFile;

/// Reads the footer of a file of events or rejects; repeating texts will be read as numbers into a dictionary.
///
/// Only the footer is decoded before a file's bytes are compared with the log, or each question would read the whole
/// book: the decoder trusts its lengths, and may panic where they are wrong.
pub(crate) fn metadata(file: &StoredFile) -> ParquetResult<ArrowReaderMetadata> {
    let decoded = catch_panic(|| decode_footer(file));
    decoded.unwrap_or_else(|panic| Err(ParquetError::General(format!("the decoder panicked: {panic}"))))
}

/// The footer of the bytes of a Parquet file; `None` if they are none.
pub(crate) fn footer(bytes: Bytes) -> Option<Arc<ParquetMetaData>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let decoded = catch_panic(|| ArrowReaderMetadata::load(&bytes, options));
    decoded.ok()?.ok().map(|metadata| Arc::clone(metadata.metadata()))
}

fn decode_footer(file: &StoredFile) -> ParquetResult<ArrowReaderMetadata> {
    let plain = ArrowReaderMetadata::load(file, ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
    let fields = plain.schema().fields().iter().map(|field| match field.name().as_str() {
        "topic" | "schema" | "table" | "op" => {
            let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Field::new(field.name(), text, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)
}

/// Begins to read some columns of one row group.
pub(crate) fn read_group(
    file: StoredFile,
    metadata: &ArrowReaderMetadata,
    group: usize,
    columns: &[&str],
    adjust: impl FnOnce(ParquetRecordBatchReaderBuilder<StoredFile>) -> ParquetRecordBatchReaderBuilder<StoredFile>,
) -> ParquetResult<ParquetRecordBatchReader> {
    let mask = ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied());
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
    adjust(reader.with_row_groups(vec![group]).with_projection(mask)).build()
}

/// A column by name.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
}

/// A column of numbers; rows may be null.
pub(crate) fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>, String> {
    let column = column(batch, name)?;
    column.as_primitive_opt::<T>().ok_or_else(|| format!("its column {name} has another type"))
}

/// A column of numbers, one in every row.
pub(crate) fn all_numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a [T::Native], String> {
    let numbers = numbers::<T>(batch, name)?;
    if numbers.null_count() == 0 { Ok(numbers.values()) } else { Err(format!("its column {name} has nulls")) }
}

/// A column of texts that repeat, one in every row.
pub(crate) struct Texts<'a> {
    column: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    /// A column by name.
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Result<Texts<'a>, String> {
        let wrong = || format!("its column {name} is not a text in every row");
        let column = column(batch, name)?.as_dictionary_opt::<Int32Type>().ok_or_else(wrong)?;
        let values = column.values().as_string_opt::<i32>().ok_or_else(wrong)?;
        if column.null_count() > 0 { Err(wrong()) } else { Ok(Texts { column, values }) }
    }

    /// The different texts; a text's place is its number.
    pub(crate) fn values(&self) -> &'a StringArray {
        self.values
    }

    /// The number of a row's text.
    pub(crate) fn number(&self, row: usize) -> usize {
        // Keys of a row that is not null are never negative.
        self.column.keys().value(row) as usize
    }

    /// A row's text.
    pub(crate) fn text(&self, row: usize) -> &'a str {
        self.values.value(self.number(row))
    }
}

/// The key-value metadata of a file.
#[derive(Clone, Copy)]
pub(crate) struct KeyValues<'a>(pub(crate) &'a ParquetMetaData);

impl<'a> KeyValues<'a> {
    /// The text under a key.
    pub(crate) fn text(self, key: &str) -> Result<&'a str, String> {
        let pairs = self.0.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
        let value = pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
        value.ok_or_else(|| format!("its metadata has no {key}"))
    }

    /// The number under a key.
    pub(crate) fn number(self, key: &str) -> Result<u64, String> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("its metadata has {key} {text:?}"))
    }
}
