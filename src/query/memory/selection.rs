//! The counts that a filter accepts, summed, row by row.
//!
//! Rows that are ordered by day are made day by day: a slow reader holds one day's rows, and the shared counts.

use std::collections::VecDeque;
use std::sync::Arc;

use super::totals::{DayTable, Totals};
use crate::change::{Day, Operation, TableName};
use crate::query::{CountRow, Filter, GroupBy, QueryError, RangeSums};

/// The rank of a table that the filter excludes.
const UNWANTED: u32 = u32::MAX;

/// The operations in the order of their texts, which is the order of rows.
const BY_TEXT: [Operation; 4] = [Operation::Delete, Operation::Insert, Operation::Truncate, Operation::Update];

/// Sums to be read once, in order.
pub struct Selection {
    totals: Totals,
    /// The parts that are summed by, each once.
    by: Vec<GroupBy>,
    operation: Option<Operation>,
    /// By the table's number: its rank among the names, or [`UNWANTED`].
    ranks: Vec<u32>,
    days: VecDeque<Day>,
    /// The number of tables that the filter accepts.
    wanted: usize,
    /// The number of table-days that were summed so far.
    summed: usize,
    /// The sums over these days, where they were kept.
    sums: Option<Arc<RangeSums>>,
}

/// One sum; a part that is not summed by is the same in all rows, without meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::query) struct SumRow {
    pub(in crate::query) day: Day,
    /// The table's number.
    pub(in crate::query) table: u32,
    rank: u32,
    pub(in crate::query) op: Operation,
    pub(in crate::query) count: u64,
}

impl Totals {
    /// The counts that a filter accepts, to be summed by some parts.
    ///
    /// # Errors
    /// [`QueryError::NoDays`] for a range whose end is before its begin.
    pub fn select(&self, filter: &Filter, by: &[GroupBy]) -> Result<Selection, QueryError> {
        Selection::new(self.clone(), filter, by)
    }
}

impl Selection {
    fn new(totals: Totals, filter: &Filter, by: &[GroupBy]) -> Result<Selection, QueryError> {
        filter.check()?;
        let mut by_once = Vec::new();
        for part in by {
            if !by_once.contains(part) {
                by_once.push(*part);
            }
        }
        let ranks = totals.names.ranks();
        let names = totals.names.names().iter().zip(ranks.iter());
        let ranks =
            names.map(|(name, rank)| if filter.has_table(&name.schema, &name.table) { *rank } else { UNWANTED });
        let ranks: Vec<u32> = ranks.collect();
        let wanted = ranks.iter().filter(|rank| **rank != UNWANTED).count();
        let days = totals.days.keys().copied().filter(|day| filter.has_day(*day)).collect();
        Ok(Selection { by: by_once, operation: filter.operation, ranks, wanted, days, summed: 0, sums: None, totals })
    }

    /// Uses kept sums, which must be over its days and of its totals.
    pub fn with_sums(self, sums: Arc<RangeSums>) -> Selection {
        Selection { sums: Some(sums), ..self }
    }

    /// Whether kept sums over its days would save work.
    pub fn is_summed(&self) -> bool {
        match self.by.contains(&GroupBy::Day) {
            true => self.wanted == self.ranks.len() && !self.by.contains(&GroupBy::Table),
            false => true,
        }
    }

    /// The parts that are summed by, each once.
    pub fn by(&self) -> &[GroupBy] {
        &self.by
    }

    /// An upper bound of its rows.
    pub fn most_rows(&self) -> usize {
        let ops = self.ops();
        match (self.by.contains(&GroupBy::Day), self.by.contains(&GroupBy::Table)) {
            (true, true) => self.days.iter().map(|day| self.tables_of(*day)).sum::<usize>() * ops,
            (true, false) => self.days.len() * ops,
            (false, true) => self.wanted * ops,
            (false, false) => ops,
        }
    }

    /// An upper bound of the rows of a table on a day.
    fn ops(&self) -> usize {
        if self.by.contains(&GroupBy::Op) && self.operation.is_none() { BY_TEXT.len() } else { 1 }
    }

    /// An upper bound of the wanted tables with changes on a day.
    fn tables_of(&self, day: Day) -> usize {
        self.counts_of(day).min(self.wanted)
    }

    fn counts_of(&self, day: Day) -> usize {
        self.totals.days.get(&day).map_or(0, |tables| tables.len())
    }

    /// Whether rows are made day by day.
    pub fn is_day_by_day(&self) -> bool {
        self.by.first() == Some(&GroupBy::Day)
    }

    /// An upper bound of the rows that exist at the same time.
    pub(in crate::query) fn rows_at_once(&self) -> usize {
        let most = self.days.iter().map(|day| self.tables_of(*day)).max();
        if self.is_day_by_day() { most.unwrap_or(0) * self.ops() } else { self.most_rows() }
    }

    /// The number of all tables, and of those that the filter accepts.
    pub(in crate::query) fn tables(&self) -> (usize, usize) {
        (self.ranks.len(), self.wanted)
    }

    /// The number of table-days that were summed so far.
    pub(in crate::query) fn summed(&self) -> usize {
        self.summed
    }

    /// The number of table-days that remain to be summed.
    pub(in crate::query) fn counts(&self) -> usize {
        self.days.iter().map(|day| self.counts_of(*day)).sum()
    }

    /// A row with its names; a part that is not summed by is `None`.
    pub(in crate::query) fn count_row(&self, row: SumRow) -> CountRow {
        let by = |part| self.by.contains(&part);
        CountRow {
            day: by(GroupBy::Day).then_some(row.day),
            table: by(GroupBy::Table).then(|| Arc::clone(self.name(row.table))),
            op: by(GroupBy::Op).then_some(row.op),
            count: row.count,
        }
    }

    pub(in crate::query) fn name(&self, table: u32) -> &Arc<TableName> {
        &self.totals.names.names()[table as usize]
    }

    /// The next rows; `None` after the last. May be empty before.
    pub(in crate::query) fn next_rows(&mut self) -> Option<Vec<SumRow>> {
        let mut rows = Vec::new();
        if self.is_day_by_day() {
            let day = self.days.pop_front()?;
            self.summed += self.counts_of(day);
            self.add_days([day], &mut rows);
        } else {
            let days = std::mem::take(&mut self.days);
            if days.is_empty() {
                return None;
            }
            self.summed += days.iter().map(|day| self.counts_of(*day)).sum::<usize>();
            self.add_days(days, &mut rows);
        }
        self.sort(&mut rows);
        Some(rows)
    }

    fn add_days(&self, days: impl IntoIterator<Item = Day>, rows: &mut Vec<SumRow>) {
        let (by_day, by_table) = (self.by.contains(&GroupBy::Day), self.by.contains(&GroupBy::Table));
        if let Some(sums) = self.sums.as_ref().filter(|_| self.is_summed()) {
            match by_day {
                true => days.into_iter().for_each(|day| self.push(day, 0, sums.day(day), rows)),
                false => self.add_tables(sums.tables(), by_table, rows),
            }
            return;
        }
        // By the table's number, or of all tables; none where each row is a sum of its own.
        let width = match (by_day, by_table) {
            (true, true) => 0,
            (false, true) => self.ranks.len(),
            (_, false) => 1,
        };
        let mut sums = vec![[0; 4]; width];
        for day in days {
            let tables = self.totals.days.get(&day).map_or(&[][..], |tables| tables);
            for DayTable { table, counts } in tables.iter().filter(|known| self.ranks[known.table as usize] != UNWANTED)
            {
                if by_day && by_table {
                    self.push(day, *table, *counts, rows);
                    continue;
                }
                let sum: &mut [u64; 4] = &mut sums[if by_table { *table as usize } else { 0 }];
                for (sum, count) in sum.iter_mut().zip(counts) {
                    *sum = sum.saturating_add(*count);
                }
            }
            if by_day && !by_table {
                self.push(day, 0, std::mem::take(&mut sums[0]), rows);
            }
        }
        for (table, counts) in (0..).zip(sums) {
            self.push(Day::EPOCH, table, counts, rows);
        }
    }

    /// Adds the sums of tables, or the sum of them all.
    fn add_tables(&self, sums: &[[u64; 4]], by_table: bool, rows: &mut Vec<SumRow>) {
        let mut all = [0u64; 4];
        for ((table, counts), _) in (0..).zip(sums).zip(&self.ranks).filter(|(_, rank)| **rank != UNWANTED) {
            if by_table {
                self.push(Day::EPOCH, table, *counts, rows);
                continue;
            }
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*count);
            }
        }
        if !by_table {
            self.push(Day::EPOCH, 0, all, rows);
        }
    }

    fn push(&self, day: Day, table: u32, counts: [u64; 4], rows: &mut Vec<SumRow>) {
        let rank = self.ranks.get(table as usize).copied().unwrap_or(UNWANTED);
        let wanted = BY_TEXT.into_iter().filter(|op| self.operation.is_none_or(|asked| asked == *op));
        let mut push = |op: Operation, count: u64| {
            if count > 0 {
                rows.push(SumRow { day, table, rank, op, count });
            }
        };
        if self.by.contains(&GroupBy::Op) {
            wanted.for_each(|op| push(op, counts[op.index()]));
        } else {
            push(Operation::Insert, wanted.map(|op| counts[op.index()]).fold(0, u64::saturating_add));
        }
    }

    fn sort(&self, rows: &mut [SumRow]) {
        let key = |row: &SumRow| {
            self.by.iter().fold(0u64, |key, part| match part {
                // 22 bits: days lie within the years 0001 to 9999.
                GroupBy::Day => key << 22 | u64::from(row.day.days().wrapping_add(1 << 20).unsigned_abs()),
                GroupBy::Table => key << 32 | u64::from(row.rank),
                GroupBy::Op => key << 2 | BY_TEXT.iter().position(|op| *op == row.op).unwrap_or(0) as u64,
            })
        };
        // Numbers of tables follow the order of names but for those that came later: a sort that merges runs has little to do.
        rows.sort_by_key(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{CountKey, TableName};
    use crate::query::RowStyle;

    /// One INSERT into each of the tables on each of so many days.
    fn inserts(days: i64, tables: &[String]) -> Totals {
        let mut totals = Totals::default();
        for day in (0..days).map(|day| Day::from_days(day).expect("a day")) {
            for table in tables {
                let table = Arc::new(TableName::new("public", table));
                totals.add(&CountKey { day, table, op: Operation::Insert }, 1);
            }
        }
        totals
    }

    #[test]
    fn excluded_rows_do_not_count_towards_the_bounds() {
        let totals = inserts(3, &["a", "b", "c", "d"].map(str::to_owned));
        let most = |table: Option<&str>, operation: Option<Operation>, by: &[GroupBy]| {
            let tables = table.map(|table| table.parse().expect("a pattern"));
            let filter = Filter { tables, operation, ..Filter::default() };
            let selection = totals.select(&filter, by).expect("a selection");
            (selection.most_rows(), selection.rows_at_once())
        };
        let insert = Some(Operation::Insert);
        assert_eq!(most(None, None, &GroupBy::DEFAULT), (48, 16));
        assert_eq!(most(Some("public.a"), None, &GroupBy::DEFAULT), (12, 4));
        assert_eq!(most(Some("public.a"), insert, &GroupBy::DEFAULT), (3, 1));
        assert_eq!(most(Some("public.a"), insert, &[GroupBy::Table]), (1, 1));
        assert_eq!(most(Some("public.x"), None, &GroupBy::DEFAULT), (0, 0));
    }

    #[test]
    fn a_large_search_with_few_rows_yields_between_pieces() {
        let tables: Vec<String> = (0..60_000).map(|number| format!("t{number}")).collect();
        let filter = Filter { tables: Some("public.t7".parse().expect("a pattern")), ..Filter::default() };
        let selection = inserts(12, &tables).select(&filter, &GroupBy::DEFAULT).expect("a selection");
        let pieces: Vec<Vec<u8>> = selection.text(RowStyle::Csv, Vec::new(), Vec::new()).collect();
        assert!(pieces.len() >= 3, "{} pieces", pieces.len());
        assert_eq!(String::from_utf8(pieces.concat()).expect("text").lines().count(), 1 + 12);
    }
}
