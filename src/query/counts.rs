//! How many changes.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::print::{Format, Value, print};
use super::{Filter, QueryError};
use crate::book::{BookError, CompleteTo, Snapshot};
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
        snapshot.day_counts(day, &mut |schema, table, op, count| sums.add(day, schema, table, op, count))?;
    }
    let rows = sums.into_rows(book)?;
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
        print(format, out, &self.complete_to, &self.time_zone, &columns, self.rows.len(), &|row, values| {
            let row = &self.rows[row];
            for part in &self.by {
                match part {
                    GroupBy::Day => values.push(row.day.map_or(Value::Null, |day| day.to_string().into())),
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

/// The sums while days are read; names are kept once each, so that a year of a thousand tables stays small.
struct Sums<'a> {
    filter: &'a Filter,
    by: &'a [GroupBy],
    /// Every table met, and whether it is asked for.
    tables: Vec<(Arc<TableName>, bool)>,
    numbers: HashMap<String, HashMap<String, u32>>,
    /// The table of the row before: files are sorted by table.
    last: u32,
    sums: HashMap<(Day, u32, Option<Operation>), u128>,
}

impl<'a> Sums<'a> {
    fn new(filter: &'a Filter, by: &'a [GroupBy]) -> Sums<'a> {
        Sums { filter, by, tables: Vec::new(), numbers: HashMap::new(), last: 0, sums: HashMap::new() }
    }

    fn add(&mut self, day: Day, schema: &str, table: &str, op: Operation, count: u64) {
        if !self.filter.has_operation(op) {
            return;
        }
        let number = self.number(schema, table);
        if !self.tables[number as usize].1 {
            return;
        }
        let day = if self.by.contains(&GroupBy::Day) { day } else { Day::EPOCH };
        let number = if self.by.contains(&GroupBy::Table) { number } else { 0 };
        let op = self.by.contains(&GroupBy::Op).then_some(op);
        *self.sums.entry((day, number, op)).or_default() += u128::from(count);
    }

    fn number(&mut self, schema: &str, table: &str) -> u32 {
        if let Some((name, _)) = self.tables.get(self.last as usize)
            && name.table == table
            && name.schema == schema
        {
            return self.last;
        }
        let known = self.numbers.get(schema).and_then(|tables| tables.get(table)).copied();
        self.last = known.unwrap_or_else(|| {
            let number = u32::try_from(self.tables.len()).expect("fewer than 2^32 tables fit into memory");
            let name = TableName { schema: schema.to_owned(), table: table.to_owned() };
            self.tables.push((Arc::new(name), self.filter.has_table(schema, table)));
            self.numbers.entry(schema.to_owned()).or_default().insert(table.to_owned(), number);
            number
        });
        self.last
    }

    fn into_rows(self, book: &Path) -> Result<Vec<CountRow>, BookError> {
        let mut rows = Vec::with_capacity(self.sums.len());
        for ((day, number, op), sum) in self.sums {
            let count = u64::try_from(sum)
                .map_err(|_| BookError::damaged(&book.display().to_string(), "it counts more than 2^64 changes"))?;
            let day = self.by.contains(&GroupBy::Day).then_some(day);
            let table = self.by.contains(&GroupBy::Table).then(|| Arc::clone(&self.tables[number as usize].0));
            rows.push(CountRow { day, table, op, count });
        }
        rows.sort_unstable_by(|a, b| {
            let parts = self.by.iter().map(|part| match part {
                GroupBy::Day => a.day.cmp(&b.day),
                GroupBy::Table => a.table.cmp(&b.table),
                GroupBy::Op => a.op.map(Operation::as_str).cmp(&b.op.map(Operation::as_str)),
            });
            parts.fold(Ordering::Equal, Ordering::then)
        });
        Ok(rows)
    }
}
