//! The rows of views as text.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use crate::query::print::{FieldValue, Row, RowStyle};

/// Calls `write` with a function that appends the values of a row.
pub(super) fn with_rows<T>(rows: &RecordBatch, write: impl FnOnce(&Row<'_>) -> io::Result<T>) -> io::Result<T> {
    let options = FormatOptions::default();
    let printed: Vec<ArrayRef> = rows.columns().iter().map(without_zone).collect();
    let columns: Vec<(ArrayFormatter<'_>, &dyn Array)> = printed
        .iter()
        .zip(rows.columns())
        .map(|(printed, column)| Ok((ArrayFormatter::try_new(printed, &options)?, column.as_ref())))
        .collect::<Result<_, arrow_schema::ArrowError>>()
        .map_err(io::Error::other)?;
    write(&|row, values| values.extend(columns.iter().map(|(formatter, column)| value(formatter, *column, row))))
}

/// Instants as times of UTC: the formatter knows no names of zones.
fn without_zone(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone_opt(None::<&str>)),
        None => Arc::clone(column),
    }
}

/// A column's name as a field of CSV.
pub(super) fn csv_name(name: &str) -> Cow<'_, str> {
    match name.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")).into(),
        false => name.into(),
    }
}

/// A column's name inside the quotes of JSON.
pub(super) fn json_name(name: &str) -> Cow<'_, str> {
    let quoted = serde_json::to_string(name).unwrap_or_default();
    quoted[1..quoted.len().max(2) - 1].to_owned().into()
}

fn value(formatter: &ArrayFormatter<'_>, column: &dyn Array, row: usize) -> FieldValue<'static> {
    if column.is_null(row) {
        return FieldValue::Null;
    }
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return FieldValue::Number(numbers.value(row));
    }
    let text = formatter.value(row).to_string();
    match column.data_type() {
        DataType::Decimal128(..) | DataType::Boolean => FieldValue::Exact(text),
        // JSON has no other numbers.
        DataType::Float64 if text.parse::<f64>().is_ok_and(f64::is_finite) => FieldValue::Exact(text),
        DataType::Timestamp(_, Some(_)) => FieldValue::Text(format!("{text}Z").into()),
        _ => FieldValue::Text(text.into()),
    }
}

/// Appends rows as JSON objects, with commas between them.
pub(super) fn append_json(rows: &RecordBatch, is_first: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let schema = rows.schema();
    let names: Vec<Cow<'_, str>> = schema.fields().iter().map(|field| json_name(field.name())).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    with_rows(rows, |row| {
        let mut values = Vec::with_capacity(names.len());
        for number in 0..rows.num_rows() {
            values.clear();
            row(number, &mut values);
            RowStyle::Json.row(&names, &values, is_first && number == 0, out);
        }
        Ok(())
    })
}
