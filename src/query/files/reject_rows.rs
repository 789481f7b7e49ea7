//! Rows of the rejects table, page by page.

use std::ops::RangeInclusive;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, RecordBatch};
use parquet::errors::ParquetError;

use super::events::with_snapshot;
use super::find::{BookRow, FoundRows, find_rows};
use super::order::{PageRequest, RowKey};
use crate::book::read::columns::{Texts, column, metadata, numbers, read_group};
use crate::book::{CompleteTo, DataFile, Snapshot};
use crate::change::Day;
use crate::parse::DayRule;
use crate::query::{QueryBudget, QueryError, RejectCount, RejectFilter};
use crate::store::BookStore;
use crate::store::columns::{REJECT_COLUMNS, column_names};

/// The names of all columns.
const COLUMNS: [&str; 8] = column_names(&REJECT_COLUMNS);

/// A record that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectRow {
    /// The source topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp, in microseconds since 1970-01-01 UTC.
    pub kafka_time: Option<i64>,
    /// Why it could not be read.
    pub reason: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, as they are kept.
    pub headers: Option<Vec<u8>>,
}

/// A page of rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectsPage {
    /// The commit that they are complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The rejects of the filter's days, whatever else it asks for.
    pub rejects: RejectCount,
    /// The rejects, in the order of the page.
    pub rows: Vec<RejectRow>,
    /// By row: its key in the order of rows.
    pub keys: Vec<RowKey>,
    /// Whether there are more rows.
    pub has_more: bool,
}

/// Finds a page of the rejects that `filter` accepts.
///
/// # Errors
/// [`QueryError`] when there is no book, or it is damaged; [`QueryError::TooSlow`] when it is cancelled.
pub fn rejects_page(
    book: impl Into<BookStore>,
    filter: &RejectFilter,
    page: &PageRequest,
    budget: &QueryBudget<'_>,
) -> Result<RejectsPage, QueryError> {
    filter.check()?;
    let days = filter.days();
    with_snapshot(book, |snapshot| {
        let files: Vec<DataFile> = snapshot.reject_files()?;
        let files: Vec<DataFile> =
            files.into_iter().filter(|file| file.day().is_some_and(|day| days.has_reject_day(day))).collect();
        let FoundRows { rows, keys, has_more } = find_rows(snapshot, &files, filter, page, budget)?;
        let rejects = RejectCount::new(&snapshot.reject_days()?, &days);
        let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
        Ok(RejectsPage { complete_to, time_zone, rejects, rows, keys, has_more })
    })
}

impl BookRow for RejectRow {
    const COLUMNS: &'static [&'static str] = &COLUMNS;
    const TIMES: &'static [&'static str] = &["kafka_time"];
    const HAS_ORDINAL: bool = false;

    fn times_of_day(rule: &DayRule, day: Day) -> Option<RangeInclusive<i64>> {
        rule.times_of_rejects(day)
    }

    fn read(batch: &RecordBatch) -> Result<Vec<RejectRow>, String> {
        whole_rows(batch)
    }

    fn bytes(&self) -> usize {
        [&self.key, &self.value, &self.headers].into_iter().flatten().map(Vec::len).sum()
    }
}

fn whole_rows(batch: &RecordBatch) -> Result<Vec<RejectRow>, String> {
    let topics = Texts::of(batch, "topic")?;
    let partitions = numbers::<Int32Type>(batch, "partition")?;
    let offsets = numbers::<Int64Type>(batch, "offset")?;
    let kafka_times = numbers::<TimestampMicrosecondType>(batch, "kafka_time")?;
    let reasons = column(batch, "reason")?.as_string_opt::<i32>().ok_or("its column reason has another type")?;
    // Without these columns in the batch, rows have no bytes.
    let [keys, values, headers] = ["key", "value", "headers"].map(|name| {
        let column = batch.column_by_name(name).map(|column| column.as_binary_opt::<i32>());
        column.map(|column| column.ok_or_else(|| format!("its column {name} has another type"))).transpose()
    });
    let (keys, values, headers) = (keys?, values?, headers?);
    let bytes = |column: Option<&BinaryArray>, row: usize| {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_vec())
    };
    let row = |row: usize| RejectRow {
        topic: topics.text(row).to_owned(),
        partition: partitions.value(row),
        offset: offsets.value(row),
        kafka_time: kafka_times.is_valid(row).then(|| kafka_times.value(row)),
        reason: reasons.value(row).to_owned(),
        key: bytes(keys, row),
        value: bytes(values, row),
        headers: bytes(headers, row),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// The columns without the records' bytes.
const PLACES: [&str; 5] = ["topic", "partition", "offset", "kafka_time", "reason"];

/// A reject's row group and row in its file.
pub(in crate::query) type RejectPlace = (usize, usize);

/// Passes the rejects of a whole file to `show`, without their bytes.
pub(in crate::query) fn for_each(
    snapshot: &Snapshot,
    file: &DataFile,
    show: &mut dyn FnMut(RejectPlace, RejectRow),
) -> Result<(), QueryError> {
    let unreadable = |source: ParquetError| QueryError::Rejects { path: file.path.clone(), source };
    let metadata = metadata(&snapshot.open(file)?).map_err(unreadable)?;
    for group in 0..metadata.metadata().num_row_groups() {
        let reader = read_group(snapshot.open(file)?, &metadata, group, &PLACES, |reader| reader);
        let mut first = 0;
        for batch in reader.map_err(unreadable)? {
            let batch = batch.map_err(|error| unreadable(error.into()))?;
            let rows = whole_rows(&batch).map_err(|what| unreadable(ParquetError::General(what)))?;
            first += rows.into_iter().zip(first..).map(|(row, place)| show((group, place), row)).count();
        }
    }
    Ok(())
}

/// Reads one reject whole.
pub(in crate::query) fn read_one(
    snapshot: &Snapshot,
    file: &DataFile,
    place: RejectPlace,
) -> Result<RejectRow, QueryError> {
    let unreadable = |source: ParquetError| QueryError::Rejects { path: file.path.clone(), source };
    let metadata = metadata(&snapshot.open(file)?).map_err(unreadable)?;
    let (group, row) = place;
    let reader =
        read_group(snapshot.open(file)?, &metadata, group, &COLUMNS, |reader| reader.with_offset(row).with_limit(1));
    let batch = reader.map_err(unreadable)?.next().transpose().map_err(|error| unreadable(error.into()))?;
    let rows = batch.map_or(Ok(Vec::new()), |batch| whole_rows(&batch));
    let row = rows.map(|mut rows| rows.pop()).transpose();
    let row = row.unwrap_or_else(|| Err("it has fewer rows than its footer says".to_owned()));
    row.map_err(|what| unreadable(ParquetError::General(what)))
}
