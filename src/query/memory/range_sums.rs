//! The sums of a range of days, updated from one state of the counts to the next.
//!
//! *Why* beside `selection.rs`: between two states one or two days change, and to sum a year again for each request would
//! cost more than anything else in a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::totals::{DayTable, Totals};
use crate::change::Day;
use crate::query::Filter;

/// OperationSums by the index of the operation.
type OperationSums = [u64; 4];

/// The sums of all tables over a range of days, for one state of the counts.
#[derive(Clone, Debug)]
pub struct RangeSums {
    from: Option<Day>,
    to: Option<Day>,
    /// By day: the counts that were added, and their sum over all tables.
    days: BTreeMap<Day, (Arc<Vec<DayTable>>, OperationSums)>,
    /// By the table's number.
    tables: Vec<OperationSums>,
}

impl RangeSums {
    /// Empty sums over the days of a filter, whose other parts are ignored.
    pub fn over(filter: &Filter) -> RangeSums {
        RangeSums { from: filter.from, to: filter.to, days: BTreeMap::new(), tables: Vec::new() }
    }

    /// Whether these are the days of a filter.
    pub fn is_over(&self, filter: &Filter) -> bool {
        (self.from, self.to) == (filter.from, filter.to)
    }

    /// Updates the sums to `totals`; reads only days that are not shared with the state before.
    pub fn update_to(&mut self, totals: &Totals) {
        let range = Filter { from: self.from, to: self.to, ..Filter::default() };
        let wanted: BTreeMap<Day, &Arc<Vec<DayTable>>> =
            totals.days.iter().filter(|(day, _)| range.has_day(**day)).map(|(day, tables)| (*day, tables)).collect();
        let sums = &mut self.tables;
        self.days.retain(|day, (known, _)| {
            let is_shared = wanted.get(day).is_some_and(|now| Arc::ptr_eq(now, known));
            if !is_shared {
                for DayTable { table, counts } in known.iter() {
                    each(&mut sums[*table as usize], counts, u64::wrapping_sub);
                }
            }
            is_shared
        });
        let last = sums.len().max(totals.names.names().len());
        sums.resize(last, OperationSums::default());
        for (day, tables) in wanted {
            self.days.entry(day).or_insert_with(|| {
                let mut sum = OperationSums::default();
                for DayTable { table, counts } in tables.iter() {
                    each(&mut sums[*table as usize], counts, u64::wrapping_add);
                    each(&mut sum, counts, u64::saturating_add);
                }
                (Arc::clone(tables), sum)
            });
        }
    }

    /// By the table's number: its sums.
    pub(in crate::query) fn tables(&self) -> &[OperationSums] {
        &self.tables
    }

    /// The sums of a day over all tables.
    pub(in crate::query) fn day(&self, day: Day) -> OperationSums {
        self.days.get(&day).map_or(OperationSums::default(), |(_, sum)| *sum)
    }
}

/// Adds to sums or subtracts from them. Sums may wrap in between: every count is subtracted as it was added.
fn each(sums: &mut OperationSums, counts: &OperationSums, change: fn(u64, u64) -> u64) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = change(*sum, *count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{CountKey, Operation, TableName};
    use crate::query::{GroupBy, RowStyle};

    fn day(number: u64) -> Day {
        Day::from_days(i64::try_from(number).expect("a small number")).expect("a day")
    }

    fn answer(totals: &Totals, filter: &Filter, by: &[GroupBy], sums: Option<&Arc<RangeSums>>) -> String {
        let selection = totals.select(filter, by).expect("a range");
        let selection = if let Some(sums) = sums { selection.with_sums(Arc::clone(sums)) } else { selection };
        let text: Vec<u8> = selection.text(RowStyle::Csv, Vec::new(), Vec::new()).flatten().collect();
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn kept_sums_answer_as_new_ones_do_whatever_changed_between() {
        let mut seed = 7u64;
        let mut below = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % end
        };
        let ranges = [(None, None), (Some(day(3)), Some(day(9))), (Some(day(12)), None)];
        let filters = ranges.map(|(from, to)| Filter { from, to, ..Filter::default() });
        let mut kept = filters.each_ref().map(|filter| Arc::new(RangeSums::over(filter)));
        let bys: [&[GroupBy]; 6] = [
            &[GroupBy::Table, GroupBy::Op],
            &[GroupBy::Op, GroupBy::Table],
            &[GroupBy::Day, GroupBy::Op],
            &[GroupBy::Op, GroupBy::Day],
            &[GroupBy::Day],
            &[],
        ];
        let mut totals = Totals::default();
        for round in 0..60 {
            if round == 40 {
                // Another book in the same place: its tables have other numbers.
                totals = Totals::default();
            }
            for _ in 0..below(20) {
                let table = Arc::new(TableName::new("public", &format!("t{}", 9 - below(10))));
                let op = Operation::ALL[below(4) as usize];
                totals.add(&CountKey { day: day(below(20)), table, op }, below(100));
            }
            for (filter, sums) in filters.iter().zip(&mut kept) {
                Arc::make_mut(sums).update_to(&totals);
                for by in bys {
                    for (pattern, operation) in
                        [(None, None), (Some("*.t?"), Some(Operation::Update)), (Some("*.t3"), None)]
                    {
                        let tables = pattern.map(|pattern| pattern.parse().expect("a pattern"));
                        let filter = Filter { tables, operation, ..filter.clone() };
                        let (kept, new) =
                            (answer(&totals, &filter, by, Some(sums)), answer(&totals, &filter, by, None));
                        assert_eq!(kept, new, "round {round}, {filter:?} by {by:?}");
                    }
                }
            }
        }
    }
}
