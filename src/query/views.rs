//! The rows of a view.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use super::print::{AnswerHead, FieldValue, Format, print};
use super::{Filter, QueryError, RejectCount};
use crate::book::{BookError, CompleteTo, Snapshot};
use crate::sql::Order;

/// How often a view is read again whose files a run has replaced since the snapshot.
const ATTEMPTS: usize = 10;

/// The rows of a view, complete to one commit.
#[derive(Clone, Debug)]
pub struct ViewAnswer {
    /// The commit that they are complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The rejects of the book.
    pub rejects: RejectCount,
    /// The rows.
    pub rows: RecordBatch,
}

/// Reads a view in the order that is asked for, else in that of its group columns; at most `limit` rows.
///
/// # Errors
/// [`QueryError::NoView`] and [`QueryError::NoColumn`] name what there is; [`QueryError::Read`].
pub fn view(book: &Path, name: &str, order: &[Order], limit: Option<usize>) -> Result<ViewAnswer, QueryError> {
    let mut attempt = 0;
    loop {
        let snapshot = Snapshot::take(book)?;
        match read(&snapshot, name, order, limit) {
            // A run may have replaced a file since: its entry is newer than the snapshot.
            Err(QueryError::Read(BookError::Damaged { .. }))
                if attempt < ATTEMPTS && Snapshot::take(book)?.state().entries > snapshot.state().entries =>
            {
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

fn read(snapshot: &Snapshot, name: &str, order: &[Order], limit: Option<usize>) -> Result<ViewAnswer, QueryError> {
    let no_view = || QueryError::NoView {
        name: name.to_owned(),
        known: snapshot.state().views.keys().cloned().collect::<Vec<_>>().join(", "),
    };
    let (schema, batches) = snapshot.view_rows(name)?.ok_or_else(no_view)?;
    let damaged = |error: arrow_schema::ArrowError| BookError::damaged(name, error);
    let rows = concat_batches(&schema, &batches).map_err(damaged)?;
    let rows = sorted(&rows, order, limit)?;
    Ok(ViewAnswer {
        complete_to: snapshot.complete_to(),
        time_zone: snapshot.time_zone().to_owned(),
        rejects: RejectCount::new(&snapshot.reject_days()?, &Filter::default()),
        rows,
    })
}

fn sorted(rows: &RecordBatch, order: &[Order], limit: Option<usize>) -> Result<RecordBatch, QueryError> {
    if order.is_empty() {
        return Ok(rows.slice(0, limit.unwrap_or(usize::MAX).min(rows.num_rows())));
    }
    let column = |order: &Order| {
        let values = rows.column_by_name(&order.column).cloned().ok_or_else(|| QueryError::NoColumn {
            name: order.column.clone(),
            known: rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(", "),
        })?;
        // As PostgreSQL: NULL is greater than any value.
        let options = SortOptions { descending: order.is_descending, nulls_first: order.is_descending };
        Ok(SortColumn { values, options: Some(options) })
    };
    let columns = order.iter().map(column).collect::<Result<Vec<_>, QueryError>>()?;
    let damaged = |error: arrow_schema::ArrowError| QueryError::Read(BookError::damaged("a view", error));
    let places = lexsort_to_indices(&columns, limit).map_err(damaged)?;
    take_record_batch(rows, &places).map_err(damaged)
}

impl ViewAnswer {
    /// Writes the answer.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let ViewAnswer { complete_to, time_zone, rejects, rows } = self;
        let head = AnswerHead { complete_to, time_zone, rejects: *rejects, bad_values: None, next: None };
        let schema = rows.schema();
        let names: Vec<String> = schema.fields().iter().map(|field| escaped(field.name(), format)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let options = FormatOptions::default();
        let printed: Vec<ArrayRef> = rows.columns().iter().map(without_zone).collect();
        let columns: Vec<(ArrayFormatter<'_>, &dyn Array)> = printed
            .iter()
            .zip(rows.columns())
            .map(|(printed, column)| Ok((ArrayFormatter::try_new(printed, &options)?, column.as_ref())))
            .collect::<Result<_, arrow_schema::ArrowError>>()
            .map_err(io::Error::other)?;
        print(format, out, head, &names, rows.num_rows(), &|row, values| {
            values.extend(columns.iter().map(|(formatter, column)| value(formatter, *column, row)));
        })
    }
}

/// Instants as times of UTC: the formatter knows no names of zones.
fn without_zone(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone_opt(None::<&str>)),
        None => Arc::clone(column),
    }
}

/// A column's name inside the quotes of JSON, or as a field of CSV.
fn escaped(name: &str, format: Format) -> String {
    match format {
        Format::Table => crate::book::printable(name).into_owned(),
        Format::Json => {
            let quoted = serde_json::to_string(name).unwrap_or_default();
            quoted[1..quoted.len().max(2) - 1].to_owned()
        }
        Format::Csv if name.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", name.replace('"', "\"\"")),
        Format::Csv => name.to_owned(),
    }
}

fn value(formatter: &ArrayFormatter<'_>, column: &dyn Array, row: usize) -> FieldValue<'static> {
    if column.is_null(row) {
        return FieldValue::Null;
    }
    let text = formatter.value(row).to_string();
    match column.data_type() {
        DataType::Int64 => text.parse().map_or(FieldValue::Null, FieldValue::Number),
        DataType::Decimal128(..) => FieldValue::Exact(text),
        // JSON has no such numbers.
        DataType::Float64 if text.parse::<f64>().is_ok_and(f64::is_finite) => FieldValue::Exact(text),
        DataType::Boolean => FieldValue::Exact(text),
        DataType::Timestamp(_, Some(_)) => FieldValue::Text(format!("{text}Z").into()),
        _ => FieldValue::Text(text.into()),
    }
}
