//! How many changes.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::print::{Format, Value, print};
use super::{Filter, QueryError};
use crate::book::{CompleteTo, Snapshot};
use crate::change::{Day, Operation, TableName};

/// What counts are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The day in the book's zone.
    Day,
    /// Schema and table.
    Table,
    /// The operation.
    Op,
}

impl GroupBy {
    /// What `query` sums by when nothing else is asked for.
    pub const DEFAULT: [GroupBy; 3] = [GroupBy::Day, GroupBy::Table, GroupBy::Op];
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupBy, String> {
        match text {
            "day" => Ok(GroupBy::Day),
            "table" => Ok(GroupBy::Table),
            "op" => Ok(GroupBy::Op),
            _ => Err(format!("cannot sum by {text:?}: one of day, table, op")),
        }
    }
}

/// How many changes there are, complete to one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountsAnswer {
    /// What it is complete to.
    pub complete_to: CompleteTo,
    /// The IANA name of the zone of its days.
    pub time_zone: String,
    /// What is summed by, in the order of columns and rows.
    pub by: Vec<GroupBy>,
    /// The sums, each positive.
    pub rows: Vec<CountRow>,
}

/// One sum; what is not summed by is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// The day in the book's zone.
    pub day: Option<Day>,
    /// Schema and table.
    pub table: Option<Arc<TableName>>,
    /// The operation.
    pub op: Option<Operation>,
    /// How many changes.
    pub count: u64,
}

/// Counts the changes of a book that `filter` lets through, summed by `by`; each row once, in order.
///
/// # Errors
/// [`QueryError`] when there is no book, it is damaged, or the filter makes no sense.
pub fn counts(book: &Path, filter: &Filter, by: &[GroupBy]) -> Result<CountsAnswer, QueryError> {
    filter.check()?;
    let snapshot = Snapshot::take(book)?;
    let mut by_once = Vec::new();
    for part in by {
        if !by_once.contains(part) {
            by_once.push(*part);
        }
    }
    let mut sums = Sums::new(filter, &by_once);
    for day in snapshot.days().filter(|day| filter.has_day(*day)) {
        snapshot.day_counts(day, &mut |schema, table, op, count| sums.add(schema, table, op, count))?;
        sums.end_day(day);
    }
    let rows = sums.into_rows();
    let (complete_to, time_zone) = (snapshot.complete_to(), snapshot.time_zone().to_owned());
    Ok(CountsAnswer { complete_to, time_zone, by: by_once, rows })
}

impl CountsAnswer {
    /// Writes the answer.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let columns = self.by.iter().flat_map(|part| match part {
            GroupBy::Day => &["day"][..],
            GroupBy::Table => &["schema", "table"],
            GroupBy::Op => &["op"],
        });
        let columns: Vec<&str> = columns.chain(&["count"]).copied().collect();
        let days: HashSet<Day> = self.rows.iter().filter_map(|row| row.day).collect();
        let days: HashMap<Option<Day>, String> = days.into_iter().map(|day| (Some(day), day.to_string())).collect();
        print(format, out, &self.complete_to, &self.time_zone, &columns, self.rows.len(), &|row, values| {
            let row = &self.rows[row];
            for part in &self.by {
                match part {
                    GroupBy::Day => values.push(days.get(&row.day).map_or(Value::Null, |day| day.as_str().into())),
                    GroupBy::Table => {
                        let name = row.table.as_deref();
                        values.push(name.map_or(Value::Null, |name| name.schema.as_str().into()));
                        values.push(name.map_or(Value::Null, |name| name.table.as_str().into()));
                    }
                    GroupBy::Op => values.push(row.op.map_or(Value::Null, |op| op.as_str().into())),
                }
            }
            values.push(Value::Count(row.count));
        })
    }
}

/// The sums while days are read, in numbers: a year of a thousand tables passes more than a million rows.
struct Sums<'a> {
    filter: &'a Filter,
    by: &'a [GroupBy],
    /// Every table met, and whether it is asked for.
    tables: Vec<(Arc<TableName>, bool)>,
    numbers: HashMap<String, HashMap<String, usize>>,
    /// The table of the row before: files are sorted by table.
    last: usize,
    /// By table and operation, as far as they are asked for: the sums since the rows before.
    open: Vec<[u64; 4]>,
    rows: Vec<NumberedRow>,
}

struct NumberedRow {
    day: Day,
    table: usize,
    op: Operation,
    count: u64,
}

impl<'a> Sums<'a> {
    fn new(filter: &'a Filter, by: &'a [GroupBy]) -> Sums<'a> {
        let (tables, numbers, open, rows) = (Vec::new(), HashMap::new(), Vec::new(), Vec::new());
        Sums { filter, by, tables, numbers, last: 0, open, rows }
    }

    fn add(&mut self, schema: &str, table: &str, op: Operation, count: u64) {
        if !self.filter.has_operation(op) {
            return;
        }
        let number = self.number(schema, table);
        if !self.tables[number].1 {
            return;
        }
        let number = if self.by.contains(&GroupBy::Table) { number } else { 0 };
        let op = if self.by.contains(&GroupBy::Op) { op } else { Operation::Insert };
        if self.open.len() <= number {
            self.open.resize(number + 1, [0; 4]);
        }
        // A day holds at most 2^63 − 1 changes, and reading more than one such day is out of reach.
        let sum = &mut self.open[number][op.index()];
        *sum = sum.saturating_add(count);
    }

    fn end_day(&mut self, day: Day) {
        if self.by.contains(&GroupBy::Day) {
            self.end_rows(day);
        }
    }

    fn end_rows(&mut self, day: Day) {
        for (table, sums) in self.open.iter_mut().enumerate() {
            for op in Operation::ALL {
                let count = std::mem::take(&mut sums[op.index()]);
                if count > 0 {
                    self.rows.push(NumberedRow { day, table, op, count });
                }
            }
        }
    }

    fn number(&mut self, schema: &str, table: &str) -> usize {
        if let Some((name, _)) = self.tables.get(self.last)
            && name.table == table
            && name.schema == schema
        {
            return self.last;
        }
        let known = self.numbers.get(schema).and_then(|tables| tables.get(table)).copied();
        self.last = known.unwrap_or_else(|| {
            let name = TableName { schema: schema.to_owned(), table: table.to_owned() };
            self.tables.push((Arc::new(name), self.filter.has_table(schema, table)));
            let number = self.tables.len() - 1;
            self.numbers.entry(schema.to_owned()).or_default().insert(table.to_owned(), number);
            number
        });
        self.last
    }

    fn into_rows(mut self) -> Vec<CountRow> {
        self.end_rows(Day::EPOCH);
        let mut sorted: Vec<usize> = (0..self.tables.len()).collect();
        sorted.sort_unstable_by_key(|table| &self.tables[*table].0);
        let mut ranks = vec![0; self.tables.len()];
        for (rank, table) in sorted.into_iter().enumerate() {
            ranks[table] = rank;
        }
        let (by_day, by_table, by_op) =
            (self.by.contains(&GroupBy::Day), self.by.contains(&GroupBy::Table), self.by.contains(&GroupBy::Op));
        self.rows.sort_unstable_by(|a, b| {
            let parts = self.by.iter().map(|part| match part {
                GroupBy::Day => a.day.cmp(&b.day),
                GroupBy::Table => ranks[a.table].cmp(&ranks[b.table]),
                GroupBy::Op => a.op.as_str().cmp(b.op.as_str()),
            });
            parts.fold(Ordering::Equal, Ordering::then)
        });
        let rows = self.rows.into_iter().map(|NumberedRow { day, table, op, count }| CountRow {
            day: by_day.then_some(day),
            table: by_table.then(|| Arc::clone(&self.tables[table].0)),
            op: by_op.then_some(op),
            count,
        });
        rows.collect()
    }
}
