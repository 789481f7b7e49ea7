//! Numbers by schema, table and operation.

use std::collections::BTreeMap;

use crate::change::Operation;

/// Numbers by schema, table and operation; looked up without copying a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableCounts(BTreeMap<String, BTreeMap<String, [i64; 4]>>);

impl TableCounts {
    /// Adds to one number. Saturates: a damaged file may hold anything, and then differs from the log.
    pub(crate) fn add(&mut self, schema: &str, table: &str, op: Operation, count: i64) {
        let known = self.0.get_mut(schema).and_then(|tables| tables.get_mut(table));
        let counts = match known {
            Some(counts) => counts,
            None => self.0.entry(schema.to_owned()).or_default().entry(table.to_owned()).or_default(),
        };
        counts[op.index()] = counts[op.index()].saturating_add(count);
    }

    /// Removes one number and returns it.
    pub(crate) fn take(&mut self, schema: &str, table: &str, op: Operation) -> i64 {
        let counts = self.0.get_mut(schema).and_then(|tables| tables.get_mut(table));
        counts.map_or(0, |counts| std::mem::take(&mut counts[op.index()]))
    }

    /// Passes every number that is not zero to `show`.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&str, &str, Operation, i64)) {
        for (schema, tables) in &self.0 {
            for (table, counts) in tables {
                for op in Operation::ALL.into_iter().filter(|op| counts[op.index()] != 0) {
                    show(schema, table, op, counts[op.index()]);
                }
            }
        }
    }
}
