//! A day's counts file, read row by row without a copy of its names: a question over a year of a thousand tables passes
//! more than a million rows, and only sums them.

use std::io::ErrorKind;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::columns::KeyValues;
use crate::book::error::At;
use crate::book::log::digested;
use crate::book::{BookError, layout};
use crate::change::{CommitNumber, Day, Operation};
use crate::store::Store;

/// The state that a counts file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsStamp {
    /// The book's identity.
    pub book: String,
    /// The run that wrote it.
    pub generation: String,
    /// The entry up to which it counts.
    pub entry: u64,
    /// The newest commit at that entry.
    pub commit: CommitNumber,
    /// The day.
    pub day: Day,
}

pub(in crate::book) const BOOK: &str = "walbook.book";
pub(in crate::book) const GENERATION: &str = "walbook.generation";
pub(in crate::book) const ENTRY: &str = "walbook.entry";
pub(in crate::book) const COMMIT: &str = "walbook.commit";
pub(in crate::book) const DAY: &str = "walbook.day";
pub(in crate::book) const DIGEST: &str = "walbook.sha256";
/// The digest's key and its value's length in the footer (Thrift compact protocol: binary field, 64 bytes).
const DIGEST_MARK: &[u8] = b"walbook.sha256\x18\x40";
pub(in crate::book) const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A day's counts file, opened: its rows are one state, even if the file is replaced meanwhile.
pub(in crate::book) struct CountsRows {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    /// The state that it holds.
    pub(in crate::book) stamp: CountsStamp,
}

impl CountsRows {
    /// Opens a day's counts file; `None` when there is none.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when it is not as written.
    pub(in crate::book) fn open(store: &dyn Store, day: Day) -> Result<Option<CountsRows>, BookError> {
        let path = layout::counts_path(day);
        let bytes = match store.read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.at("read", &path)?,
        };
        CountsRows::of(day, bytes.into()).map(Some)
    }

    /// Opens the bytes of the counts file in the folder of `day`.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when they are not as written.
    pub(in crate::book) fn of(day: Day, bytes: Bytes) -> Result<CountsRows, BookError> {
        CountsRows::read_stamp(day, bytes).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    fn read_stamp(day: Day, bytes: Bytes) -> Result<CountsRows, String> {
        if !is_whole(&bytes) {
            return Err("its bytes are not those that were written".to_owned());
        }
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(|error| error.to_string())?;
        let values = KeyValues(metadata.metadata());
        let named_day = values.text(DAY)?;
        if named_day != day.to_string() {
            return Err(format!("it is the file of {named_day}"));
        }
        let (book, generation) = (values.text(BOOK)?.to_owned(), values.text(GENERATION)?.to_owned());
        let (entry, commit) = (values.number(ENTRY)?, values.number(COMMIT)?);
        Ok(CountsRows { bytes, metadata, stamp: CountsStamp { book, generation, entry, commit, day } })
    }

    /// Shows schema, table, operation and count of each row, in the order of the file.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when they cannot be decoded; the rows shown until then are invalid.
    pub(in crate::book) fn for_each(self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), BookError> {
        let day = self.stamp.day;
        self.read_rows(show).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    fn read_rows(self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), String> {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes, self.metadata);
        for batch in reader.with_batch_size(8192).build().map_err(|error| error.to_string())? {
            read_batch(&batch.map_err(|error| error.to_string())?, show)?;
        }
        Ok(())
    }
}

fn read_batch(batch: &RecordBatch, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name).filter(|column| column.null_count() == 0);
    let text = |name: &str| column(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(schemas), Some(tables), Some(ops)) = (text("schema"), text("table"), text("op")) else {
        return Err("it lacks a column of schema, table and op".to_owned());
    };
    let Some(counts) = column("count").and_then(|column| column.as_primitive_opt::<Int64Type>()) else {
        return Err("it lacks the column count".to_owned());
    };
    for row in 0..batch.num_rows() {
        show(schemas.value(row), tables.value(row), ops.value(row).parse()?, counts.value(row));
    }
    Ok(())
}

/// The place of the digest; no name of a table comes after it in a footer.
pub(in crate::book) fn digest_place(bytes: &[u8]) -> Option<Range<usize>> {
    let start = memchr::memmem::rfind(bytes, DIGEST_MARK)? + DIGEST_MARK.len();
    let place = start..start + NO_DIGEST.len();
    (place.end <= bytes.len()).then_some(place)
}

/// Whether the bytes of a counts file are as written. Checked before anything is decoded: the decoder trusts its lengths.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(place) = digest_place(bytes) else { return false };
    let mut unsigned = bytes.to_vec();
    unsigned[place.clone()].copy_from_slice(NO_DIGEST.as_bytes());
    digested::digest(&unsigned).as_bytes() == &bytes[place]
}
