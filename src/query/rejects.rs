//! What could not be read, by reason.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::QueryError;
use crate::book::{DataFile, Snapshot};

/// How many records could not be read, by reason, the most frequent first.
///
/// # Errors
/// [`QueryError`] when there is no book or a file of rejects is damaged.
pub fn rejects(book: &Path) -> Result<Vec<(String, u64)>, QueryError> {
    let snapshot = Snapshot::take(book)?;
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for file in snapshot.reject_files()? {
        if snapshot.is_whole(&file)? {
            count_reasons(&snapshot, &file, &mut reasons)?;
        }
    }
    let mut reasons: Vec<(String, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(reasons)
}

fn count_reasons(snapshot: &Snapshot, file: &DataFile, reasons: &mut BTreeMap<String, u64>) -> Result<(), QueryError> {
    let unreadable = |source: ParquetError| QueryError::Rejects { path: file.path.clone(), source };
    let reader = ParquetRecordBatchReaderBuilder::try_new(snapshot.open(file)?).map_err(unreadable)?;
    let mask = ProjectionMask::columns(reader.parquet_schema(), ["reason"]);
    for batch in reader.with_projection(mask).build().map_err(unreadable)? {
        let batch = batch.map_err(|error| unreadable(error.into()))?;
        let column = batch.column_by_name("reason").and_then(|column| column.as_string_opt::<i32>());
        let column = column.ok_or_else(|| unreadable(ParquetError::General("it has no column reason".to_owned())))?;
        for reason in column.iter().flatten() {
            match reasons.get_mut(reason) {
                Some(count) => *count += 1,
                None => drop(reasons.insert(reason.to_owned(), 1)),
            }
        }
    }
    Ok(())
}
