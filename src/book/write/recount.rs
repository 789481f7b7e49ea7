//! Counts of a day from its event files, for a counts file that is missing, damaged or behind; from the log where these were pruned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tracing::warn;

use super::day_counts::DayCounts;
use crate::change::{CountKey, Day, Operation, TableName};
use crate::store::Store;

use crate::book::error::At;
use crate::book::log::named_files::NamedFiles;
use crate::book::log::{base, commit_log, folding};
use crate::book::read::checksum;
use crate::book::read::listing::Listing;
use crate::book::{BookError, State};
use crate::store::layout::Table;

/// Counts all rows under the events folders of `days`; assumes that every committed file is in its place.
///
/// # Errors
/// [`BookError::Damaged`] for a file whose bytes are not as committed: it is not decoded.
pub(in crate::book) fn recount(
    store: &dyn Store,
    state: &State,
    days: &BTreeSet<Day>,
) -> Result<BTreeMap<Day, DayCounts>, BookError> {
    let mut named = NamedFiles::new(state.newest_entry().unwrap_or(0), state.commit);
    let listing = Listing { store, state, tail: &[] };
    let mut counts = BTreeMap::new();
    for day in days {
        let mut of_day: HashMap<TableName, [i64; 4]> = HashMap::new();
        // One that is missing makes the sum too low, which the caller notices.
        let (paths, _missing) = listing.files(Table::Events, &|other| other == *day)?;
        for path in paths.into_keys() {
            let Some(file) = named.find(store, &path)? else {
                warn!(path, "skipped a file that no entry names");
                continue;
            };
            let bytes = Bytes::from(store.read(&path).at("read", &path)?);
            if let Some(what) = checksum::difference_of(&bytes, &file) {
                return Err(BookError::damaged(&path, what));
            }
            count(bytes, &mut of_day).map_err(|reason| BookError::Damaged { path, reason })?;
        }
        let keys = of_day.into_iter().map(|(table, counts)| (Arc::new(table), counts)).flat_map(|(table, counts)| {
            let key = move |op| CountKey { day: *day, table: Arc::clone(&table), op };
            Operation::ALL.into_iter().map(move |op| (key(op), counts[op.index()]))
        });
        counts.insert(*day, keys.collect());
    }
    Ok(counts)
}

/// What the log has counted on `days`: the deltas of all entries, and of those that were swept what stands for them.
///
/// # Errors
/// [`BookError::Damaged`] when an entry is missing; [`BookError::Io`].
pub(in crate::book) fn counts_of_log(
    store: &dyn Store,
    state: &State,
    days: &BTreeSet<Day>,
) -> Result<BTreeMap<Day, DayCounts>, BookError> {
    match days.is_empty() {
        true => Ok(BTreeMap::new()),
        false => folding::repeated(store, || counts_of_log_once(store, state, days)),
    }
}

fn counts_of_log_once(
    store: &dyn Store,
    state: &State,
    days: &BTreeSet<Day>,
) -> Result<BTreeMap<Day, DayCounts>, BookError> {
    let mut counts: BTreeMap<Day, DayCounts> = BTreeMap::new();
    let base = base::read_newest(store)?;
    if let Some(base) = &base {
        for day in days {
            let manifest = base.manifest(store, Table::Events, *day)?.unwrap_or_default();
            counts.entry(*day).or_default().add(manifest.counts.iter());
        }
    }
    for number in base.map_or(0, |base| base.state.entries)..state.entries {
        let entry = commit_log::required(store, number)?.entry;
        for of_day in entry.deltas.chunk_by(|one, next| one.key.day == next.key.day) {
            let day = of_day.first().map(|delta| delta.key.day).filter(|day| days.contains(day));
            day.into_iter().for_each(|day| counts.entry(day).or_default().add(of_day.iter()));
        }
    }
    Ok(counts)
}

fn count(bytes: Bytes, counts: &mut HashMap<TableName, [i64; 4]>) -> Result<(), String> {
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
            let op = Operation::named(ops.value(row)).ok_or_else(|| format!("row {row} has no operation"))?;
            let table = TableName::new(schemas.value(row), tables.value(row));
            counts.entry(table).or_default()[op.index()] += 1;
        }
    }
    Ok(())
}
