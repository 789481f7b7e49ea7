//! Reading a day's counts file row by row, without a copy of its names.
//!
//! *Why* beside `counts_file.rs`: a question over a year of a thousand tables passes more than a million rows, and
//! only sums them.

use std::fs::File;
use std::io::ErrorKind;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};

use super::error::At;
use super::metadata::KeyValues;
use super::{BookError, layout};
use crate::change::{CommitNumber, Day, Operation};
use crate::store::Disk;

/// A day's counts file, opened: what is read from it is one state, even when it is replaced meanwhile.
pub(super) struct CountsRows {
    day: Day,
    file: File,
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
    pub(super) fn open(disk: &Disk, day: Day) -> Result<Option<CountsRows>, BookError> {
        let path = layout::counts_path(day);
        let file = match File::open(disk.root().join(&path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.at("open", &path)?,
        };
        let rows = CountsRows::read_stamp(day, file);
        rows.map(Some).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    fn read_stamp(day: Day, file: File) -> Result<CountsRows, String> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| error.to_string())?;
        let said = KeyValues(metadata.metadata());
        let its_day = said.text("walbook.day")?;
        if its_day != day.to_string() {
            return Err(format!("it is the file of {its_day}"));
        }
        let (entry, commit) = (said.number("walbook.entry")?, said.number("walbook.commit")?);
        let book = said.text("walbook.book")?.to_owned();
        Ok(CountsRows { day, file, metadata, entry, commit, book })
    }

    /// Shows schema, table, operation and count of each row, in the order of the file.
    ///
    /// # Errors
    /// [`BookError::UnreadableCounts`] when the rows are not those that were written; what was shown is void then.
    pub(super) fn for_each(self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), BookError> {
        let day = self.day;
        self.read_rows(show).map_err(|reason| BookError::UnreadableCounts { day, reason })
    }

    fn read_rows(self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), String> {
        let expected = KeyValues(self.metadata.metadata()).text("walbook.sha256")?.to_owned();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata);
        let mut digest = RowsDigest::default();
        for batch in reader.with_batch_size(8192).build().map_err(|error| error.to_string())? {
            read_batch(&batch.map_err(|error| error.to_string())?, &mut digest, show)?;
        }
        if digest.end() == expected { Ok(()) } else { Err("its rows are not those that were written".to_owned()) }
    }
}

fn read_batch(
    batch: &RecordBatch,
    digest: &mut RowsDigest,
    show: &mut dyn FnMut(&str, &str, Operation, i64),
) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name).filter(|column| column.null_count() == 0);
    let text = |name: &str| column(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(schemas), Some(tables), Some(ops)) = (text("schema"), text("table"), text("op")) else {
        return Err("it lacks a column of schema, table and op".to_owned());
    };
    let Some(counts) = column("count").and_then(|column| column.as_primitive_opt::<Int64Type>()) else {
        return Err("it lacks the column count".to_owned());
    };
    for row in 0..batch.num_rows() {
        let (schema, table, op, count) = (schemas.value(row), tables.value(row), ops.value(row), counts.value(row));
        digest.add(schema, table, op, count);
        show(schema, table, op.parse()?, count);
    }
    Ok(())
}

/// The digest that `counts_file.rs` puts into the file: SHA-256 of the rows as a JSON array of arrays.
#[derive(Default)]
struct RowsDigest {
    hasher: Sha256,
    text: Vec<u8>,
}

impl RowsDigest {
    const BLOCK: usize = 1 << 14;

    fn add(&mut self, schema: &str, table: &str, op: &str, count: i64) {
        let first = self.text.is_empty();
        self.text.push(if first { b'[' } else { b',' });
        serde_json::to_writer(&mut self.text, &(schema, table, op, count)).expect("memory takes all bytes");
        if self.text.len() > RowsDigest::BLOCK {
            // The last byte stays, to tell that there was a row.
            let last = self.text.len() - 1;
            self.hasher.update(&self.text[..last]);
            self.text.drain(..last);
        }
    }

    fn end(mut self) -> String {
        self.text.extend_from_slice(if self.text.is_empty() { b"[]" } else { b"]" });
        self.hasher.update(&self.text);
        self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
