//! Sorting more rows than fit in memory: sorted runs in a temporary file, merged as they are read back.

use std::cmp::Ordering;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;

use crate::store::{SpillBuffer, SpillError, SpillReader, SpillSettings};

/// Bytes of rows and keys that are in memory before they become a run.
const RUN_BYTES: usize = 64 << 20;
/// Rows, and about the bytes, that are written and read back at once: a batch of each run is in memory while they are merged.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 256 << 10;

/// Why rows could not be sorted.
#[derive(Debug, thiserror::Error)]
pub(super) enum SortError {
    /// The temporary file failed.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Rows could not be converted or copied.
    #[error("could not sort rows: {0}")]
    Rows(#[from] ArrowError),
}

/// Rows that are being collected.
pub(super) struct RowSorter {
    keys: Keys,
    run_bytes: usize,
    /// Batches that are in no run yet, with their keys.
    batches: Vec<(RecordBatch, Rows)>,
    bytes: usize,
    spilled: SpillBuffer,
    /// By run: the positions of its batches in the temporary file.
    runs: Vec<Vec<u64>>,
}

/// How rows are compared.
struct Keys {
    converter: RowConverter,
    /// The columns, the most significant first.
    columns: &'static [&'static str],
}

impl Keys {
    fn of(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        let columns: Vec<ArrayRef> =
            self.columns.iter().filter_map(|name| batch.column_by_name(name)).map(ArrayRef::clone).collect();
        self.converter.convert_columns(&columns)
    }
}

impl RowSorter {
    /// Will sort rows like those of `first` by some of their columns, the most significant first. Rows that are equal keep their order.
    ///
    /// # Errors
    /// [`SortError::Rows`] for a column that cannot be compared, or is not there.
    pub(super) fn new(
        first: &RecordBatch,
        columns: &'static [&'static str],
        settings: SpillSettings,
    ) -> Result<RowSorter, SortError> {
        let schema = first.schema();
        let fields = columns.iter().map(|name| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone())));
        let converter = RowConverter::new(fields.collect::<Result<Vec<_>, ArrowError>>()?)?;
        Ok(RowSorter {
            keys: Keys { converter, columns },
            run_bytes: RUN_BYTES,
            batches: Vec::new(),
            bytes: 0,
            spilled: SpillBuffer::new(settings),
            runs: Vec::new(),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`SortError`].
    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<(), SortError> {
        let keys = self.keys.of(&batch)?;
        self.bytes += size(&batch) + keys.size();
        self.batches.push((batch, keys));
        if self.bytes >= self.run_bytes { self.end_run() } else { Ok(()) }
    }

    /// Ends the adding.
    ///
    /// # Errors
    /// [`SortError`].
    pub(super) fn finish(mut self) -> Result<SortedRows, SortError> {
        self.end_run()?;
        let mut spilled = self.spilled.finish()?;
        let mut cursors = Vec::new();
        for positions in self.runs {
            let cursor = Cursor::open(&self.keys, &mut spilled, positions)?;
            cursors.extend(cursor);
        }
        let mut rows = SortedRows { keys: self.keys, spilled, order: (0..cursors.len()).collect(), cursors };
        (0..rows.order.len()).rev().for_each(|place| rows.sift_down(place));
        Ok(rows)
    }

    /// Sorts what is in memory, and writes it.
    fn end_run(&mut self) -> Result<(), SortError> {
        let batches = std::mem::take(&mut self.batches);
        self.bytes = 0;
        if batches.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<(usize, usize)> = Vec::new();
        for (number, (batch, _)) in batches.iter().enumerate() {
            rows.extend((0..batch.num_rows()).map(|row| (number, row)));
        }
        let key = |(batch, row): (usize, usize)| batches[batch].1.row(row);
        rows.sort_by(|one, other| key(*one).cmp(&key(*other)));
        let sources: Vec<&RecordBatch> = batches.iter().map(|(batch, _)| batch).collect();
        let mut positions = Vec::new();
        for rows in rows.chunks(rows_at_once(&sources)) {
            let sorted = interleave_record_batch(&sources, rows)?;
            let mut stream = StreamWriter::try_new(Vec::new(), &sorted.schema())?;
            stream.write(&sorted)?;
            positions.push(self.spilled.append(&[&stream.into_inner()?])?);
        }
        self.runs.push(positions);
        Ok(())
    }
}

/// How many rows of these batches have about [`BATCH_BYTES`].
fn rows_at_once(batches: &[&RecordBatch]) -> usize {
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    let bytes: usize = batches.iter().map(|batch| size(batch)).sum();
    (BATCH_BYTES / (bytes / rows.max(1)).max(1)).clamp(1, BATCH_ROWS)
}

/// Bytes of the rows alone: arrays that were read together share a buffer, which may be many times as large.
fn size(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
    columns.sum()
}

/// Rows in their order.
pub(super) struct SortedRows {
    keys: Keys,
    spilled: SpillReader,
    cursors: Vec<Cursor>,
    /// A heap of cursors, the one with the least row first.
    order: Vec<usize>,
}

/// The place in one run.
struct Cursor {
    /// The batches that are still to be read, the last one first.
    positions: Vec<u64>,
    batch: RecordBatch,
    rows: Rows,
    row: usize,
}

impl Cursor {
    fn open(keys: &Keys, spilled: &mut SpillReader, mut positions: Vec<u64>) -> Result<Option<Cursor>, SortError> {
        positions.reverse();
        let Some(first) = positions.pop() else { return Ok(None) };
        let (batch, rows) = read(keys, spilled, first)?;
        Ok(Some(Cursor { positions, batch, rows, row: 0 }))
    }
}

fn read(keys: &Keys, spilled: &mut SpillReader, position: u64) -> Result<(RecordBatch, Rows), SortError> {
    let mut stream = StreamReader::try_new(spilled.record_at(position)?, None)?;
    let batch = stream.next().ok_or_else(|| ArrowError::IpcError("a batch is missing".to_owned()))??;
    let rows = keys.of(&batch)?;
    Ok((batch, rows))
}

impl SortedRows {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// [`SortError`].
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, SortError> {
        // The batches that rows are taken of: the present one of each cursor, and those that ended meanwhile.
        let mut sources: Vec<RecordBatch> = self.cursors.iter().map(|cursor| cursor.batch.clone()).collect();
        let most = rows_at_once(&sources.iter().collect::<Vec<_>>());
        let mut present: Vec<usize> = (0..sources.len()).collect();
        let mut rows: Vec<(usize, usize)> = Vec::new();
        while rows.len() < most
            && let Some(least) = self.order.first().copied()
        {
            let cursor = &mut self.cursors[least];
            rows.push((present[least], cursor.row));
            cursor.row += 1;
            if cursor.row == cursor.batch.num_rows() {
                match cursor.positions.pop() {
                    Some(position) => {
                        (cursor.batch, cursor.rows) = read(&self.keys, &mut self.spilled, position)?;
                        cursor.row = 0;
                        present[least] = sources.len();
                        sources.push(cursor.batch.clone());
                    }
                    None => drop(self.order.swap_remove(0)),
                }
            }
            self.sift_down(0);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(interleave_record_batch(&sources.iter().collect::<Vec<_>>(), &rows)?))
    }

    /// Moves the cursor at a place of the heap down until no lesser one is below it.
    fn sift_down(&mut self, mut place: usize) {
        loop {
            let below = [2 * place + 1, 2 * place + 2].into_iter().filter(|below| *below < self.order.len());
            let least = below.min_by(|one, other| self.compare(*one, *other));
            match least.filter(|least| self.compare(*least, place) == Ordering::Less) {
                Some(least) => {
                    self.order.swap(place, least);
                    place = least;
                }
                None => return,
            }
        }
    }

    /// Compares the rows at two places of the heap; of equal ones the earlier run's is less.
    fn compare(&self, one: usize, other: usize) -> Ordering {
        let (one, other) = (self.order[one], self.order[other]);
        let (first, second) = (&self.cursors[one], &self.cursors[other]);
        first.rows.row(first.row).cmp(&second.rows.row(second.row)).then(one.cmp(&other))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Int64Array, StringArray};

    use super::*;

    fn batch(rows: &[(i64, usize)]) -> RecordBatch {
        let keys: Int64Array = rows.iter().map(|(key, _)| Some(*key)).collect();
        let texts: StringArray = rows.iter().map(|(_, number)| Some(number.to_string())).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![("key", Arc::new(keys)), ("text", Arc::new(texts))];
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    #[test]
    fn rows_are_sorted_whatever_fits_in_memory_and_equal_ones_keep_their_order() {
        let mut state = 7u64;
        let rows: Vec<(i64, usize)> = (0..20_000)
            .map(|number| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 53) as i64, number)
            })
            .collect();
        let mut expected = rows.clone();
        expected.sort();
        for run_bytes in [1, 40_000, usize::MAX] {
            let settings = SpillSettings { memory: 0, ..SpillSettings::default() };
            let mut sorter = RowSorter::new(&batch(&rows[..1]), &["key"], settings).expect("a sorter");
            sorter.run_bytes = run_bytes;
            rows.chunks(317).for_each(|some| sorter.push(batch(some)).expect("there is room"));
            let mut sorted = sorter.finish().expect("there is room");
            let mut seen = Vec::new();
            while let Some(batch) = sorted.next_batch().expect("what was written can be read") {
                let keys = batch.column(0).as_primitive::<Int64Type>().values().iter();
                let numbers =
                    batch.column(1).as_string::<i32>().iter().map(|text| text.and_then(|text| text.parse().ok()));
                seen.extend(keys.copied().zip(numbers.map(|number| number.expect("a number"))));
            }
            assert!(seen == expected, "with {run_bytes} bytes of memory");
        }
    }
}
