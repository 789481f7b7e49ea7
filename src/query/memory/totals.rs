//! The counts of a book in memory.
//!
//! A server must not read a year of counts files for each request. A clone shares all days with the original; later changes
//! copy only the changed days. So a state can be kept for a slow reader, and the next one costs only the days that differ.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table_names::TableNames;
use crate::book::Snapshot;
use crate::change::{CountKey, Day, Operation, TableName};
use crate::query::{Filter, GroupBy, QueryError};

/// The counts of one table on one day, by the index of the operation.
#[derive(Clone, Copy, Debug)]
pub(in crate::query) struct DayTable {
    /// The table's number.
    pub(in crate::query) table: u32,
    /// By [`Operation::index`].
    pub(in crate::query) counts: [u64; 4],
}

/// The counts of a book at one state; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub(in crate::query) names: Arc<TableNames>,
    /// Sorted by the tables' numbers.
    pub(in crate::query) days: Arc<BTreeMap<Day, Arc<Vec<DayTable>>>>,
}

/// The key of a count without its texts; valid for all totals that were cloned from the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountId {
    day: Day,
    table: u32,
    op: Operation,
}

/// A table with the sum of its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSum {
    /// Its name.
    pub name: Arc<TableName>,
    /// The number of its changes.
    pub count: u64,
    /// The first day with a change.
    pub first_day: Day,
    /// The last day with a change.
    pub last_day: Day,
}

impl Totals {
    /// Reads all counts at a snapshot.
    ///
    /// # Errors
    /// [`QueryError`] when a counts file is damaged or its sum differs from the log.
    pub fn read(snapshot: &Snapshot) -> Result<Totals, QueryError> {
        Totals::read_summed(snapshot, &Filter::default(), &GroupBy::DEFAULT)
    }

    /// Reads the counts that a filter accepts, summed as far as `by` allows: days that it does not separate become one, and
    /// so do tables. What is held is no more than the answer.
    ///
    /// # Errors
    /// As [`Totals::read`].
    pub(in crate::query) fn read_summed(
        snapshot: &Snapshot,
        filter: &Filter,
        by: &[GroupBy],
    ) -> Result<Totals, QueryError> {
        let (by_day, by_table) = (by.contains(&GroupBy::Day), by.contains(&GroupBy::Table));
        let (mut names, mut days) = (TableNames::default(), BTreeMap::new());
        let (mut sums, mut first_day) = (TableSums::default(), None);
        for day in snapshot.days().filter(|day| filter.has_day(*day)) {
            first_day.get_or_insert(day);
            // Files are sorted by table: most rows are of the table of the row before.
            let (mut row_table, mut number) = (TableName { schema: String::new(), table: String::new() }, None);
            let mut is_first = true;
            snapshot.day_counts(day, &mut |schema, table, op, count| {
                if is_first || row_table.table != table || row_table.schema != schema {
                    is_first = false;
                    schema.clone_into(&mut row_table.schema);
                    table.clone_into(&mut row_table.table);
                    let (schema, table) = if by_table { (schema, table) } else { ("", "") };
                    let is_wanted = filter.has_table(&row_table.schema, &row_table.table);
                    number = is_wanted.then(|| names.number_or_add(schema, table));
                }
                if let Some(number) = number.filter(|_| filter.has_operation(op)) {
                    sums.add(number, op, count);
                }
            })?;
            if by_day {
                days.insert(day, Arc::new(sums.take()));
            }
        }
        if let Some(day) = first_day.filter(|_| !by_day) {
            days.insert(day, Arc::new(sums.take()));
        }
        Ok(Totals { names: Arc::new(names), days: Arc::new(days) })
    }

    /// Totals of some counts; each key once.
    pub fn of<'a>(counts: impl IntoIterator<Item = (&'a CountKey, i64)>) -> Totals {
        let mut totals = Totals::default();
        for (key, count) in counts {
            *totals.count_mut(key).1 = count.unsigned_abs();
        }
        totals
    }

    /// Sets a count.
    pub fn set(&mut self, key: &CountKey, total: u64) -> CountId {
        let (cell, count) = self.count_mut(key);
        *count = total;
        cell
    }

    /// Adds to a count.
    pub fn add(&mut self, key: &CountKey, added: u64) -> CountId {
        let (cell, count) = self.count_mut(key);
        // A day holds at most 2^63 − 1 changes.
        *count = count.saturating_add(added);
        cell
    }

    /// The first day with a change.
    pub fn first_day(&self) -> Option<Day> {
        self.days.keys().next().copied()
    }

    /// The last day with a change.
    pub fn last_day(&self) -> Option<Day> {
        self.days.keys().next_back().copied()
    }

    /// Whether a day has a change.
    pub fn has_day(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// The number of all changes.
    pub fn sum(&self) -> u64 {
        let counts = self.days.values().flat_map(|day| day.iter()).flat_map(|table| table.counts);
        counts.fold(0, u64::saturating_add)
    }

    /// Each table with its sum; the largest first, then by name.
    pub fn tables(&self) -> Vec<TableSum> {
        let mut sums: Vec<Option<(u64, Day, Day)>> = vec![None; self.names.names().len()];
        for (day, tables) in self.days.iter() {
            for DayTable { table, counts } in tables.iter() {
                let count = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
                let (sum, _, last) = sums[*table as usize].get_or_insert((0, *day, *day));
                *sum = sum.saturating_add(count);
                *last = *day;
            }
        }
        let tables = self.names.names().iter().zip(sums);
        let mut tables: Vec<TableSum> = tables
            .filter_map(|(name, sum)| {
                let (count, first_day, last_day) = sum?;
                Some(TableSum { name: Arc::clone(name), count, first_day, last_day })
            })
            .collect();
        tables.sort_unstable_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
        tables
    }

    /// The counts of `counts` that the filter accepts as JSON objects with commas between them, sorted as `query` sorts.
    pub fn counts_json(&self, counts: &[CountId], filter: &Filter) -> Vec<u8> {
        let ranks = self.names.ranks();
        let mut known_tables: HashMap<u32, bool> = HashMap::new();
        let mut has_table = |table: u32| {
            *known_tables.entry(table).or_insert_with(|| {
                let name = &self.names.names()[table as usize];
                filter.has_table(&name.schema, &name.table)
            })
        };
        let is_wanted =
            |count: &&CountId| filter.has_day(count.day) && filter.has_operation(count.op) && has_table(count.table);
        let mut wanted: Vec<&CountId> = counts.iter().filter(is_wanted).collect();
        wanted.sort_unstable_by_key(|cell| (cell.day, ranks[cell.table as usize], cell.op.as_str()));
        wanted.dedup();
        let mut text = Vec::new();
        for cell in wanted {
            if !text.is_empty() {
                text.push(b',');
            }
            let name = &self.names.names()[cell.table as usize];
            let row = serde_json::json!({
                "day": cell.day, "schema": name.schema, "table": name.table, "op": cell.op, "count": self.count(cell),
            });
            text.extend_from_slice(row.to_string().as_bytes());
        }
        text
    }

    fn count(&self, cell: &CountId) -> u64 {
        let Some(tables) = self.days.get(&cell.day) else { return 0 };
        let place = tables.binary_search_by_key(&cell.table, |known| known.table);
        place.map_or(0, |place| tables[place].counts[cell.op.index()])
    }

    fn count_mut(&mut self, CountKey { day, table, op }: &CountKey) -> (CountId, &mut u64) {
        let (day, op, TableName { schema, table }) = (*day, *op, &**table);
        let number = match self.names.number(schema, table) {
            Some(number) => number,
            None => Arc::make_mut(&mut self.names).number_or_add(schema, table),
        };
        let tables = Arc::make_mut(Arc::make_mut(&mut self.days).entry(day).or_default());
        (CountId { day, table: number, op }, &mut counts_of(tables, number)[op.index()])
    }
}

/// Sums by table that grow in any order of tables.
#[derive(Default)]
struct TableSums {
    /// By the table's number.
    counts: Vec<[u64; 4]>,
    /// The tables that have some.
    tables: Vec<u32>,
}

impl TableSums {
    /// Adds a count above zero.
    fn add(&mut self, table: u32, op: Operation, count: u64) {
        let place = table as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, [0; 4]);
        }
        let counts = &mut self.counts[place];
        if *counts == [0; 4] {
            self.tables.push(table);
        }
        counts[op.index()] = counts[op.index()].saturating_add(count);
    }

    /// Takes all out, sorted by table.
    fn take(&mut self) -> Vec<DayTable> {
        self.tables.sort_unstable();
        let counts = &mut self.counts;
        let take = |table: u32| DayTable { table, counts: std::mem::take(&mut counts[table as usize]) };
        self.tables.drain(..).map(take).collect()
    }
}

/// The counts of a table on a day, which are added where it has none.
fn counts_of(tables: &mut Vec<DayTable>, number: u32) -> &mut [u64; 4] {
    let place = match tables.last() {
        // Numbers are given in the order of files: most tables come after all before.
        Some(last) if last.table < number => Err(tables.len()),
        Some(last) if last.table == number => Ok(tables.len() - 1),
        _ => tables.binary_search_by_key(&number, |known| known.table),
    };
    let place = place.unwrap_or_else(|place| {
        tables.insert(place, DayTable { table: number, counts: [0; 4] });
        place
    });
    &mut tables[place].counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(day: i64, table: &str, op: Operation) -> CountKey {
        let day = Day::from_days(day).expect("a day");
        CountKey { day, table: Arc::new(TableName::new("public", table)), op }
    }

    #[test]
    fn a_clone_does_not_change_with_the_original() {
        let mut totals = Totals::of([(&key(1, "b", Operation::Insert), 2), (&key(2, "a", Operation::Delete), 1)]);
        let before = totals.clone();
        let cell = totals.add(&key(1, "b", Operation::Insert), 5);
        totals.set(&key(3, "c", Operation::Update), 9);
        assert_eq!((before.count(&cell), totals.count(&cell)), (2, 7));
        assert_eq!((before.sum(), totals.sum()), (3, 17));
        // A day that did not change is shared.
        let second = Day::from_days(2).expect("a day");
        assert!(Arc::ptr_eq(&before.days[&second], &totals.days[&second]));
    }

    #[test]
    fn tables_come_largest_first() {
        let totals = Totals::of([
            (&key(1, "b", Operation::Insert), 2),
            (&key(4, "b", Operation::Update), 3),
            (&key(2, "a", Operation::Delete), 5),
            (&key(2, "c", Operation::Delete), 6),
        ]);
        let tables = totals.tables();
        let seen: Vec<(&str, u64, i32, i32)> = tables
            .iter()
            .map(|sum| (sum.name.table.as_str(), sum.count, sum.first_day.days(), sum.last_day.days()))
            .collect();
        assert_eq!(seen, [("c", 6, 2, 2), ("a", 5, 2, 2), ("b", 5, 1, 4)]);
    }

    #[test]
    fn changed_counts_are_written_once_and_in_order() {
        let mut totals = Totals::default();
        let cells = [
            totals.add(&key(1, "b", Operation::Update), 1),
            totals.add(&key(1, "b", Operation::Delete), 1),
            totals.add(&key(1, "a\"", Operation::Insert), 1),
            totals.add(&key(1, "b", Operation::Update), 1),
        ];
        let text = String::from_utf8(totals.counts_json(&cells, &Filter::default())).expect("text");
        let rows: serde_json::Value = serde_json::from_str(&format!("[{text}]")).expect("JSON");
        let seen: Vec<_> = rows.as_array().into_iter().flatten().map(|row| (&row["table"], &row["count"])).collect();
        let expected = [("a\"", 1), ("b", 1), ("b", 2)].map(|(table, count)| (table.into(), count.into()));
        assert_eq!(seen, expected.iter().map(|(table, count)| (table, count)).collect::<Vec<_>>());
    }
}
