//! The counts of one day in memory: a row of four numbers for each table.

use std::mem;
use std::sync::Arc;

use crate::book::log::entry::Delta;
use crate::change::{CountKey, Operation, TableName};

/// The counts of a day, by table and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// Sorted by name, each once; by [`Operation::index`].
    tables: Vec<(Arc<TableName>, [i64; 4])>,
}

impl DayCounts {
    /// All changes of the day.
    pub fn total(&self) -> i128 {
        self.tables.iter().flat_map(|(_, counts)| counts).map(|count| i128::from(*count)).sum()
    }

    /// One count; 0 where there is none.
    pub fn get(&self, table: &TableName, op: Operation) -> i64 {
        let place = self.tables.binary_search_by(|(name, _)| (**name).cmp(table));
        place.map_or(0, |place| self.tables[place].1[op.index()])
    }

    /// The first key whose count in the log, this, is not that of the events.
    pub(super) fn difference(&self, of_events: &DayCounts) -> Option<String> {
        let keys = || self.iter().chain(of_events.iter());
        let differs = |table: &TableName, op| self.get(table, op) != of_events.get(table, op);
        let (table, op, _) = keys().find(|(table, op, _)| differs(table, *op))?;
        let (logged, seen) = (self.get(table, op), of_events.get(table, op));
        Some(format!("the log has {logged} {op} of {:?}.{:?}, the event files have {seen}", table.schema, table.table))
    }

    /// All counts that are not 0, by schema, table and the index of the operation.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<TableName>, Operation, i64)> {
        self.tables.iter().flat_map(|(table, counts)| {
            let counts = Operation::ALL.into_iter().map(move |op| (table, op, counts[op.index()]));
            counts.filter(|(_, _, count)| *count != 0)
        })
    }

    /// Sets a count of the last table, or of one that comes after it.
    ///
    /// # Errors
    /// When the table comes before the last one, or the count is there.
    pub(super) fn push(&mut self, schema: &str, table: &str, op: Operation, count: i64) -> Result<(), &'static str> {
        let name = (schema, table);
        let last = self.tables.last_mut();
        let counts = match last.map(|(last, counts)| ((last.schema.as_str(), last.table.as_str()).cmp(&name), counts)) {
            Some((std::cmp::Ordering::Greater, _)) => return Err("its rows are not sorted by table"),
            Some((std::cmp::Ordering::Equal, counts)) => counts,
            Some((std::cmp::Ordering::Less, _)) | None => {
                self.tables.push((Arc::new(TableName::new(schema, table)), [0; 4]));
                &mut self.tables.last_mut().expect("just pushed").1
            }
        };
        match mem::replace(&mut counts[op.index()], count) {
            0 => Ok(()),
            _ => Err("a key has two rows"),
        }
    }

    /// Adds deltas, which are sorted by table. Saturates: a damaged file may hold anything, and then differs from the log.
    pub(super) fn add<'a>(&mut self, deltas: impl Iterator<Item = &'a Delta>) {
        let known = mem::take(&mut self.tables);
        self.tables.reserve(known.len());
        let mut known = known.into_iter().peekable();
        for Delta { key, count } in deltas {
            while let Some(table) = known.next_if(|(name, _)| *name <= key.table) {
                self.tables.push(table);
            }
            if self.tables.last().is_none_or(|(name, _)| *name != key.table) {
                self.tables.push((Arc::clone(&key.table), [0; 4]));
            }
            let sum = &mut self.tables.last_mut().expect("just pushed").1[key.op.index()];
            *sum = sum.saturating_add(*count);
        }
        self.tables.extend(known);
    }
}

impl FromIterator<(CountKey, i64)> for DayCounts {
    /// The counts of one day in any order, summed by key.
    fn from_iter<T: IntoIterator<Item = (CountKey, i64)>>(counts: T) -> DayCounts {
        let mut deltas: Vec<Delta> = counts.into_iter().map(|(key, count)| Delta { key, count }).collect();
        deltas.sort_unstable();
        let mut sums = DayCounts::default();
        sums.add(deltas.iter());
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Day;

    fn delta(table: &str, op: Operation, count: i64) -> Delta {
        Delta { key: CountKey { day: Day::EPOCH, table: Arc::new(TableName::new("s", table)), op }, count }
    }

    #[test]
    fn deltas_are_merged_into_sorted_tables() {
        use Operation::{Delete, Insert, Update};
        let mut counts = DayCounts::default();
        counts.add([delta("b", Insert, 1), delta("b", Delete, 2), delta("d", Update, 3)].iter());
        counts.add([delta("a", Insert, 4), delta("b", Delete, 5), delta("c", Update, 6), delta("e", Insert, 7)].iter());
        let seen: Vec<_> = counts.iter().map(|(name, op, count)| (name.table.as_str(), op, count)).collect();
        let expected = [
            ("a", Insert, 4),
            ("b", Insert, 1),
            ("b", Delete, 7),
            ("c", Update, 6),
            ("d", Update, 3),
            ("e", Insert, 7),
        ];
        assert_eq!(seen, expected);
        assert_eq!(counts.total(), 28);
        assert_eq!(counts.get(&TableName::new("s", "b"), Delete), 7);
        assert_eq!(counts.get(&TableName::new("s", "x"), Delete), 0);
    }

    #[test]
    fn rows_that_are_not_sorted_or_come_twice_are_refused() {
        let mut counts = DayCounts::default();
        counts.push("s", "b", Operation::Insert, 1).expect("the first");
        counts.push("s", "b", Operation::Delete, 1).expect("another operation");
        assert!(counts.push("s", "b", Operation::Insert, 1).is_err());
        assert!(counts.push("s", "a", Operation::Insert, 1).is_err());
        assert!(counts.push("r", "c", Operation::Insert, 1).is_err());
    }
}
