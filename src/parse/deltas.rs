//! How many changes of each key a batch holds.

use std::collections::BTreeMap;

use crate::change::{Day, Epoch, Operation, PackedCountKey, TableId};

/// Counts by table and operation. Those of a table's current day are in a vector, those of earlier days in a map.
#[derive(Default)]
pub(super) struct Deltas {
    /// By the table's index in the batch.
    current: Vec<(Day, [u64; 4])>,
    earlier: BTreeMap<(usize, Day), [u64; 4]>,
}

impl Deltas {
    /// Counts one change.
    pub(super) fn add(&mut self, table: usize, day: Day, op: Operation) {
        if table >= self.current.len() {
            self.current.resize(table + 1, (day, [0; 4]));
        }
        let (current, counts) = &mut self.current[table];
        if *current != day {
            let earlier = self.earlier.entry((table, *current)).or_default();
            for (sum, count) in earlier.iter_mut().zip(counts.iter_mut()) {
                *sum += std::mem::take(count);
            }
            *current = day;
        }
        counts[op.index()] += 1;
    }

    /// The counts as updates at `epoch`, each with the number of changes as its weight.
    pub(super) fn finish(
        self,
        tables: &[TableId],
        epoch: Epoch,
    ) -> impl Iterator<Item = (PackedCountKey, Epoch, isize)> {
        let mut all = self.earlier;
        for (table, (day, counts)) in self.current.into_iter().enumerate() {
            let sums = all.entry((table, day)).or_default();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        all.into_iter().flat_map(move |((table, day), counts)| {
            let table = tables[table];
            Operation::ALL
                .into_iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .map(move |(op, count)| (PackedCountKey::new(day, table, op), epoch, count as isize))
        })
    }
}
