//! The rows of a view at a commit.

use std::borrow::Cow;
use std::io::{self, Write};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;

use super::columns::ViewColumn;
use super::rows_text::{csv_name, json_name, with_rows};
use crate::book::{BookError, CompleteTo, Snapshot, printable};
use crate::query::print::{AnswerHead, Format, print};
use crate::query::{Filter, QueryError, RejectCount};
use crate::sql::{self, BadValues, Batch, Order};
use crate::store::BookStore;
use crate::views::View;

/// How often a view is read again whose files a run has replaced since the snapshot.
const ATTEMPTS: usize = 10;

/// Which rows of a view, in which order.
#[derive(Clone, Debug, Default)]
pub struct ViewQuery {
    /// The days, in a view that has a folder for each; the filter has nothing else.
    pub days: Filter,
    /// What must be true of a row: SQL over the view's columns.
    pub condition: Option<String>,
    /// The columns to order by; without any rows come by day, where the view has days, and then by group columns.
    pub order: Vec<Order>,
    /// The most rows.
    pub limit: Option<usize>,
}

impl ViewQuery {
    /// Refuses a range of days that is none, or of a view that has no days.
    pub(super) fn check(&self, view: &View) -> Result<(), QueryError> {
        self.days.check()?;
        match (self.days.from.or(self.days.to), view.plan().day_group()) {
            (Some(_), None) => Err(QueryError::NoViewDays { view: view.name().to_owned() }),
            _ => Ok(()),
        }
    }

    /// Those of all rows that are asked for.
    pub(super) fn select(&self, view: &View, rows: &RecordBatch) -> Result<SelectedRows, QueryError> {
        let Some(condition) = &self.condition else {
            return Ok(SelectedRows { rows: sorted(rows, &self.order, self.limit)?, bad_values: None });
        };
        let filter = sql::Filter::parse_for_view(condition, &view.stored_columns())?;
        let column = |name: &str| rows.column_by_name(name).cloned();
        let inputs: Option<Vec<ArrayRef>> = filter.columns().view_columns().map(column).collect();
        let inputs = inputs.ok_or_else(|| BookError::damaged(view.name(), "it lacks a column of its declaration"))?;
        let batch = Batch { rows: rows.num_rows(), columns: &inputs, time_zone: view.time_zone() };
        let mut bad_values = BadValues::default();
        let accepted = filter.accepts(&batch, &mut bad_values);
        let damaged = |error: arrow_schema::ArrowError| BookError::damaged(view.name(), error);
        let rows = filter_record_batch(rows, &accepted).map_err(damaged)?;
        Ok(SelectedRows { rows: sorted(&rows, &self.order, self.limit)?, bad_values: Some(bad_values) })
    }
}

/// The rows that are asked for.
#[derive(Clone, Debug)]
pub struct SelectedRows {
    /// The rows.
    pub rows: RecordBatch,
    /// With a condition: the values that it could not compute.
    pub bad_values: Option<BadValues>,
}

/// The rows of a view, complete to one commit or closed epoch.
#[derive(Clone, Debug)]
pub struct ViewAnswer {
    /// What they are complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of the book's days.
    pub time_zone: String,
    /// The rejects of the days.
    pub rejects: RejectCount,
    /// The columns.
    pub columns: Vec<ViewColumn>,
    /// The rows.
    pub rows: RecordBatch,
    /// With a condition: the values that it could not compute.
    pub bad_values: Option<BadValues>,
}

/// Reads a view.
///
/// # Errors
/// [`QueryError::NoView`], [`QueryError::NoColumn`] and [`QueryError::NoViewDays`] name what there is; [`QueryError::Read`].
pub fn view(book: impl Into<BookStore>, name: &str, query: &ViewQuery) -> Result<ViewAnswer, QueryError> {
    let book = book.into();
    let mut attempt = 0;
    loop {
        let snapshot = Snapshot::take(&book)?;
        match read(&snapshot, name, query) {
            // A run may have replaced a file since: its entry is newer than the snapshot.
            Err(QueryError::Read(BookError::Damaged { .. }))
                if attempt < ATTEMPTS && Snapshot::take(&book)?.state().entries > snapshot.state().entries =>
            {
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

fn read(snapshot: &Snapshot, name: &str, query: &ViewQuery) -> Result<ViewAnswer, QueryError> {
    let view = snapshot.view(name)?.ok_or_else(|| QueryError::NoView {
        name: name.to_owned(),
        known: snapshot.state().views.keys().cloned().collect::<Vec<_>>().join(", "),
    })?;
    query.check(&view)?;
    let batches = snapshot.view_rows(&view, &|day| day.is_none_or(|day| query.days.has_day(day)))?;
    let damaged = |error: arrow_schema::ArrowError| BookError::damaged(name, error);
    let rows = concat_batches(&view.schema(), &batches).map_err(damaged)?;
    let SelectedRows { rows, bad_values } = query.select(&view, &rows)?;
    Ok(ViewAnswer {
        complete_to: snapshot.complete_to(),
        time_zone: snapshot.time_zone().to_owned(),
        rejects: RejectCount::new(&snapshot.reject_days()?, &query.days),
        columns: ViewColumn::of(&view),
        rows,
        bad_values,
    })
}

/// Rows in an order; the first ones, up to a limit.
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
        let ViewAnswer { complete_to, time_zone, rejects, columns, rows, bad_values } = self;
        let columns = Some(columns.as_slice());
        let (rejects, bad_values) = (*rejects, bad_values.as_ref());
        let head = AnswerHead { complete_to, time_zone, rejects, bad_values, next: None, columns };
        let schema = rows.schema();
        let names = schema.fields().iter().map(|field| match format {
            Format::Table => printable(field.name()),
            Format::Json => json_name(field.name()),
            Format::Csv => csv_name(field.name()),
        });
        let names: Vec<Cow<'_, str>> = names.collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        with_rows(rows, |row| print(format, out, head, &names, rows.num_rows(), row))
    }

    /// The bytes of an Arrow IPC stream of the rows.
    pub fn arrow(&self) -> Vec<u8> {
        let mut writer =
            StreamWriter::try_new(Vec::new(), &self.rows.schema()).expect("columns of a view can be a stream");
        writer.write(&self.rows).expect("memory takes all bytes");
        writer.into_inner().expect("memory takes all bytes")
    }
}
