//! Reading a day's counts file row by row, without a copy of its names.
//!
//! *Why* beside `counts_file.rs`: a question over a year of a thousand tables passes more than a million rows, and
//! only sums them.

use std::io::ErrorKind;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::counts_file::is_whole;
use super::error::At;
use super::metadata::KeyValues;
use super::{BookError, layout};
use crate::change::{CommitNumber, Day, Operation};
use crate::store::Store;

/// A day's counts file, opened: what is read from it is one state, even when it is replaced meanwhile.
pub(super) struct CountsRows {
    day: Day,
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
    /// The entry it stands at.
    pub(super) entry: u64,
    /// The newest commit at that entry.
    pub(super) commit: CommitNumber,
    /// The book's identity.
    pub(super) book: String,
}

impl CountsRows {
    /// Opens a day's counts file; `None` when there is none.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when it is not the one that was written.
    pub(super) fn open(store: &dyn Store, day: Day) -> Result<Option<CountsRows>, BookError> {
        let path = layout::counts_path(day);
        let bytes = match store.read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.at("read", &path)?,
        };
        let rows = CountsRows::read_stamp(day, bytes.into());
        rows.map(Some).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    fn read_stamp(day: Day, bytes: Bytes) -> Result<CountsRows, String> {
        if !is_whole(&bytes) {
            return Err("its bytes are not those that were written".to_owned());
        }
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&bytes, options).map_err(|error| error.to_string())?;
        let said = KeyValues(metadata.metadata());
        let its_day = said.text("walbook.day")?;
        if its_day != day.to_string() {
            return Err(format!("it is the file of {its_day}"));
        }
        let (entry, commit) = (said.number("walbook.entry")?, said.number("walbook.commit")?);
        let book = said.text("walbook.book")?.to_owned();
        Ok(CountsRows { day, bytes, metadata, entry, commit, book })
    }

    /// Shows schema, table, operation and count of each row, in the order of the file.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when they cannot be decoded; what was shown is void then.
    pub(super) fn for_each(self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), BookError> {
        let day = self.day;
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
