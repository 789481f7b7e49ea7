//! Rows of many files in one order.
//!
//! Two passes. The first reads only the columns that order and filter, day by day and row group by row group in the order of the
//! page, and keeps the best places; it ends when no remaining day or group can have a better one. The second reads those rows whole. A file's rows
//! are decoded only after its bytes were compared with the log, of a merged file those of the row group; a file that its footer excludes is
//! not read. Memory
//! holds the rows of a page and lists of files and row groups, independent of the size of the book.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::file::metadata::RowGroupMetaData;

use super::day_order::{DayFiles, FirstTime, in_order_of_page};
use super::order::{BestRows, PageRequest, RowKey, RowOrder, RowPlace};
use super::pruning::key_bounds;
use super::row_filter::{Accepts, RowFilter};
use crate::book::log::entry::BookSettings;
use crate::book::read::columns;
use crate::book::read::columns::{Texts, numbers, read_group};
use crate::book::{BookError, DataFile, Snapshot};
use crate::change::Day;
use crate::parse::DayRule;
use crate::query::{QueryBudget, QueryError};

/// The most rows that are read whole at once.
const ROWS: usize = 64;
/// The most rows whose columns are filtered at once.
const MOST_ROWS: usize = 8192;
/// About how many bytes of whole rows, or of their data, are read at once.
const BYTES: i64 = 1 << 20;

/// A row of one of the book's tables.
pub(in crate::query) trait BookRow: Sized {
    /// Its columns.
    const COLUMNS: &'static [&'static str];
    /// Its columns of times, the one that orders rows first; the next stands in where that is null.
    const TIMES: &'static [&'static str];
    /// Whether rows have an ordinal. The others are ordered by their place in the files of their commit: records of a slot's
    /// transaction share an offset.
    const HAS_ORDINAL: bool;

    /// Bounds of the times, the first of [`Self::TIMES`] that is not null, of rows of a day; `None` where they may be any.
    fn times_of_day(rule: &DayRule, day: Day) -> Option<RangeInclusive<i64>>;

    /// Reads the rows of a batch.
    fn read(batch: &RecordBatch) -> Result<Vec<Self>, String>;

    /// How many bytes of data it has.
    fn bytes(&self) -> usize;
}

/// The rows of a page.
pub(in crate::query) struct FoundRows<T> {
    /// In the order of the page.
    pub(in crate::query) rows: Vec<T>,
    /// Their keys.
    pub(in crate::query) keys: Vec<RowKey>,
    /// Whether there are more rows.
    pub(in crate::query) has_more: bool,
}

/// Finds the rows of a page in the files of some days.
pub(in crate::query) fn find_rows<T: BookRow>(
    snapshot: &Snapshot,
    files: &[DataFile],
    filter: &dyn RowFilter,
    page: &PageRequest,
    budget: &QueryBudget<'_>,
) -> Result<FoundRows<T>, QueryError> {
    // One more than the page shows whether there are more.
    let one_more = PageRequest { limit: page.limit.saturating_add(1), ..page.clone() };
    let mut best = BestRows::new(&one_more);
    let BookSettings { time_zone, day_from } = &snapshot.state().settings;
    let rule = DayRule::from_names(time_zone, day_from);
    let times_of_day = |day| T::times_of_day(rule.as_ref()?, day);
    for DayFiles { first, files: places } in in_order_of_page(files, &one_more, &times_of_day) {
        if let FirstTime::Known(time) = first
            && !best.wants(time)
        {
            break;
        }
        find_on_day::<T>(snapshot, files, &places, filter, budget, &mut best)?;
    }
    let mut candidates = best.into_sorted();
    let has_more = candidates.len() > page.limit;
    candidates.truncate(page.limit);
    let places: Vec<RowPlace> = candidates.iter().map(|candidate| candidate.place).collect();
    let rows = read_rows(snapshot, files, &places, budget)?;
    let has_more = has_more || rows.len() < candidates.len();
    let keys = candidates.into_iter().take(rows.len()).map(|candidate| candidate.key).collect();
    Ok(FoundRows { rows, keys, has_more })
}

/// Offers the wanted rows of the files of a day; `places` are those among all files.
fn find_on_day<T: BookRow>(
    snapshot: &Snapshot,
    files: &[DataFile],
    places: &[usize],
    filter: &dyn RowFilter,
    budget: &QueryBudget<'_>,
    best: &mut BestRows<'_>,
) -> Result<(), QueryError> {
    let mut groups = Vec::new();
    for place in places {
        budget.check()?;
        let file = &files[*place];
        let reader = match RowReader::open(snapshot, file) {
            // Unreferenced files in the folder of a day need not be readable.
            Err(_) if !snapshot.is_whole(file)? => continue,
            reader => reader?,
        };
        let row_groups = reader.metadata.metadata().row_groups();
        if row_groups.is_empty() && snapshot.is_whole(file)? {
            return Err(reader.damaged("it has no rows").into());
        }
        for (number, group) in row_groups.iter().enumerate() {
            if filter.may_hold(group, file.day()) {
                groups.push((key_bounds(group, T::TIMES), *place, number));
            }
        }
    }

    // Those without bounds come first: they are read in any case.
    groups.sort_by(|(one, ..), (other, ..)| match best.order() {
        RowOrder::Newest => one.as_ref().map(|one| &one.least).cmp(&other.as_ref().map(|other| &other.least)),
        RowOrder::Oldest => {
            one.as_ref().map(|one| Reverse(&one.greatest)).cmp(&other.as_ref().map(|other| Reverse(&other.greatest)))
        }
    });
    for (bounds, place, group) in groups {
        match bounds {
            Some(bounds) if best.is_past(&bounds) => break,
            Some(bounds) if best.is_before(&bounds) => continue,
            _ => {}
        }
        budget.check()?;
        if snapshot.is_group_whole(&files[place], group)? {
            RowReader::open(snapshot, &files[place])?.find::<T>(place, group, filter, budget, best)?;
        }
    }
    Ok(())
}

/// A file of events or rejects.
struct RowReader<'a> {
    snapshot: &'a Snapshot,
    file: &'a DataFile,
    metadata: ArrowReaderMetadata,
}

impl<'a> RowReader<'a> {
    fn open(snapshot: &'a Snapshot, file: &'a DataFile) -> Result<RowReader<'a>, BookError> {
        let metadata = columns::metadata(&snapshot.open(file)?);
        let metadata = metadata.map_err(|error| BookError::damaged(&file.path, error))?;
        Ok(RowReader { snapshot, file, metadata })
    }

    fn damaged(&self, what: impl ToString) -> BookError {
        BookError::damaged(&self.file.path, what)
    }

    fn batches(
        &self,
        group: usize,
        columns: &[&str],
        rows: Option<RowSelection>,
        batch: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, BookError>>, BookError> {
        let file = self.snapshot.open(self.file)?;
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

    /// Offers the wanted rows of a row group.
    fn find<T: BookRow>(
        &self,
        file: usize,
        group: usize,
        filter: &dyn RowFilter,
        budget: &QueryBudget<'_>,
        best: &mut BestRows<'_>,
    ) -> Result<(), QueryError> {
        let mut columns = vec!["topic", "partition", "offset"];
        columns.extend(T::TIMES);
        columns.extend(T::HAS_ORDINAL.then_some("ordinal"));
        columns.extend(filter.columns());
        let before = self.metadata.metadata().row_groups()[..group].iter().map(RowGroupMetaData::num_rows).sum::<i64>();
        let index = self.file.index().unwrap_or(0) as i64;
        let mut first = 0;
        let rows = if columns.contains(&"data") { self.rows_at_once(group, MOST_ROWS) } else { MOST_ROWS };
        for batch in self.batches(group, &columns, None, rows)? {
            budget.check()?;
            let batch = batch?;
            let place = RowPlace { file, group, row: first };
            let ordinal = (!T::HAS_ORDINAL).then_some((index << 32) + before + first as i64);
            let accepts = filter.accepts(&batch, self.file.day()).map_err(|what| self.damaged(what))?;
            offer_rows::<T>(&batch, place, ordinal, accepts, best).map_err(|what| self.damaged(what))?;
            first += batch.num_rows();
        }
        Ok(())
    }

    /// How many rows of a row group have about [`BYTES`] together.
    fn rows_at_once(&self, group: usize, most: usize) -> usize {
        let about = self.metadata.metadata().row_group(group);
        let each = (about.total_byte_size() / about.num_rows().max(1)).max(1);
        usize::try_from(BYTES / each).unwrap_or(1).clamp(1, most)
    }

    /// Reads some rows of a row group, given in ascending order.
    fn rows<T: BookRow>(
        &self,
        group: usize,
        rows: &[usize],
        budget: &QueryBudget<'_>,
        show: &mut dyn FnMut(T),
    ) -> Result<(), QueryError> {
        let about = self.metadata.metadata().row_group(group);
        let total = about.num_rows() as usize;
        let selection = RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..*row + 1), total);
        let batch = self.rows_at_once(group, ROWS);
        let mut shown = 0;
        for batch in self.batches(group, T::COLUMNS, Some(selection), batch)? {
            budget.check()?;
            let rows = T::read(&batch?).map_err(|what| self.damaged(what))?;
            shown += rows.len();
            rows.into_iter().for_each(&mut *show);
        }
        if shown == rows.len() { Ok(()) } else { Err(self.damaged("it has fewer rows than its footer says").into()) }
    }
}

/// Offers the wanted rows of a batch; `first_ordinal` numbers rows without ordinals.
fn offer_rows<T: BookRow>(
    batch: &RecordBatch,
    first: RowPlace,
    first_ordinal: Option<i64>,
    mut accepts: Accepts<'_>,
    best: &mut BestRows<'_>,
) -> Result<(), String> {
    let topics = Texts::of(batch, "topic")?;
    let names: Vec<Arc<str>> = topics.values().iter().map(|name| Arc::from(name.unwrap_or_default())).collect();
    let partitions = numbers::<Int32Type>(batch, "partition")?;
    let offsets = numbers::<Int64Type>(batch, "offset")?;
    let times = T::TIMES.iter().map(|name| numbers::<TimestampMicrosecondType>(batch, name));
    let times = times.collect::<Result<Vec<_>, String>>()?;
    let ordinals = match first_ordinal {
        None => Some(numbers::<Int32Type>(batch, "ordinal")?),
        Some(_) => None,
    };
    for row in 0..batch.num_rows() {
        let time = times.iter().find(|times| times.is_valid(row)).map(|times| times.value(row));
        // The cheap test first: most rows of a large book come after the worst one kept.
        if !best.wants(time) || !accepts(row) {
            continue;
        }
        let key = RowKey {
            time: Reverse(time),
            topic: Arc::clone(&names[topics.number(row)]),
            partition: partitions.value(row),
            offset: Reverse(offsets.value(row)),
            ordinal: match ordinals {
                Some(ordinals) => i64::from(ordinals.value(row)),
                None => first_ordinal.unwrap_or(0) + row as i64,
            },
        };
        best.offer(key, RowPlace { row: first.row + row, ..first });
    }
    Ok(())
}

/// Reads rows whole, as many as the budget allows.
fn read_rows<T: BookRow>(
    snapshot: &Snapshot,
    files: &[DataFile],
    found: &[RowPlace],
    budget: &QueryBudget<'_>,
) -> Result<Vec<T>, QueryError> {
    let mut by_group: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
    for (rank, place) in found.iter().enumerate() {
        by_group.entry((place.file, place.group)).or_default().push((place.row, rank));
    }
    let mut first = FirstRows { most_bytes: budget.most_bytes, bytes: 0, end: found.len(), rows: BTreeMap::new() };
    for ((file, group), mut places) in by_group {
        places.retain(|(_, rank)| *rank < first.end);
        if places.is_empty() {
            continue;
        }
        places.sort_unstable();
        let rows: Vec<usize> = places.iter().map(|(row, _)| *row).collect();
        let mut ranks = places.iter().map(|(_, rank)| *rank);
        let mut show = |row| first.offer(ranks.next().unwrap_or(usize::MAX), row);
        RowReader::open(snapshot, &files[file])?.rows(group, &rows, budget, &mut show)?;
    }
    Ok(first.rows.into_values().collect())
}

/// The first rows by rank of those offered that fit into the bytes of a budget; at least one.
struct FirstRows<T> {
    most_bytes: usize,
    bytes: usize,
    /// Rows of this rank and higher do not fit.
    end: usize,
    rows: BTreeMap<usize, T>,
}

impl<T: BookRow> FirstRows<T> {
    fn offer(&mut self, rank: usize, row: T) {
        if rank >= self.end {
            return;
        }
        self.bytes += row.bytes();
        self.rows.insert(rank, row);
        while self.bytes > self.most_bytes && self.rows.len() > 1 {
            let Some((last, row)) = self.rows.pop_last() else { return };
            self.bytes -= row.bytes();
            self.end = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl BookRow for usize {
        const COLUMNS: &'static [&'static str] = &[];
        const TIMES: &'static [&'static str] = &[];
        const HAS_ORDINAL: bool = false;

        fn times_of_day(_rule: &DayRule, _day: Day) -> Option<RangeInclusive<i64>> {
            None
        }

        fn read(_batch: &RecordBatch) -> Result<Vec<usize>, String> {
            Ok(Vec::new())
        }

        fn bytes(&self) -> usize {
            *self
        }
    }

    #[test]
    fn the_first_rows_are_kept_however_they_come() {
        let first = |offered: &[(usize, usize)]| {
            let mut first = FirstRows { most_bytes: 10, bytes: 0, end: usize::MAX, rows: BTreeMap::new() };
            offered.iter().for_each(|(rank, bytes)| first.offer(*rank, *bytes));
            (first.rows.into_keys().collect::<Vec<_>>(), first.end)
        };
        assert_eq!(first(&[(2, 4), (0, 3), (1, 3)]), (vec![0, 1, 2], usize::MAX));
        assert_eq!(first(&[(2, 5), (0, 3), (1, 3), (3, 1)]), (vec![0, 1], 2));
        // A row that is too large for itself is shown alone, and the next page begins behind it.
        assert_eq!(first(&[(1, 40), (0, 30), (2, 1)]), (vec![0], 1));
        assert_eq!(first(&[(2, 1), (1, 1), (0, 30)]), (vec![0], 1));
    }
}
