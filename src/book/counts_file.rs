//! One day's counts as a Parquet file.
//!
//! Columns `schema`, `table`, `op` (strings) and `count` (int64), none null, sorted by the first three; key-value metadata
//! says at which entry and commit they stand. `walbook.sha256` in it is the digest of the whole file with 64 zeros in
//! the digest's place: a flipped letter in a name would pass for another table, and a flipped length makes a decoder panic.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::change::{CommitNumber, CountKey, Day, Operation};

use super::{BookError, digested};

/// Where a counts file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsStamp {
    /// The book's identity.
    pub book: String,
    /// Who wrote it.
    pub generation: String,
    /// The entry up to which it counts.
    pub entry: u64,
    /// The newest commit at that entry.
    pub commit: CommitNumber,
    /// The day.
    pub day: Day,
}

/// A day's counts and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsFile {
    /// Where they stand.
    pub stamp: CountsStamp,
    /// The counts; all of the stamp's day, each positive.
    pub counts: BTreeMap<CountKey, i64>,
}

const BOOK: &str = "walbook.book";
const GENERATION: &str = "walbook.generation";
const ENTRY: &str = "walbook.entry";
const COMMIT: &str = "walbook.commit";
const DAY: &str = "walbook.day";
const DIGEST: &str = "walbook.sha256";
/// How the digest's key and its value's length stand in the footer (Thrift compact protocol: binary field, 64 bytes).
const DIGEST_MARK: &[u8] = b"walbook.sha256\x18\x40";
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl CountsFile {
    /// All changes of the day.
    pub fn total(&self) -> i128 {
        self.counts.values().map(|count| i128::from(*count)).sum()
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let rows = self.rows();
        let text = |column: fn(&CountKey) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|(key, _)| column(key))))
        };
        let columns: Vec<ArrayRef> = vec![
            text(|key| &key.schema),
            text(|key| &key.table),
            text(|key| key.op.as_str()),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, count)| *count))),
        ];
        let batch = RecordBatch::try_new(schema(), columns).expect("columns are made as the schema says");
        let CountsStamp { book, generation, entry, commit, day } = &self.stamp;
        let metadata = [
            (BOOK, book.clone()),
            (GENERATION, generation.clone()),
            (ENTRY, entry.to_string()),
            (COMMIT, commit.to_string()),
            (DAY, day.to_string()),
            (DIGEST, NO_DIGEST.to_owned()),
        ];
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("level 1 exists")))
            .set_created_by(concat!("walbook version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(
                metadata.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect(),
            ))
            .build();
        // With an Arrow schema inside, pyarrow and Polars would show dictionaries instead of strings.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema(), options)
            .expect("four plain columns are a valid Parquet schema");
        writer.write(&batch).expect("memory takes all bytes");
        let mut bytes = writer.into_inner().expect("memory takes all bytes");
        let place = digest_place(&bytes).expect("the digest's key was just written");
        let digest = digested::digest(&bytes);
        bytes[place].copy_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads a counts file; `day` is the one its folder says.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] for anything but what [`CountsFile::encode`] writes.
    pub fn read(day: Day, bytes: Bytes) -> Result<CountsFile, BookError> {
        decode(day, bytes).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    /// The rows in the file's order, which is that of the texts.
    fn rows(&self) -> Vec<(&CountKey, i64)> {
        let mut rows: Vec<_> = self.counts.iter().map(|(key, count)| (key, *count)).collect();
        rows.sort_unstable_by_key(|(key, _)| (&key.schema, &key.table, key.op.as_str()));
        rows
    }
}

fn schema() -> Arc<Schema> {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![text("schema"), text("table"), text("op"), Field::new("count", DataType::Int64, false)]))
}

/// Where the digest stands; nothing that a book's tables are called comes after it in a footer.
fn digest_place(bytes: &[u8]) -> Option<Range<usize>> {
    let start = memchr::memmem::rfind(bytes, DIGEST_MARK)? + DIGEST_MARK.len();
    let place = start..start + NO_DIGEST.len();
    (place.end <= bytes.len()).then_some(place)
}

/// Whether the bytes of a counts file are those that were written. Nothing may be decoded before: the decoder trusts
/// its lengths.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let Some(place) = digest_place(bytes) else { return false };
    let mut unsigned = bytes.to_vec();
    unsigned[place.clone()].copy_from_slice(NO_DIGEST.as_bytes());
    digested::digest(&unsigned).as_bytes() == &bytes[place]
}

fn decode(day: Day, bytes: Bytes) -> Result<CountsFile, String> {
    if !is_whole(&bytes) {
        return Err("its bytes are not those that were written".into());
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    let metadata = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let value = |key: &str| -> Result<&str, String> {
        let found = metadata.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
        found.ok_or_else(|| format!("its metadata has no {key}"))
    };
    let number = |key: &str| value(key)?.parse::<u64>().map_err(|error| format!("{key}: {error}"));
    let stamp = CountsStamp {
        book: value(BOOK)?.to_owned(),
        generation: value(GENERATION)?.to_owned(),
        entry: number(ENTRY)?,
        commit: number(COMMIT)?,
        day: value(DAY)?.parse().map_err(|error| format!("{DAY}: {error}"))?,
    };
    if stamp.day != day {
        return Err(format!("it is the file of {}", stamp.day));
    }
    if reader.schema().fields() != schema().fields() {
        return Err(format!("its columns are {}", reader.schema()));
    }
    let mut counts = BTreeMap::new();
    for batch in reader.build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let (schemas, tables, ops) = (text(0), text(1), text(2));
        let numbers = batch.column(3).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let key = CountKey {
                day,
                schema: schemas.value(row).to_owned(),
                table: tables.value(row).to_owned(),
                op: Operation::named(ops.value(row)).ok_or("an operation is unknown")?,
            };
            if counts.insert(key, numbers.value(row)).is_some() {
                return Err("a key stands there twice".into());
            }
        }
    }
    Ok(CountsFile { stamp, counts })
}
