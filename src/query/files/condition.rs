//! A condition in SQL on the rows of events.

use std::cell::RefCell;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use chrono_tz::Tz;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::pruning::{column as group_column, text_bounds};
use super::row_filter::{Accepts, RowFilter};
use crate::change::Day;
use crate::query::Filter;
use crate::sql::{self, BadValues, Batch, ColumnRange, EventColumn, RangeValue};
use crate::views::event_inputs;

/// A filter of changes with a condition: rows that the filter accepts are judged by the condition, a batch at once.
pub(in crate::query) struct Condition<'a> {
    changes: &'a Filter,
    condition: &'a sql::Filter,
    time_zone: Tz,
    bad_values: RefCell<BadValues>,
}

impl<'a> Condition<'a> {
    /// `time_zone` is the book's, by its IANA name.
    pub(in crate::query) fn new(changes: &'a Filter, condition: &'a sql::Filter, time_zone: &str) -> Condition<'a> {
        // A book is made with a zone of this list only.
        let time_zone = time_zone.parse().unwrap_or(Tz::UTC);
        Condition { changes, condition, time_zone, bad_values: RefCell::default() }
    }

    /// Whether changes of a day may be accepted.
    pub(in crate::query) fn may_hold_day(&self, day: Day) -> bool {
        self.condition.may_accept(self.time_zone, &|column| day_range(column, Some(day)))
    }

    /// The values that it could not compute.
    pub(in crate::query) fn into_bad_values(self) -> BadValues {
        self.bad_values.into_inner()
    }

    /// The columns of some rows of a batch, as the condition needs them.
    fn inputs(&self, batch: &RecordBatch, rows: &UInt32Array, day: Option<Day>) -> Result<Vec<ArrayRef>, String> {
        event_inputs(self.condition.columns(), batch, rows, &|_| day)
    }
}

impl RowFilter for Condition<'_> {
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = self.changes.columns();
        let events = self.condition.columns().event_columns();
        columns.extend(events.filter(|(_, column)| *column != EventColumn::Day).map(|(_, column)| column.name()));
        columns.extend(self.condition.columns().row_columns().next().map(|_| "data"));
        columns
    }

    fn may_hold(&self, group: &RowGroupMetaData, day: Option<Day>) -> bool {
        let range = |column| day_range(column, day).or_else(|| group_range(group, column));
        self.changes.may_hold(group, day) && self.condition.may_accept(self.time_zone, &range)
    }

    fn accepts<'a>(&'a self, batch: &'a RecordBatch, day: Option<Day>) -> Result<Accepts<'a>, String> {
        let mut accepts = self.changes.accepts(batch, day)?;
        let candidates: UInt32Array =
            (0..batch.num_rows()).filter(|row| accepts(*row)).map(|row| Some(row as u32)).collect();
        if candidates.is_empty() {
            return Ok(Box::new(|_| false));
        }
        let columns = self.inputs(batch, &candidates, day)?;
        let rows = Batch { rows: candidates.len(), columns: &columns, time_zone: self.time_zone };
        let truth = self.condition.accepts(&rows, &mut self.bad_values.borrow_mut());
        let mut accepted = vec![false; batch.num_rows()];
        let rows = candidates.values().iter().zip(truth.values().iter());
        rows.for_each(|(row, holds)| accepted[*row as usize] = holds);
        Ok(Box::new(move |row| accepted[row]))
    }
}

/// The day as a range of its column.
fn day_range(column: EventColumn, day: Option<Day>) -> Option<ColumnRange> {
    let day = RangeValue::Number(day.filter(|_| column == EventColumn::Day)?.days().into());
    Some((day.clone(), day))
}

/// The range of a column in a row group, by its statistics.
fn group_range(group: &RowGroupMetaData, event_column: EventColumn) -> Option<ColumnRange> {
    let name = event_column.name();
    match group_column(group, name)?.statistics()? {
        Statistics::Int64(values) => {
            Some((RangeValue::Number(*values.min_opt()?), RangeValue::Number(*values.max_opt()?)))
        }
        Statistics::Int32(values) => {
            Some((RangeValue::Number((*values.min_opt()?).into()), RangeValue::Number((*values.max_opt()?).into())))
        }
        _ => {
            let (low, high) = text_bounds(group, name)?;
            Some((RangeValue::Text(low.to_vec()), RangeValue::Text(high.to_vec())))
        }
    }
}
