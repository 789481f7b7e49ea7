//! What merged files and those of swept entries have together, and what the entries have whose files are gone: merged, or pruned.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringTreemap;

use crate::book::log::entry::SourceKind;
use crate::book::log::pruning::{Pruned, is_old};
use crate::book::read::table_counts::TableCounts;
use crate::book::verify::offsets::RowsOfPartition;
use crate::change::{Day, Partition};
use crate::store::layout::Table;

/// The difference between entries with files that are gone and merged files; nothing where they agree.
#[derive(Default)]
pub(in crate::book::verify) struct MergedRows {
    /// By day: what merged files have, less what the entries have.
    pub(in crate::book::verify) counts: BTreeMap<Day, TableCounts>,
    /// By partition: what the entries have.
    pub(in crate::book::verify) logged: BTreeMap<Partition, (SourceKind, RowsOfPartition)>,
    /// The same of the entries of which rows were pruned.
    pub(in crate::book::verify) partly_pruned: BTreeMap<Partition, (SourceKind, RowsOfPartition)>,
    /// By partition: what merged files have.
    pub(in crate::book::verify) merged: BTreeMap<Partition, MergedOffsets>,
    /// The rows that were pruned, as the log has them.
    pub(in crate::book::verify) pruned: PrunedRows,
}

/// How many rows were pruned.
#[derive(Clone, Copy, Default)]
pub(in crate::book::verify) struct PrunedRows {
    pub(in crate::book::verify) events: u64,
    pub(in crate::book::verify) rejects: u64,
}

impl PrunedRows {
    /// Adds the rows of a file.
    pub(in crate::book::verify) fn add(&mut self, table: Table, rows: u64) {
        match table {
            Table::Events => self.events += rows,
            Table::Rejects | Table::Counts => self.rejects += rows,
        }
    }
}

/// What merged files have of a partition.
#[derive(Default)]
pub(in crate::book::verify) struct MergedOffsets {
    pub(in crate::book::verify) events: u64,
    pub(in crate::book::verify) reject_rows: u64,
    /// The offsets of events, and of rejects.
    pub(in crate::book::verify) bearing: RoaringTreemap,
    pub(in crate::book::verify) rejects: RoaringTreemap,
}

impl MergedRows {
    /// Adds those of other files and entries.
    pub(in crate::book::verify) fn add(&mut self, other: MergedRows) {
        for (day, counts) in other.counts {
            let known = self.counts.entry(day).or_default();
            counts.for_each(|schema, table, op, count| known.add(schema, table, op, count));
        }
        for (own, other) in [(&mut self.logged, other.logged), (&mut self.partly_pruned, other.partly_pruned)] {
            for (partition, (source, rows)) in other {
                let (_, known) = own.entry(partition).or_insert((source, RowsOfPartition::default()));
                known.bearing += rows.bearing;
                known.events += rows.events;
                known.rejects += rows.rejects;
            }
        }
        self.pruned.events += other.pruned.events;
        self.pruned.rejects += other.pruned.rejects;
        for (partition, rows) in other.merged {
            let known = self.merged.entry(partition).or_default();
            known.events += rows.events;
            known.reject_rows += rows.reject_rows;
            known.bearing |= rows.bearing;
            known.rejects |= rows.rejects;
        }
    }

    /// How merged files differ from the entries whose files they replace. Of days before that of `pruned` no events are left to be counted.
    pub(in crate::book::verify) fn differences(&self, pruned: Option<Pruned>) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_there = |day: &Day| pruned.is_none_or(|pruned| !is_old(*day, pruned.before));
        for (day, counts) in self.counts.iter().filter(|(day, _)| is_there(day)) {
            counts.for_each(|schema, table, op, count| {
                let (more, count) = (if count > 0 { "more" } else { "fewer" }, count.unsigned_abs());
                wrong.push(format!("{count} {more} {op} of {schema}.{table} on {day} in files of merged days or swept entries than in the log"));
            });
        }
        wrong.extend(self.different_totals());
        let nothing = (MergedOffsets::default(), RowsOfPartition::default());
        let partitions: BTreeSet<&Partition> = self.logged.keys().chain(self.partly_pruned.keys()).collect();
        for partition in &partitions {
            let (exact, partly) = (self.logged.get(*partition), self.partly_pruned.get(*partition));
            let merged = self.merged.get(*partition).unwrap_or(&nothing.0);
            let Some(source) = exact.or(partly).map(|(source, _)| source) else { continue };
            let least = exact.map_or(&nothing.1, |(_, rows)| rows);
            let pruned = partly.map_or(&nothing.1, |(_, rows)| rows);
            let (bearing, rejects) = match source {
                SourceKind::Kafka | SourceKind::File => (merged.bearing.len(), merged.rejects.len()),
                SourceKind::Slot => (merged.events, merged.reject_rows),
            };
            let Partition { topic, number } = partition;
            for (what, seen, least, pruned) in [
                ("records with changes", bearing, least.bearing, pruned.bearing),
                ("rows of events", merged.events, least.events, pruned.events),
                ("rejects", rejects, least.rejects, pruned.rejects),
            ] {
                // How many of the rows of entries with pruned rows are left is not known by partition.
                if !(least..=least + pruned).contains(&i128::from(seen)) {
                    let most = if pruned > 0 { format!(" to {}", least + pruned) } else { String::new() };
                    wrong.push(format!(
                        "partition {number} of {topic} has {seen} {what} in files of merged days or swept entries, {least}{most} in the log"
                    ));
                }
            }
        }
        for Partition { topic, number } in self.merged.keys().filter(|partition| !partitions.contains(partition)) {
            wrong.push(format!(
                "partition {number} of {topic} has rows in files of merged days or swept entries, and none in the log"
            ));
        }
        wrong
    }

    /// How the rows of all merged files and the pruned ones differ from the entries: which partitions pruned rows were of is not known any more.
    fn different_totals(&self) -> Vec<String> {
        let (mut events, mut rejects) = (0i128, 0i128);
        for (_, logged) in self.logged.values().chain(self.partly_pruned.values()) {
            events += logged.events;
            rejects += logged.rejects;
        }
        let merged = |rows: fn(&MergedOffsets) -> u64| self.merged.values().map(rows).map(i128::from).sum::<i128>();
        let mut wrong = Vec::new();
        for (what, logged, merged, pruned) in [
            ("events", events, merged(|rows| rows.events), self.pruned.events),
            ("rejects", rejects, merged(|rows| rows.reject_rows), self.pruned.rejects),
        ] {
            if merged + i128::from(pruned) != logged {
                wrong.push(format!(
                    "merged files have {merged} rows of {what}, and {pruned} were pruned: together not the {logged} of the log"
                ));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> Partition {
        Partition { topic: "t".to_owned(), number }
    }

    fn logged(rows: i128) -> (SourceKind, RowsOfPartition) {
        (SourceKind::Kafka, RowsOfPartition { bearing: rows, events: rows, rejects: 0 })
    }

    fn merged(rows: u64) -> MergedOffsets {
        MergedOffsets { events: rows, bearing: (0..rows).collect(), ..MergedOffsets::default() }
    }

    /// Two partitions with 10 logged rows each; of a third, with 10, some were pruned.
    fn rows(merged_of: [u64; 3], pruned: u64) -> MergedRows {
        MergedRows {
            logged: [0, 1].into_iter().map(|number| (partition(number), logged(10))).collect(),
            partly_pruned: BTreeMap::from([(partition(2), logged(10))]),
            merged: (0..).zip(merged_of).map(|(number, rows)| (partition(number), merged(rows))).collect(),
            pruned: PrunedRows { events: pruned, rejects: 0 },
            ..MergedRows::default()
        }
    }

    #[test]
    fn partitions_without_pruned_rows_are_compared_exactly_and_the_others_together() {
        assert_eq!(rows([10, 10, 4], 6).differences(None), Vec::<String>::new());
        // A row that moved from one partition to another.
        let moved = rows([11, 9, 4], 6).differences(None);
        assert!(moved.iter().any(|what| what.contains("partition 0 of t has 11")), "{moved:?}");
        assert!(moved.iter().any(|what| what.contains("partition 1 of t has 9")), "{moved:?}");
        // One that is lost beside those that were pruned, and one too many.
        for wrong in [rows([10, 10, 3], 6), rows([10, 10, 5], 6), rows([10, 10, 11], 0)] {
            let wrong = wrong.differences(None);
            assert!(!wrong.is_empty());
        }
    }
}
