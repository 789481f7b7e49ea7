//! Table names as they come by, each given a number that is good for one batch.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use super::Name;
use crate::change::TableName;

/// Places of the memo of recent names; a power of two.
const RECENT: usize = 256;

/// Recognises printed table names without making a text of them each time.
pub(super) struct Tables {
    /// All names ever seen, by their printed form.
    numbers: HashMap<Box<str>, usize>,
    seen: Vec<Seen>,
    /// By a cheap mix of the printed form: one more than the number of the last name that had it.
    recent: [usize; RECENT],
    /// Grows with each batch; a place in the batch that was given in another batch does not count.
    batch: u64,
    in_batch: Vec<Arc<TableName>>,
}

struct Seen {
    printed: Box<str>,
    name: Arc<TableName>,
    batch: u64,
    place: usize,
}

impl Tables {
    pub(super) fn new() -> Tables {
        Tables { numbers: HashMap::new(), seen: Vec::new(), recent: [0; RECENT], batch: 1, in_batch: Vec::new() }
    }

    /// The table's place among those of this batch.
    pub(super) fn place(&mut self, name: &Name<'_>) -> usize {
        let printed = name.text();
        let memo = mix(printed.as_bytes());
        let number = match self.recent[memo].checked_sub(1) {
            Some(number) if *self.seen[number].printed == *printed => number,
            _ => {
                let number = self.number(name);
                self.recent[memo] = number + 1;
                number
            }
        };
        let seen = &mut self.seen[number];
        if seen.batch != self.batch {
            seen.batch = self.batch;
            seen.place = self.in_batch.len();
            self.in_batch.push(Arc::clone(&seen.name));
        }
        seen.place
    }

    /// The tables of this batch in the order of their places; the next batch begins.
    pub(super) fn finish_batch(&mut self) -> Vec<Arc<TableName>> {
        self.batch += 1;
        mem::take(&mut self.in_batch)
    }

    fn number(&mut self, name: &Name<'_>) -> usize {
        if let Some(number) = self.numbers.get(name.text()) {
            return *number;
        }
        let unquoted = TableName { schema: name.schema().into_owned(), table: name.table().into_owned() };
        let printed: Box<str> = name.text().into();
        self.numbers.insert(printed.clone(), self.seen.len());
        self.seen.push(Seen { printed, name: Arc::new(unquoted), batch: 0, place: 0 });
        self.seen.len() - 1
    }
}

/// A place in the memo: the length and the last eight bytes, where names of one schema differ.
fn mix(printed: &[u8]) -> usize {
    let tail = match printed.last_chunk::<8>() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => printed.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let mixed = (tail ^ printed.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 56) as usize % RECENT
}
