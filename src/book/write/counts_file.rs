//! One day's counts as a Parquet file.
//!
//! Columns `schema`, `table`, `op` (strings) and `count` (int64), none null, sorted by the first three; key-value metadata
//! has the entry and commit that they hold. `walbook.sha256` in it is the digest of the whole file with 64 zeros in
//! the digest's place: a flipped letter in a name would pass for another table, and a flipped length makes a decoder panic.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::day_counts::DayCounts;
use crate::book::BookError;
use crate::book::log::digested;
use crate::book::read::counts_rows::{self, CountsRows, CountsStamp, NO_DIGEST};
use crate::change::{CountKey, Day, Operation, TableName};
use crate::store::compression;

/// A day's counts and their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsFile {
    /// The state that they hold.
    pub stamp: CountsStamp,
    /// The counts of the stamp's day, each positive.
    pub counts: DayCounts,
}

impl CountsFile {
    /// All changes of the day.
    pub fn total(&self) -> i128 {
        self.counts.total()
    }

    /// The counts with their keys, sorted.
    pub fn by_key(&self) -> impl Iterator<Item = (CountKey, i64)> {
        let day = self.stamp.day;
        self.counts.iter().map(move |(table, op, count)| (CountKey { day, table: Arc::clone(table), op }, count))
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let rows = self.rows();
        let text = |column: for<'a> fn(&'a Row<'_>) -> &'a str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(column)))
        };
        let columns: Vec<ArrayRef> = vec![
            text(|(name, _, _)| &name.schema),
            text(|(name, _, _)| &name.table),
            text(|(_, op, _)| op.as_str()),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, _, count)| *count))),
        ];
        let batch = RecordBatch::try_new(schema(), columns).expect("columns are made as the schema says");
        let CountsStamp { book, generation, entry, commit, day } = &self.stamp;
        let metadata = [
            (counts_rows::BOOK, book.clone()),
            (counts_rows::GENERATION, generation.clone()),
            (counts_rows::ENTRY, entry.to_string()),
            (counts_rows::COMMIT, commit.to_string()),
            (counts_rows::DAY, day.to_string()),
            (counts_rows::DIGEST, NO_DIGEST.to_owned()),
        ];
        let properties = WriterProperties::builder()
            .set_compression(compression::for_rows(batch.num_rows()))
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
        let place = counts_rows::digest_place(&bytes).expect("the digest's key was just written");
        let digest = digested::digest(&bytes);
        bytes[place].copy_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads a counts file; `day` is that of its folder.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] for anything but what [`CountsFile::encode`] writes.
    pub fn read(day: Day, bytes: Bytes) -> Result<CountsFile, BookError> {
        let rows = CountsRows::of(day, bytes)?;
        let stamp = rows.stamp.clone();
        let (mut counts, mut pushed) = (DayCounts::default(), Ok(()));
        rows.for_each(&mut |schema, table, op, count| {
            if pushed.is_ok() {
                pushed = counts.push(schema, table, op, count);
            }
        })?;
        match pushed {
            Ok(()) => Ok(CountsFile { stamp, counts }),
            Err(reason) => Err(BookError::UnreadableCounts { day, reason: reason.to_owned() }),
        }
    }

    /// The rows in the file's order, which is that of the texts.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<_> = self.counts.iter().collect();
        rows.chunk_by_mut(|(one, ..), (next, ..)| Arc::ptr_eq(one, next))
            .for_each(|of_table| of_table.sort_unstable_by_key(|(_, op, _)| op.as_str()));
        rows
    }
}

/// A row of the file: table, operation and count.
type Row<'a> = (&'a Arc<TableName>, Operation, i64);

fn schema() -> Arc<Schema> {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![text("schema"), text("table"), text("op"), Field::new("count", DataType::Int64, false)]))
}
