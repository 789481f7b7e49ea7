//! The counts of some moment that a filter lets through, summed, row by row.
//!
//! Where rows come day by day, they are made day by day: a reader that takes its time holds one day's rows, and the days
//! of the moment, which are shared.

use std::collections::VecDeque;
use std::sync::Arc;

use super::totals::{DayTable, Totals};
use super::{Filter, GroupBy, QueryError, RangeSums};
use crate::change::{Day, Operation, TableName};

/// A table that is not asked for.
const UNWANTED: u32 = u32::MAX;

/// The operations in the order of their texts, which is the order of rows.
const BY_TEXT: [Operation; 4] = [Operation::Delete, Operation::Insert, Operation::Truncate, Operation::Update];

/// Sums to be read once, in order.
pub struct Selection {
    totals: Totals,
    /// What is summed by, each part once.
    by: Vec<GroupBy>,
    operation: Option<Operation>,
    /// By the table's number: its rank among the names, or [`UNWANTED`].
    ranks: Vec<u32>,
    days: VecDeque<Day>,
    /// How many of them are asked for.
    wanted: usize,
    /// How many tables of days were summed so far.
    looked: usize,
    /// The sums over these days at this moment, where they are known already.
    sums: Option<Arc<RangeSums>>,
}

/// One sum; what is not summed by is the same in all rows, and means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SumRow {
    pub(super) day: Day,
    /// The table's number.
    pub(super) table: u32,
    rank: u32,
    pub(super) op: Operation,
    pub(super) count: u64,
}

impl Selection {
    pub(super) fn new(totals: Totals, filter: &Filter, by: &[GroupBy]) -> Result<Selection, QueryError> {
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
        Ok(Selection { by: by_once, operation: filter.operation, ranks, wanted, days, looked: 0, sums: None, totals })
    }

    /// The same, given the sums over its days at its moment.
    pub fn with_sums(self, sums: Arc<RangeSums>) -> Selection {
        Selection { sums: Some(sums), ..self }
    }

    /// Whether the sums over its days would save work.
    pub fn is_summed(&self) -> bool {
        match self.by.contains(&GroupBy::Day) {
            true => self.wanted == self.ranks.len() && !self.by.contains(&GroupBy::Table),
            false => true,
        }
    }

    /// What is summed by, each part once.
    pub fn by(&self) -> &[GroupBy] {
        &self.by
    }

    /// A number of rows that is not passed.
    pub fn most_rows(&self) -> usize {
        let ops = self.ops();
        match (self.by.contains(&GroupBy::Day), self.by.contains(&GroupBy::Table)) {
            (true, true) => self.days.iter().map(|day| self.tables_of(*day)).sum::<usize>() * ops,
            (true, false) => self.days.len() * ops,
            (false, true) => self.wanted * ops,
            (false, false) => ops,
        }
    }

    /// A number of rows that a table has on a day and that is not passed.
    fn ops(&self) -> usize {
        if self.by.contains(&GroupBy::Op) && self.operation.is_none() { BY_TEXT.len() } else { 1 }
    }

    /// A number of tables that are asked for and have changes on a day, and that is not passed.
    fn tables_of(&self, day: Day) -> usize {
        self.counts_of(day).min(self.wanted)
    }

    fn counts_of(&self, day: Day) -> usize {
        self.totals.days.get(&day).map_or(0, |tables| tables.len())
    }

    /// Whether the rows come day by day, each day's when it is their turn.
    pub fn is_day_by_day(&self) -> bool {
        self.by.first() == Some(&GroupBy::Day)
    }

    /// A number of rows at the same time that is not passed.
    pub(super) fn rows_at_once(&self) -> usize {
        let most = self.days.iter().map(|day| self.tables_of(*day)).max();
        if self.is_day_by_day() { most.unwrap_or(0) * self.ops() } else { self.most_rows() }
    }

    /// How many tables have a name, and how many of them are asked for.
    pub(super) fn tables(&self) -> (usize, usize) {
        (self.ranks.len(), self.wanted)
    }

    /// How many tables of days were summed so far.
    pub(super) fn looked(&self) -> usize {
        self.looked
    }

    /// How many tables of days are to be summed.
    pub(super) fn counts(&self) -> usize {
        self.days.iter().map(|day| self.counts_of(*day)).sum()
    }

    pub(super) fn name(&self, table: u32) -> &Arc<TableName> {
        &self.totals.names.names()[table as usize]
    }

    /// The next rows; `None` after the last. May be empty before.
    pub(super) fn next_rows(&mut self) -> Option<Vec<SumRow>> {
        let mut rows = Vec::new();
        if self.is_day_by_day() {
            let day = self.days.pop_front()?;
            self.looked += self.counts_of(day);
            self.add_days([day], &mut rows);
        } else {
            let days = std::mem::take(&mut self.days);
            if days.is_empty() {
                return None;
            }
            self.looked += days.iter().map(|day| self.counts_of(*day)).sum::<usize>();
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
        if !rows.is_sorted_by_key(key) {
            rows.sort_unstable_by_key(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::CountKey;
    use crate::query::RowStyle;

    /// One INSERT into each of the tables on each of so many days.
    fn inserts(days: i64, tables: &[String]) -> Totals {
        let mut totals = Totals::default();
        for day in (0..days).map(|day| Day::from_days(day).expect("a day")) {
            for table in tables {
                let (schema, table) = ("public".to_owned(), table.clone());
                totals.add(&CountKey { day, schema, table, op: Operation::Insert }, 1);
            }
        }
        totals
    }

    #[test]
    fn rows_that_are_not_asked_for_do_not_count() {
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
    fn who_looks_through_much_and_finds_little_lets_others_in_between() {
        let tables: Vec<String> = (0..60_000).map(|number| format!("t{number}")).collect();
        let filter = Filter { tables: Some("public.t7".parse().expect("a pattern")), ..Filter::default() };
        let selection = inserts(12, &tables).select(&filter, &GroupBy::DEFAULT).expect("a selection");
        let pieces: Vec<Vec<u8>> = selection.text(RowStyle::Csv, Vec::new(), Vec::new()).collect();
        assert!(pieces.len() >= 3, "{} pieces", pieces.len());
        assert_eq!(String::from_utf8(pieces.concat()).expect("text").lines().count(), 1 + 12);
    }
}
