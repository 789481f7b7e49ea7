//! How many changes of each key a batch holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::{CountKey, Day, Epoch, Operation, TableName};

/// Counts by table and operation of the day at hand; a table whose day changes is put aside and begins anew.
#[derive(Default)]
pub(super) struct Deltas {
    /// By the table's place in the batch.
    at_hand: Vec<(Day, [u64; 4])>,
    aside: BTreeMap<(usize, Day), [u64; 4]>,
}

impl Deltas {
    /// Counts one change.
    pub(super) fn add(&mut self, table: usize, day: Day, op: Operation) {
        if table >= self.at_hand.len() {
            self.at_hand.resize(table + 1, (day, [0; 4]));
        }
        let (at_hand, counts) = &mut self.at_hand[table];
        if *at_hand != day {
            let aside = self.aside.entry((table, *at_hand)).or_default();
            for (sum, count) in aside.iter_mut().zip(counts.iter_mut()) {
                *sum += std::mem::take(count);
            }
            *at_hand = day;
        }
        counts[op.index()] += 1;
    }

    /// The counts as updates at `epoch`, each with the number of changes as its weight.
    pub(super) fn finish(
        self,
        tables: &[Arc<TableName>],
        epoch: Epoch,
    ) -> impl Iterator<Item = (CountKey, Epoch, isize)> {
        let mut all = self.aside;
        for (table, (day, counts)) in self.at_hand.into_iter().enumerate() {
            let sums = all.entry((table, day)).or_default();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        all.into_iter().flat_map(move |((table, day), counts)| {
            let name = Arc::clone(&tables[table]);
            Operation::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(move |(op, count)| {
                let key = CountKey { day, schema: name.schema.clone(), table: name.table.clone(), op };
                (key, epoch, count as isize)
            })
        })
    }
}
