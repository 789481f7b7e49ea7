//! Reading a day's counts file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::ReadError;
use super::metadata::KeyValues;
use crate::change::Operation;

/// A day's counts file, opened: what is read from it is one state, even when it is replaced meanwhile.
pub(crate) struct CountsFile {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    entry: u64,
}

impl CountsFile {
    /// Opens the file; `None` when there is none.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it does not say at which entry it stands.
    pub(crate) fn open(path: &Path) -> Result<Option<CountsFile>, ReadError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(ReadError::io(path))?,
        };
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| ReadError::damaged(path, error))?;
        let entry = KeyValues(metadata.metadata()).number("walbook.entry");
        let entry = entry.map_err(|what| ReadError::damaged(path, what))?;
        Ok(Some(CountsFile { path: path.to_owned(), file, metadata, entry }))
    }

    /// The entry it stands at.
    pub(crate) fn entry(&self) -> u64 {
        self.entry
    }

    /// What it says of itself.
    pub(crate) fn key_values(&self) -> KeyValues<'_> {
        KeyValues(self.metadata.metadata())
    }

    /// Shows schema, table, operation and count of each row, in the order of the file.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it cannot be decoded.
    pub(crate) fn for_each(&self, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), ReadError> {
        let damaged = |what: &dyn ToString| ReadError::damaged(&self.path, what.to_string());
        let file = self.file.try_clone().map_err(ReadError::io(&self.path))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        for batch in reader.with_batch_size(8192).build().map_err(|error| damaged(&error))? {
            show_rows(&batch.map_err(|error| damaged(&error))?, show).map_err(|what| damaged(&what))?;
        }
        Ok(())
    }
}

fn show_rows(batch: &RecordBatch, show: &mut dyn FnMut(&str, &str, Operation, i64)) -> Result<(), String> {
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
