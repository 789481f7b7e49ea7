//! All counts of a book in memory, at one moment.
//!
//! *Why* beside `counts.rs`: a server is asked again and again, and must not read a year of counts files each time. A clone
//! shares all days with the original; what changes afterwards is copied day by day. So a moment can be kept for a slow
//! reader, and the next one costs only the days that it changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::table_names::TableNames;
use super::{Filter, QueryError, Selection};
use crate::book::Snapshot;
use crate::change::{CountKey, Day, Operation, TableName};
use crate::query::GroupBy;

/// The counts of one table on one day, by the index of the operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct DayTable {
    /// The table's number.
    pub(super) table: u32,
    /// By [`Operation::index`].
    pub(super) counts: [u64; 4],
}

/// All counts of a book at one moment; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub(super) names: Arc<TableNames>,
    /// Sorted by the tables' numbers.
    pub(super) days: Arc<BTreeMap<Day, Arc<Vec<DayTable>>>>,
}

/// A count, named without its texts; good for all totals that came from the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    day: Day,
    table: u32,
    op: Operation,
}

/// A table with what the book has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSum {
    /// Its name.
    pub name: Arc<TableName>,
    /// All of its changes.
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
    /// [`QueryError`] when a counts file is damaged or says another sum than the log.
    pub fn read(snapshot: &Snapshot) -> Result<Totals, QueryError> {
        let mut totals = Totals::default();
        for day in snapshot.days() {
            snapshot.day_counts(day, &mut |schema, table, op, count| {
                *totals.count_mut(day, schema, table, op).1 = count;
            })?;
        }
        Ok(totals)
    }

    /// Totals of counts that are there already; each key once.
    pub fn of<'a>(counts: impl IntoIterator<Item = (&'a CountKey, i64)>) -> Totals {
        let mut totals = Totals::default();
        for (CountKey { day, schema, table, op }, count) in counts {
            *totals.count_mut(*day, schema, table, *op).1 = count.unsigned_abs();
        }
        totals
    }

    /// Lets a count be `total` from now on.
    pub fn set(&mut self, key: &CountKey, total: u64) -> Cell {
        let (cell, count) = self.count_mut(key.day, &key.schema, &key.table, key.op);
        *count = total;
        cell
    }

    /// Adds changes to a count.
    pub fn add(&mut self, key: &CountKey, added: u64) -> Cell {
        let (cell, count) = self.count_mut(key.day, &key.schema, &key.table, key.op);
        // A day holds at most 2^63 − 1 changes.
        *count = count.saturating_add(added);
        cell
    }

    /// The first day with a change.
    pub fn first_day(&self) -> Option<Day> {
        self.days.keys().next().copied()
    }

    /// Whether a day has a change.
    pub fn has_day(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// All changes.
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

    /// The counts that a filter lets through, to be summed by some parts.
    ///
    /// # Errors
    /// [`QueryError::NoDays`] for a range that is the wrong way round.
    pub fn select(&self, filter: &Filter, by: &[GroupBy]) -> Result<Selection, QueryError> {
        Selection::new(self.clone(), filter, by)
    }

    /// Some counts as JSON objects with commas between them, sorted as `query` sorts; those that the filter lets through.
    pub fn cells_json(&self, cells: &[Cell], filter: &Filter) -> Vec<u8> {
        let ranks = self.names.ranks();
        let mut known_tables: HashMap<u32, bool> = HashMap::new();
        let mut has_table = |table: u32| {
            *known_tables.entry(table).or_insert_with(|| {
                let name = &self.names.names()[table as usize];
                filter.has_table(&name.schema, &name.table)
            })
        };
        let is_wanted =
            |cell: &&Cell| filter.has_day(cell.day) && filter.has_operation(cell.op) && has_table(cell.table);
        let mut wanted: Vec<&Cell> = cells.iter().filter(is_wanted).collect();
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

    fn count(&self, cell: &Cell) -> u64 {
        let Some(tables) = self.days.get(&cell.day) else { return 0 };
        let place = tables.binary_search_by_key(&cell.table, |known| known.table);
        place.map_or(0, |place| tables[place].counts[cell.op.index()])
    }

    fn count_mut(&mut self, day: Day, schema: &str, table: &str, op: Operation) -> (Cell, &mut u64) {
        let number = match self.names.number(schema, table) {
            Some(number) => number,
            None => Arc::make_mut(&mut self.names).add(schema, table),
        };
        let tables = Arc::make_mut(Arc::make_mut(&mut self.days).entry(day).or_default());
        let place = match tables.last() {
            // Files are sorted by table, and numbers are given in that order.
            Some(last) if last.table < number => Err(tables.len()),
            _ => tables.binary_search_by_key(&number, |known| known.table),
        };
        let place = place.unwrap_or_else(|place| {
            tables.insert(place, DayTable { table: number, counts: [0; 4] });
            place
        });
        (Cell { day, table: number, op }, &mut tables[place].counts[op.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(day: i64, table: &str, op: Operation) -> CountKey {
        let day = Day::from_days(day).expect("a day");
        CountKey { day, schema: "public".to_owned(), table: table.to_owned(), op }
    }

    #[test]
    fn a_moment_stays_what_it_was() {
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
        let told: Vec<(&str, u64, i32, i32)> = tables
            .iter()
            .map(|sum| (sum.name.table.as_str(), sum.count, sum.first_day.days(), sum.last_day.days()))
            .collect();
        assert_eq!(told, [("c", 6, 2, 2), ("a", 5, 2, 2), ("b", 5, 1, 4)]);
    }

    #[test]
    fn changed_counts_are_told_once_and_in_order() {
        let mut totals = Totals::default();
        let cells = [
            totals.add(&key(1, "b", Operation::Update), 1),
            totals.add(&key(1, "b", Operation::Delete), 1),
            totals.add(&key(1, "a\"", Operation::Insert), 1),
            totals.add(&key(1, "b", Operation::Update), 1),
        ];
        let text = String::from_utf8(totals.cells_json(&cells, &Filter::default())).expect("text");
        let rows: serde_json::Value = serde_json::from_str(&format!("[{text}]")).expect("JSON");
        let told: Vec<_> = rows.as_array().into_iter().flatten().map(|row| (&row["table"], &row["count"])).collect();
        let expected = [("a\"", 1), ("b", 1), ("b", 2)].map(|(table, count)| (table.into(), count.into()));
        assert_eq!(told, expected.iter().map(|(table, count)| (table, count)).collect::<Vec<_>>());
    }
}
