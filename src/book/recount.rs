//! Counts of a day from its event files, when the counts file is missing, damaged or behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use twox_hash::XxHash3_64;

use crate::change::{CountKey, Day, Operation};
use crate::store::Store;

use super::entry::AddedFile;
use super::error::At;
use super::layout::FilePlace;
use super::{BookError, layout, log};

/// Counts all rows under the events folders of `days`; assumes that every committed file is in its place.
///
/// # Errors
/// [`BookError::Damaged`] for a file whose bytes are not those that the log names: nothing damaged is ever decoded.
pub(super) fn recount(
    store: &dyn Store,
    days: &BTreeSet<Day>,
) -> Result<BTreeMap<Day, BTreeMap<CountKey, i64>>, BookError> {
    let named = named_by_the_log(store, days)?;
    let mut counts = BTreeMap::new();
    for day in days {
        let folder = layout::events_folder(*day);
        let names = match store.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.at("list", &folder)?,
        };
        let of_day: &mut BTreeMap<CountKey, i64> = counts.entry(*day).or_default();
        for path in names.into_iter().map(|name| format!("{folder}/{name}")) {
            // Foreign names are not events; if one should have been, the sum will tell.
            if FilePlace::parse(&path).is_none() {
                continue;
            }
            let bytes = Bytes::from(store.read(&path).at("read", &path)?);
            // The entry of an old file may have been swept from the log.
            if named.get(&path).is_some_and(|file| !is_as_named(&bytes, file)) {
                let reason = "its bytes are not those that were committed".to_owned();
                return Err(BookError::Damaged { path, reason });
            }
            count(*day, bytes, of_day).map_err(|reason| BookError::Damaged { path, reason })?;
        }
    }
    Ok(counts)
}

/// The event files of `days`, as the entries that the log still holds name them.
fn named_by_the_log(store: &dyn Store, days: &BTreeSet<Day>) -> Result<BTreeMap<String, AddedFile>, BookError> {
    let mut named = BTreeMap::new();
    for number in log::numbers(store)? {
        let Some(logged) = log::read_entry(store, number)? else { continue };
        for file in logged.entry.added {
            if FilePlace::parse(&file.path).is_some_and(|place| days.contains(&place.day)) {
                named.insert(file.path.clone(), file);
            }
        }
    }
    Ok(named)
}

fn is_as_named(bytes: &[u8], file: &AddedFile) -> bool {
    bytes.len() as u64 == file.bytes && format!("{:016x}", XxHash3_64::oneshot(bytes)) == file.xxh3
}

fn count(day: Day, bytes: Bytes, counts: &mut BTreeMap<CountKey, i64>) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    let columns = ["schema", "table", "op"];
    let mask = ProjectionMask::columns(reader.parquet_schema(), columns);
    for batch in reader.with_projection(mask).build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let column = |name: &str| -> Result<&StringArray, String> {
            let column = batch.column_by_name(name).ok_or_else(|| format!("it has no column {name:?}"))?;
            (column.data_type() == &DataType::Utf8)
                .then(|| column.as_string::<i32>())
                .ok_or_else(|| format!("its column {name:?} is no string"))
        };
        let (schemas, tables, ops) = (column(columns[0])?, column(columns[1])?, column(columns[2])?);
        for row in 0..batch.num_rows() {
            let op = ops.value(row);
            let op = Operation::ALL.into_iter().find(|known| known.as_str() == op);
            let key = CountKey {
                day,
                schema: schemas.value(row).to_owned(),
                table: tables.value(row).to_owned(),
                op: op.ok_or_else(|| format!("row {row} has no operation"))?,
            };
            *counts.entry(key).or_default() += 1;
        }
    }
    Ok(())
}
