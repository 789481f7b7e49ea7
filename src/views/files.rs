//! The files of a view: its rows for people, and what they follow from for the next run.
//!
//! | file | holds |
//! |---|---|
//! | `views/NAME[/day=…]/view.parquet` | the rows, in the order of their group columns |
//! | `_walbook/views/NAME[/day=…]/state.parquet` | the group columns, and a column for each accumulator |
//! | `_walbook/views/NAME[/day=…]/values-N.parquet` | the group columns and `value`: the values that accumulator N counts |
//!
//! Accumulators are typed columns where they hold a value; sums are bytes, since they may be wider than any type.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_row::Row;
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use super::contents::ViewContents;
use super::pieces::{MOST_GROUP_BYTES, group_pieces, pieces};
use super::results::extremes;
use super::view::{Measure, Slot, View};
use crate::change::{Accumulator, Accumulators, ExactSum, GroupKey, GroupValue, WideSum};
use crate::control::catch_panic;
use crate::store::compression;
use crate::store::layout::ViewFileKind;

impl View {
    /// The files of one of its days, or of all of it: each kind, its bytes and the number of its rows.
    ///
    /// # Errors
    /// For contents that are not of this view.
    pub fn encode(&self, contents: &ViewContents) -> Result<Vec<(ViewFileKind, Vec<u8>, usize)>, String> {
        self.encode_by(contents, MOST_GROUP_BYTES)
    }

    /// The same with row groups of about this many bytes.
    pub(super) fn encode_by(
        &self,
        contents: &ViewContents,
        most: usize,
    ) -> Result<Vec<(ViewFileKind, Vec<u8>, usize)>, String> {
        let groups: Vec<(&GroupKey, &Accumulators)> = contents.groups.iter().collect();
        let stretches = || group_pieces(&groups, most).map(|stretch| &groups[stretch]);
        let rows = parquet(stretches().map(|groups| self.rows_of(groups)))?;
        let state = parquet(stretches().map(|groups| self.state(groups)))?;
        let mut files = vec![(ViewFileKind::Rows, rows, groups.len()), (ViewFileKind::State, state, groups.len())];
        for place in self.distinct_slots() {
            let values: Vec<&GroupValue> =
                contents.values.iter().filter(|value| usize::from(value.accumulator) == place).collect();
            let size = |row: usize| values[row].group.values().len() + values[row].value.as_slice().len();
            let stretches = pieces(values.len(), most, size).map(|stretch| self.values(&values[stretch], place));
            files.push((ViewFileKind::Values(place as u16), parquet(stretches)?, values.len()));
        }
        Ok(files)
    }

    /// The contents that follow from the files of state and values.
    ///
    /// # Errors
    /// For anything but what [`View::encode`] writes.
    pub fn decode(&self, state: Bytes, values: &[(u16, Bytes)]) -> Result<ViewContents, String> {
        let mut groups = self.decode_groups(state)?;
        // Their values are counted below.
        let distinct: Vec<usize> = self.distinct_slots().collect();
        groups.values_mut().for_each(|holds| holds.clear(&distinct));
        let mut contents = ViewContents { groups, ..ViewContents::default() };
        for (place, bytes) in values {
            let slot = self.slots.get(usize::from(*place)).ok_or("values of an aggregate that is not there")?;
            let converter = slot.converter.as_ref().ok_or("values of an aggregate that has none")?;
            for batch in batches(bytes.clone())? {
                let batch = batch?;
                let keys = self.keys_of(&batch)?;
                let packed = converter
                    .convert_columns(&[restored(column(&batch, "value")?, slot.kind().data_type())?])
                    .map_err(|error| error.to_string())?;
                let value = |(group, value): (GroupKey, Row)| GroupValue {
                    group,
                    accumulator: *place,
                    value: value.data().into(),
                };
                contents.add_values(keys.into_iter().zip(&packed).map(value));
            }
        }
        Ok(contents)
    }

    /// The groups of a file of state, with the counts of distinct values that it has.
    ///
    /// # Errors
    /// As [`View::decode`].
    pub fn decode_groups(&self, state: Bytes) -> Result<BTreeMap<GroupKey, Accumulators>, String> {
        let mut groups = Vec::new();
        for batch in batches(state)? {
            let batch = batch?;
            let keys = self.keys_of(&batch)?;
            let slot_values = |(place, slot)| slot_values(slot, column(&batch, &format!("accumulator_{place}"))?);
            let values: Vec<Vec<Accumulator>> =
                self.slots.iter().enumerate().map(slot_values).collect::<Result<_, _>>()?;
            let accumulators = (0..batch.num_rows()).map(|row| Accumulators::new(values.iter().map(|slot| &slot[row])));
            groups.extend(keys.into_iter().zip(accumulators));
        }
        // They are sorted, from which a map is built faster than by inserting.
        Ok(groups.into_iter().collect())
    }

    /// Rows of a file of rows, in the types of the view.
    ///
    /// # Errors
    /// For anything but what [`View::encode`] writes.
    pub(crate) fn restored(&self, rows: &RecordBatch) -> Result<RecordBatch, String> {
        let schema = self.schema();
        let columns =
            schema.fields().iter().map(|field| restored(column(rows, field.name())?, field.data_type().clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let columns = columns.collect::<Result<Vec<_>, String>>()?;
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| error.to_string())
    }

    fn state(&self, groups: &[(&GroupKey, &Accumulators)]) -> Result<RecordBatch, String> {
        let mut columns = self.key_fields(groups.iter().map(|(key, _)| *key))?;
        // Also those that count distinct values: a file without any column has no rows.
        for (place, slot) in self.slots.iter().enumerate() {
            let values = groups.iter().map(|(_, all)| all.get(place));
            columns.push((format!("accumulator_{place}"), slot_column(slot, values)?));
        }
        record_batch(columns, groups.len())
    }

    fn values(&self, values: &[&GroupValue], place: usize) -> Result<RecordBatch, String> {
        let mut columns = self.key_fields(values.iter().map(|value| &value.group))?;
        let packed = values.iter().map(|value| Accumulator::Least(value.value.as_slice().into()));
        columns.push(("value".to_owned(), extremes(&self.slots[place], packed)?));
        record_batch(columns, values.len())
    }

    fn key_fields<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k GroupKey>,
    ) -> Result<Vec<(String, ArrayRef)>, String> {
        let columns = self.group_columns(keys)?.into_iter().enumerate();
        Ok(columns.map(|(place, column)| (format!("group_{place}"), column)).collect())
    }

    /// The keys of the rows of a file.
    fn keys_of(&self, batch: &RecordBatch) -> Result<Vec<GroupKey>, String> {
        let Some(converter) = &self.keys else {
            return Ok(vec![GroupKey::new(self.number, &[]); batch.num_rows()]);
        };
        let columns = self.plan.groups.iter().enumerate().map(|(place, group)| {
            restored(column(batch, &format!("group_{place}"))?, group.expression.kind().data_type())
        });
        let columns = columns.collect::<Result<Vec<_>, String>>()?;
        let rows = converter.convert_columns(&columns).map_err(|error| error.to_string())?;
        Ok(rows.iter().map(|row| GroupKey::new(self.number, row.data())).collect())
    }
}

/// The values of an accumulator as a column.
fn slot_column<'a>(slot: &Slot, values: impl ExactSizeIterator<Item = Accumulator<'a>>) -> Result<ArrayRef, String> {
    Ok(match slot.measure {
        Measure::Count | Measure::Distinct => Arc::new(Int64Array::from_iter_values(values.map(|value| value.count()))),
        Measure::Sum | Measure::DoubleSum => {
            let mut bytes = BinaryBuilder::new();
            for value in values {
                match value {
                    Accumulator::DoubleSum(sum) => bytes.append_value(sum.to_bytes()),
                    value => bytes.append_option(value.as_sum().map(WideSum::to_bytes)),
                }
            }
            Arc::new(bytes.finish())
        }
        Measure::Least | Measure::Greatest => extremes(slot, values)?,
    })
}

/// The accumulators of a column.
fn slot_values(slot: &Slot, column: &ArrayRef) -> Result<Vec<Accumulator<'static>>, String> {
    let wrong = || "a column of accumulators has another type".to_owned();
    let valid = |row: usize| column.is_valid(row);
    match slot.measure {
        Measure::Count | Measure::Distinct => {
            let counts = column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            let count = |count: i64| if count == 0 { Accumulator::Empty } else { Accumulator::Count(count) };
            Ok(counts.values().iter().map(|number| count(*number)).collect())
        }
        Measure::Sum | Measure::DoubleSum => {
            let bytes = column.as_binary_opt::<i32>().ok_or_else(wrong)?;
            let value = |bytes: &[u8]| match slot.measure {
                Measure::Sum => WideSum::from_bytes(bytes).map(Accumulator::sum),
                _ => ExactSum::from_bytes(bytes).map(|sum| Accumulator::DoubleSum(Box::new(sum))),
            };
            let rows = (0..column.len()).map(|row| match valid(row) {
                true => value(bytes.value(row)).ok_or_else(|| "a sum that is none".to_owned()),
                false => Ok(Accumulator::Empty),
            });
            rows.collect()
        }
        Measure::Least | Measure::Greatest => {
            let converter = slot.converter.as_ref().ok_or_else(wrong)?;
            let values = restored(column, slot.kind().data_type())?;
            let rows = converter.convert_columns(&[values]).map_err(|error| error.to_string())?;
            let value = |row: usize| {
                let value = rows.row(row).data().to_vec().into();
                match (valid(row), slot.measure) {
                    (false, _) => Accumulator::Empty,
                    (true, Measure::Least) => Accumulator::Least(value),
                    (true, _) => Accumulator::Greatest(value),
                }
            };
            Ok((0..column.len()).map(value).collect())
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
}

/// A column of a file in the type that was written: a file without Arrow's schema has Parquet's own types.
fn restored(column: &ArrayRef, kind: DataType) -> Result<ArrayRef, String> {
    if *column.data_type() == kind {
        return Ok(Arc::clone(column));
    }
    arrow_cast::cast(column, &kind).map_err(|error| error.to_string())
}

fn record_batch(columns: Vec<(String, ArrayRef)>, rows: usize) -> Result<RecordBatch, String> {
    let field = |(name, column): &(String, ArrayRef)| Field::new(name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options).map_err(|error| error.to_string())
}

/// The bytes of a file with a row group for each batch; there is at least one.
fn parquet(mut batches: impl Iterator<Item = Result<RecordBatch, String>>) -> Result<Vec<u8>, String> {
    let first = batches.next().ok_or("a file without a batch")??;
    let properties = WriterProperties::builder()
        .set_compression(compression::for_rows(first.num_rows()))
        .set_created_by(concat!("walbook version ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), first.schema(), options)
        .expect("each type of a view is one of Parquet's");
    writer.write(&first).expect("memory takes all bytes");
    for batch in batches {
        writer.flush().expect("memory takes all bytes");
        writer.write(&batch?).expect("memory takes all bytes");
    }
    Ok(writer.into_inner().expect("memory takes all bytes"))
}

/// The batches of a file whose bytes were compared with the log. None has rows of two row groups, whose texts would be too large.
pub(crate) fn batches(bytes: Bytes) -> Result<impl Iterator<Item = Result<RecordBatch, String>>, String> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = catch_panic(|| ArrowReaderMetadata::load(&bytes, options));
    let metadata = metadata.map_err(|panic| format!("the decoder panicked: {panic}"))?;
    let metadata = metadata.map_err(|error| error.to_string())?;
    let mut readers = Vec::new();
    for group in 0..metadata.metadata().num_row_groups() {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
        readers.push(builder.with_row_groups(vec![group]).build().map_err(|error| error.to_string())?);
    }
    Ok(readers.into_iter().flatten().map(|batch| batch.map_err(|error| error.to_string())))
}
