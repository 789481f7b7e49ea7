//! Table names → numbers: one that stays as long as the worker, and an index that is valid for one batch.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use super::Name;
use crate::change::{TableId, TableName};

/// Entries of the cache of recent names; a power of two.
const RECENT: usize = 256;

/// Recognizes printed table names without allocating.
pub(super) struct TableNumbers {
    /// All names so far, by their printed form.
    numbers: HashMap<Box<str>, usize>,
    tables: Vec<NumberedTable>,
    /// By a cheap hash of the printed form: one more than the number of the last name that had it.
    recent: [usize; RECENT],
    /// Increases with each batch; an index of an earlier batch is not valid.
    batch: u64,
    in_batch: BatchTables,
    /// Tables seen for the first time since [`TableNumbers::take_new`] was called.
    new: Vec<Arc<TableName>>,
}

/// The tables of a batch, by their index in it.
#[derive(Default)]
pub(super) struct BatchTables {
    pub(super) names: Vec<Arc<TableName>>,
    pub(super) ids: Vec<TableId>,
}

struct NumberedTable {
    printed: Box<str>,
    name: Arc<TableName>,
    id: TableId,
    batch: u64,
    index: usize,
}

impl TableNumbers {
    pub(super) fn new() -> TableNumbers {
        TableNumbers {
            numbers: HashMap::new(),
            tables: Vec::new(),
            recent: [0; RECENT],
            batch: 1,
            in_batch: BatchTables::default(),
            new: Vec::new(),
        }
    }

    /// The table's index among those of this batch.
    pub(super) fn index_in_batch(&mut self, name: &Name<'_>) -> usize {
        let printed = name.text();
        let slot = hash(printed.as_bytes());
        let number = match self.recent[slot].checked_sub(1) {
            Some(number) if *self.tables[number].printed == *printed => number,
            _ => {
                let number = self.number(name);
                self.recent[slot] = number + 1;
                number
            }
        };
        let table = &mut self.tables[number];
        if table.batch != self.batch {
            table.batch = self.batch;
            table.index = self.in_batch.ids.len();
            self.in_batch.names.push(Arc::clone(&table.name));
            self.in_batch.ids.push(table.id);
        }
        table.index
    }

    /// The tables of this batch in the order of their index; the next batch begins.
    pub(super) fn finish_batch(&mut self) -> BatchTables {
        self.batch += 1;
        mem::take(&mut self.in_batch)
    }

    /// The tables seen for the first time since the last call.
    pub(super) fn take_new(&mut self) -> Vec<Arc<TableName>> {
        mem::take(&mut self.new)
    }

    fn number(&mut self, name: &Name<'_>) -> usize {
        if let Some(number) = self.numbers.get(name.text()) {
            return *number;
        }
        let unquoted = Arc::new(TableName { schema: name.schema().into_owned(), table: name.table().into_owned() });
        let printed: Box<str> = name.text().into();
        self.numbers.insert(printed.clone(), self.tables.len());
        self.new.push(Arc::clone(&unquoted));
        let id = TableId::of(&unquoted);
        self.tables.push(NumberedTable { printed, name: unquoted, id, batch: 0, index: 0 });
        self.tables.len() - 1
    }
}

/// An entry of the cache, by the length and the last eight bytes, where names of one schema differ.
fn hash(printed: &[u8]) -> usize {
    let tail = match printed.last_chunk::<8>() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => printed.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let mixed = (tail ^ printed.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as usize % RECENT
}
