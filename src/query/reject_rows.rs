//! Which records could not be read: a page of them.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, RecordBatch};
use parquet::errors::ParquetError;

use super::events::repeat;
use super::find::{Found, Row, find_rows};
use super::order::{Page, RowKey};
use super::{Effort, Filter, QueryError};
use crate::book::columns::{Texts, column, metadata, numbers, read_group};
use crate::book::{CompleteTo, DataFile, Snapshot};

/// The columns of the rejects table, in the order of the files.
const REJECT_COLUMNS: [&str; 8] = ["topic", "partition", "offset", "kafka_time", "reason", "key", "value", "headers"];

/// A record that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectRow {
    /// The source topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The record's place in it.
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

/// Some rejects in a row, and whether there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectsPage {
    /// What they are complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The rejects, in the order of the page.
    pub rows: Vec<RejectRow>,
    /// By row: its place.
    pub keys: Vec<RowKey>,
    /// Whether rows follow.
    pub has_more: bool,
}

/// Finds a page of the rejects on some days.
///
/// # Errors
/// [`QueryError`] when there is no book, or it is damaged; [`QueryError::TooSlow`] when nobody waits any more.
pub fn rejects_page(book: &Path, days: &Filter, page: &Page, effort: &Effort<'_>) -> Result<RejectsPage, QueryError> {
    days.check()?;
    repeat(book, |snapshot| {
        let files: Vec<DataFile> = snapshot.reject_files()?;
        let files: Vec<DataFile> =
            files.into_iter().filter(|file| file.day().is_some_and(|day| days.has_day(day))).collect();
        // Rejects name no table.
        let Found { rows, keys, has_more } = find_rows(snapshot, &files, &Filter::default(), page, effort)?;
        let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
        Ok(RejectsPage { complete_to, time_zone, rows, keys, has_more })
    })
}

impl Row for RejectRow {
    const COLUMNS: &'static [&'static str] = &REJECT_COLUMNS;
    const HAS_ORDINAL: bool = false;

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
    // Where the bytes were not asked for, there are none.
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

/// The columns that tell which reject is which.
const PLACES: [&str; 5] = ["topic", "partition", "offset", "kafka_time", "reason"];

/// Where a reject stands in its file: its row group and its row there.
pub(super) type RejectPlace = (usize, usize);

/// Shows the rejects of a file that is whole, without their bytes.
pub(super) fn for_each(
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
pub(super) fn read_one(snapshot: &Snapshot, file: &DataFile, place: RejectPlace) -> Result<RejectRow, QueryError> {
    let unreadable = |source: ParquetError| QueryError::Rejects { path: file.path.clone(), source };
    let metadata = metadata(&snapshot.open(file)?).map_err(unreadable)?;
    let (group, row) = place;
    let reader = read_group(snapshot.open(file)?, &metadata, group, &REJECT_COLUMNS, |reader| {
        reader.with_offset(row).with_limit(1)
    });
    let batch = reader.map_err(unreadable)?.next().transpose().map_err(|error| unreadable(error.into()))?;
    let rows = batch.map_or(Ok(Vec::new()), |batch| whole_rows(&batch));
    let row = rows.map(|mut rows| rows.pop()).transpose();
    let row = row.unwrap_or_else(|| Err("it has fewer rows than it says".to_owned()));
    row.map_err(|what| unreadable(ParquetError::General(what)))
}
