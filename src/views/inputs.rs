//! Rows of events as the columns that expressions read.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Date32Array, RecordBatch, UInt32Array};
use arrow_cast::cast;
use arrow_schema::DataType;
use arrow_select::take::take;

use crate::change::Day;
use crate::parse::NamedColumns;
use crate::sql::{EventColumn, InputColumns};

/// The day of each row.
pub(crate) type DayOfRow<'a> = &'a dyn Fn(usize) -> Option<Day>;

/// Some rows of a batch of events, as an expression with these columns needs them.
pub(crate) fn event_inputs(
    columns: &InputColumns,
    batch: &RecordBatch,
    rows: &UInt32Array,
    day: DayOfRow<'_>,
) -> Result<Vec<ArrayRef>, String> {
    let mut inputs: Vec<Option<ArrayRef>> = vec![None; columns.as_slice().len()];
    for (place, column) in columns.event_columns() {
        inputs[place] = Some(event_column(batch, column, rows, day)?);
    }
    let (places, wanted): (Vec<usize>, Vec<_>) =
        columns.row_columns().map(|(place, side, name)| (place, (side, name))).unzip();
    if !places.is_empty() {
        let data = column(batch, "data")?.as_string_opt::<i32>().ok_or("its column data has another type")?;
        let mut values = NamedColumns::new(wanted);
        rows.values().iter().for_each(|row| values.push(data.value(*row as usize)));
        places.into_iter().zip(values.finish()).for_each(|(place, values)| inputs[place] = Some(values));
    }
    Ok(inputs.into_iter().flatten().collect())
}

/// Some rows of a column of events, stored as expressions expect it.
pub(super) fn event_column(
    batch: &RecordBatch,
    event_column: EventColumn,
    rows: &UInt32Array,
    day: DayOfRow<'_>,
) -> Result<ArrayRef, String> {
    let name = event_column.name();
    let other_type = || format!("its column {name} has another type");
    let some = |values: &dyn Array| take(values, rows, None).map_err(|error| error.to_string());
    match event_column {
        EventColumn::Day => {
            let days = rows.values().iter().map(|row| day(*row as usize).map(Day::days));
            Ok(Arc::new(days.collect::<Date32Array>()))
        }
        EventColumn::Schema | EventColumn::Table | EventColumn::Op | EventColumn::Topic => {
            cast(&some(column(batch, name)?)?, &DataType::Utf8).map_err(|error| error.to_string())
        }
        EventColumn::Partition => {
            let partitions = column(batch, name)?.as_primitive_opt::<Int32Type>().ok_or_else(other_type)?;
            some(&partitions.unary::<_, Int64Type>(i64::from))
        }
        EventColumn::Offset | EventColumn::Lsn | EventColumn::CommitLsn | EventColumn::Xid => {
            some(column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or_else(other_type)?)
        }
        EventColumn::KafkaTime | EventColumn::CommitTime => {
            let times = column(batch, name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(other_type)?;
            some(&times.clone().with_timezone("UTC"))
        }
    }
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
}
