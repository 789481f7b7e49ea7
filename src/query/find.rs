//! Rows of many files in one order.
//!
//! Two passes. The first reads only what orders and filters, row group by row group from the first on, and keeps the best
//! places; it ends when no group left can hold a better one. The second reads those rows whole. A file's rows are decoded
//! only after all of its bytes were compared with the log; a file that is passed over by its footer is not read. Memory is
//! that of the rows of a page and lists of files and row groups, however large the book is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};

use super::Filter;
use super::order::{Best, Page, Place, RowKey};
use super::pruning::{may_hold, times};
use crate::book::columns::{self, Texts, numbers, read_group};
use crate::book::{BookError, DataFile, Snapshot};

/// Which rows are wanted.
pub(super) struct Wanted<'a> {
    /// What they must be; only its days for rows that name no table.
    pub(super) filter: &'a Filter,
    /// Whether several rows come from one record.
    pub(super) has_ordinal: bool,
}

/// What was found.
pub(super) struct Found<T> {
    /// In the order of the page.
    pub(super) rows: Vec<T>,
    /// Their places.
    pub(super) keys: Vec<RowKey>,
    /// Whether rows follow.
    pub(super) has_more: bool,
}

/// Reads whole rows of a batch; none when they are too much.
pub(super) type ReadRows<'a, T> = dyn FnMut(&RecordBatch) -> Result<Option<Vec<T>>, String> + 'a;

/// Finds the rows of a page; `None` when `read` has had enough.
pub(super) fn find_rows<T>(
    snapshot: &Snapshot,
    files: &[DataFile],
    wanted: &Wanted<'_>,
    page: &Page,
    columns: &[&str],
    read: &mut ReadRows<'_, T>,
) -> Result<Option<Found<T>>, BookError> {
    let mut groups = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let reader = match Reader::open(snapshot, file) {
            // Whatever else lies in the folder of a day need not be readable.
            Err(_) if !snapshot.is_whole(file)? => continue,
            reader => reader?,
        };
        let row_groups = reader.metadata.metadata().row_groups();
        if row_groups.is_empty() && snapshot.is_whole(file)? {
            return Err(reader.damaged("it has no rows"));
        }
        for (number, group) in row_groups.iter().enumerate() {
            if may_hold(group, wanted.filter) {
                groups.push((times(group, page.order), index, number));
            }
        }
    }

    // One more than is shown tells whether there are more.
    let one_more = Page { limit: page.limit.saturating_add(1), ..page.clone() };
    let mut best = Best::new(&one_more);
    groups.sort_by(|(one, ..), (other, ..)| match (one, other) {
        (Some(one), Some(other)) => best.compare(one.first, other.first),
        (one, other) => one.is_some().cmp(&other.is_some()),
    });
    for (times, file, group) in groups {
        match times {
            Some(times) if best.is_past(times.first) => break,
            Some(times) if best.is_before(times.last) => continue,
            _ => {}
        }
        if snapshot.is_whole(&files[file])? {
            Reader::open(snapshot, &files[file])?.find(file, group, wanted, &mut best)?;
        }
    }
    let mut candidates = best.into_sorted();
    let has_more = candidates.len() > page.limit;
    candidates.truncate(page.limit);
    let places: Vec<Place> = candidates.iter().map(|candidate| candidate.place).collect();
    let rows = read_rows(snapshot, files, &places, columns, read)?;
    let keys = candidates.into_iter().map(|candidate| candidate.key).collect();
    Ok(rows.map(|rows| Found { rows, keys, has_more }))
}

/// A file of events or rejects.
struct Reader<'a> {
    snapshot: &'a Snapshot,
    file: &'a DataFile,
    metadata: ArrowReaderMetadata,
}

impl<'a> Reader<'a> {
    fn open(snapshot: &'a Snapshot, file: &'a DataFile) -> Result<Reader<'a>, BookError> {
        let metadata = columns::metadata(&snapshot.open(file)?);
        let metadata = metadata.map_err(|error| BookError::damaged(&file.path, error))?;
        Ok(Reader { snapshot, file, metadata })
    }

    fn damaged(&self, what: impl ToString) -> BookError {
        BookError::damaged(&self.file.path, what)
    }

    fn batches(
        &self,
        group: usize,
        columns: &[&str],
        rows: Option<RowSelection>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, BookError>>, BookError> {
        let file = self.snapshot.open(self.file)?;
        // Rows that are shown whole may be large: few at a time.
        let batch = if rows.is_some() { 64 } else { 8192 };
        let reader = read_group(file, &self.metadata, group, columns, |reader| {
            let reader = reader.with_batch_size(batch);
            match rows {
                Some(rows) => reader.with_row_selection(rows),
                None => reader,
            }
        });
        let reader = reader.map_err(|error| self.damaged(error))?;
        Ok(reader.map(|batch| batch.map_err(|error| self.damaged(error))))
    }

    /// Offers the rows of a row group that are wanted.
    fn find(&self, file: usize, group: usize, wanted: &Wanted<'_>, best: &mut Best<'_>) -> Result<(), BookError> {
        let filter = wanted.filter;
        let mut columns = vec!["topic", "partition", "offset", "kafka_time"];
        columns.extend(wanted.has_ordinal.then_some("ordinal"));
        columns.extend(filter.names_tables().then_some(["schema", "table"]).iter().flatten());
        columns.extend(filter.operation.map(|_| "op"));
        let mut first = 0;
        for batch in self.batches(group, &columns, None)? {
            let batch = batch?;
            offer_rows(&batch, Place { file, group, row: first }, wanted, best).map_err(|what| self.damaged(what))?;
            first += batch.num_rows();
        }
        Ok(())
    }

    /// Reads some rows of a row group, given in ascending order.
    fn rows<T>(
        &self,
        group: usize,
        rows: &[usize],
        columns: &[&str],
        read: &mut ReadRows<'_, T>,
    ) -> Result<Option<Vec<T>>, BookError> {
        let total = self.metadata.metadata().row_group(group).num_rows() as usize;
        let selection = RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..*row + 1), total);
        let mut found = Vec::with_capacity(rows.len());
        for batch in self.batches(group, columns, Some(selection))? {
            match read(&batch?).map_err(|what| self.damaged(what))? {
                Some(rows) => found.extend(rows),
                None => return Ok(None),
            }
        }
        if found.len() == rows.len() { Ok(Some(found)) } else { Err(self.damaged("it has fewer rows than it says")) }
    }
}

fn offer_rows(batch: &RecordBatch, first: Place, wanted: &Wanted<'_>, best: &mut Best<'_>) -> Result<(), String> {
    let filter = wanted.filter;
    let topics = Texts::of(batch, "topic")?;
    let names: Vec<Arc<str>> = topics.values().iter().map(|name| Arc::from(name.unwrap_or_default())).collect();
    let partitions = numbers::<Int32Type>(batch, "partition")?;
    let offsets = numbers::<Int64Type>(batch, "offset")?;
    let times = numbers::<TimestampMicrosecondType>(batch, "kafka_time")?;
    let ordinals = match wanted.has_ordinal {
        true => Some(numbers::<Int32Type>(batch, "ordinal")?),
        false => None,
    };
    let tables = match filter.names_tables() {
        true => Some((Texts::of(batch, "schema")?, Texts::of(batch, "table")?)),
        false => None,
    };
    let ops = match filter.operation {
        Some(operation) => Some((Texts::of(batch, "op")?, operation.as_str())),
        None => None,
    };
    let mut known_tables: HashMap<(usize, usize), bool> = HashMap::new();
    for row in 0..batch.num_rows() {
        let kafka_time = times.is_valid(row).then(|| times.value(row));
        // The cheap test first: most rows of a large book come after the worst one kept.
        if !best.wants(kafka_time) {
            continue;
        }
        if ops.as_ref().is_some_and(|(ops, asked)| ops.text(row) != *asked) {
            continue;
        }
        if let Some((schemas, tables)) = &tables {
            let wanted = known_tables
                .entry((schemas.number(row), tables.number(row)))
                .or_insert_with(|| filter.has_table(schemas.text(row), tables.text(row)));
            if !*wanted {
                continue;
            }
        }
        let key = RowKey {
            kafka_time: Reverse(kafka_time),
            topic: Arc::clone(&names[topics.number(row)]),
            partition: partitions.value(row),
            offset: Reverse(offsets.value(row)),
            ordinal: ordinals.map_or(0, |ordinals| ordinals.value(row)),
        };
        best.offer(key, Place { row: first.row + row, ..first });
    }
    Ok(())
}

fn read_rows<T>(
    snapshot: &Snapshot,
    files: &[DataFile],
    found: &[Place],
    columns: &[&str],
    read: &mut ReadRows<'_, T>,
) -> Result<Option<Vec<T>>, BookError> {
    let mut by_group: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (rank, place) in found.iter().enumerate() {
        by_group.entry((place.file, place.group)).or_default().push((place.row, rank));
    }
    let mut ranked = Vec::with_capacity(found.len());
    for ((file, group), mut places) in by_group {
        places.sort_unstable();
        let rows: Vec<usize> = places.iter().map(|(row, _)| *row).collect();
        let Some(read) = Reader::open(snapshot, &files[file])?.rows(group, &rows, columns, read)? else {
            return Ok(None);
        };
        ranked.extend(places.into_iter().map(|(_, rank)| rank).zip(read));
    }
    ranked.sort_unstable_by_key(|(rank, _)| *rank);
    Ok(Some(ranked.into_iter().map(|(_, row)| row).collect()))
}
