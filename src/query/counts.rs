//! How many changes: counts of a book by day, table and operation.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use super::print::{AnswerHead, FieldValue, Format, print};
use super::{CountRow, Filter, GroupBy, QueryError, RejectCount, Totals};
use crate::book::{CompleteTo, Snapshot};
use crate::change::Day;
use crate::store::BookStore;

/// How many changes there are, complete to one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsAnswer {
    /// The commit that it is complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of its days.
    pub time_zone: String,
    /// The rejects of its days.
    pub rejects: RejectCount,
    /// The parts that are summed by, in the order of columns and rows.
    pub by: Vec<GroupBy>,
    /// The sums, each positive.
    pub rows: Vec<CountRow>,
}

/// Counts the changes of a book that `filter` accepts, summed by `by`; each row once, in order.
///
/// # Errors
/// [`QueryError`] when there is no book, it is damaged, or the filter is invalid.
pub fn counts(book: impl Into<BookStore>, filter: &Filter, by: &[GroupBy]) -> Result<CountsAnswer, QueryError> {
    filter.check()?;
    let snapshot = Snapshot::take(book)?;
    // The filter is applied while the files are read.
    let mut selection = Totals::read_summed(&snapshot, filter, by)?.select(&Filter::default(), by)?;
    let mut rows = Vec::new();
    // Room that is not used is not resident; a vector that grows is, twice for a moment. A system that refuses so much gets that.
    let _ = rows.try_reserve_exact(selection.most_rows());
    while let Some(more) = selection.next_rows() {
        rows.extend(more.into_iter().map(|row| selection.count_row(row)));
    }
    let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
    let rejects = RejectCount::new(&snapshot.reject_days()?, filter);
    Ok(CountsAnswer { complete_to, time_zone, rejects, by: selection.by().to_vec(), rows })
}

impl CountsAnswer {
    /// Writes the answer.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let columns = GroupBy::columns(&self.by);
        let days: HashSet<Day> = self.rows.iter().filter_map(|row| row.day).collect();
        let days: HashMap<Option<Day>, String> = days.into_iter().map(|day| (Some(day), day.to_string())).collect();
        let CountsAnswer { complete_to, time_zone, rejects, .. } = self;
        let head =
            AnswerHead { complete_to, time_zone, rejects: *rejects, bad_values: None, next: None, columns: None };
        print(format, out, head, &columns, self.rows.len(), &|row, values| {
            let row = &self.rows[row];
            for part in &self.by {
                match part {
                    GroupBy::Day => values.push(days.get(&row.day).map_or(FieldValue::Null, |day| day.as_str().into())),
                    GroupBy::Table => {
                        let name = row.table.as_deref();
                        values.push(name.map_or(FieldValue::Null, |name| name.schema.as_str().into()));
                        values.push(name.map_or(FieldValue::Null, |name| name.table.as_str().into()));
                    }
                    GroupBy::Op => values.push(row.op.map_or(FieldValue::Null, |op| op.as_str().into())),
                }
            }
            values.push(FieldValue::Count(row.count));
        })
    }
}
