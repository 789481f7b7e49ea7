//! The tables that were met, each with a number.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::change::TableName;

/// Tables in the order in which they were met; a table's place is its number.
#[derive(Clone, Debug, Default)]
pub(super) struct TableNames {
    names: Vec<Arc<TableName>>,
    numbers: HashMap<String, HashMap<String, u32>>,
    /// By number: the place among all names, sorted. Made when first asked for.
    ranks: OnceLock<Arc<[u32]>>,
}

impl TableNames {
    /// The number of a table, if it was met.
    pub(super) fn number(&self, schema: &str, table: &str) -> Option<u32> {
        self.numbers.get(schema)?.get(table).copied()
    }

    /// Adds a table that was not met.
    pub(super) fn add(&mut self, schema: &str, table: &str) -> u32 {
        let number = u32::try_from(self.names.len()).expect("tables with counts in memory are fewer than 2^32");
        self.names.push(Arc::new(TableName { schema: schema.to_owned(), table: table.to_owned() }));
        self.numbers.entry(schema.to_owned()).or_default().insert(table.to_owned(), number);
        self.ranks = OnceLock::new();
        number
    }

    /// By number: the names.
    pub(super) fn names(&self) -> &[Arc<TableName>] {
        &self.names
    }

    /// By number: the place among all names, sorted.
    pub(super) fn ranks(&self) -> Arc<[u32]> {
        let ranks = self.ranks.get_or_init(|| {
            let mut sorted: Vec<u32> = (0..).take(self.names.len()).collect();
            sorted.sort_unstable_by_key(|number| &self.names[*number as usize]);
            let mut ranks = vec![0; sorted.len()];
            for (rank, number) in (0..).zip(sorted) {
                ranks[number as usize] = rank;
            }
            ranks.into()
        });
        Arc::clone(ranks)
    }
}
