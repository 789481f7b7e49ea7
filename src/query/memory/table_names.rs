//! Names of tables, each with a number.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::change::TableName;

/// Tables in the order in which they were added; a table's index is its number.
#[derive(Clone, Debug, Default)]
pub(in crate::query) struct TableNames {
    names: Vec<Arc<TableName>>,
    numbers: HashMap<String, HashMap<String, u32>>,
    /// By number: the rank among all names. Made at the first use.
    ranks: OnceLock<Arc<[u32]>>,
}

impl TableNames {
    /// The number of a table, if it was added.
    pub(in crate::query) fn number(&self, schema: &str, table: &str) -> Option<u32> {
        self.numbers.get(schema)?.get(table).copied()
    }

    /// The number of a table, which is added if it is new.
    pub(in crate::query) fn number_or_add(&mut self, schema: &str, table: &str) -> u32 {
        if let Some(number) = self.number(schema, table) {
            return number;
        }
        let number = u32::try_from(self.names.len()).expect("tables with counts in memory are fewer than 2^32");
        self.names.push(Arc::new(TableName { schema: schema.to_owned(), table: table.to_owned() }));
        self.numbers.entry(schema.to_owned()).or_default().insert(table.to_owned(), number);
        self.ranks = OnceLock::new();
        number
    }

    /// By number: the names.
    pub(in crate::query) fn names(&self) -> &[Arc<TableName>] {
        &self.names
    }

    /// By number: the rank among all names.
    pub(in crate::query) fn ranks(&self) -> Arc<[u32]> {
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
