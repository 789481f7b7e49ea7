//! What merged files and those of swept entries have together, and what the entries have whose files they replace.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;

use crate::book::log::entry::SourceKind;
use crate::book::read::table_counts::TableCounts;
use crate::book::verify::offsets::RowsOfPartition;
use crate::change::{Day, Partition};

/// The difference between entries with replaced files and merged files; nothing where they agree.
#[derive(Default)]
pub(in crate::book::verify) struct MergedRows {
    /// By day: what merged files have, less what the entries have.
    pub(in crate::book::verify) counts: BTreeMap<Day, TableCounts>,
    /// By partition: what the entries have.
    pub(in crate::book::verify) logged: BTreeMap<Partition, (SourceKind, RowsOfPartition)>,
    /// By partition: what merged files have.
    pub(in crate::book::verify) merged: BTreeMap<Partition, MergedOffsets>,
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
        for (partition, (source, rows)) in other.logged {
            let (_, known) = self.logged.entry(partition).or_insert((source, RowsOfPartition::default()));
            known.bearing += rows.bearing;
            known.events += rows.events;
            known.rejects += rows.rejects;
        }
        for (partition, rows) in other.merged {
            let known = self.merged.entry(partition).or_default();
            known.events += rows.events;
            known.reject_rows += rows.reject_rows;
            known.bearing |= rows.bearing;
            known.rejects |= rows.rejects;
        }
    }

    /// How merged files differ from the entries whose files they replace.
    pub(in crate::book::verify) fn differences(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (day, counts) in &self.counts {
            counts.for_each(|schema, table, op, count| {
                let (more, count) = (if count > 0 { "more" } else { "fewer" }, count.unsigned_abs());
                wrong.push(format!("{count} {more} {op} of {schema}.{table} on {day} in files of merged days or swept entries than in the log"));
            });
        }
        let nothing = MergedOffsets::default();
        for (partition, (source, logged)) in &self.logged {
            let merged = self.merged.get(partition).unwrap_or(&nothing);
            let (bearing, rejects) = match source {
                SourceKind::Kafka | SourceKind::File => (merged.bearing.len(), merged.rejects.len()),
                SourceKind::Slot => (merged.events, merged.reject_rows),
            };
            let Partition { topic, number } = partition;
            for (what, seen, logged) in [
                ("records with changes", bearing, logged.bearing),
                ("rows of events", merged.events, logged.events),
                ("rejects", rejects, logged.rejects),
            ] {
                if i128::from(seen) != logged {
                    wrong.push(format!(
                        "partition {number} of {topic} has {seen} {what} in files of merged days or swept entries, {logged} in the log"
                    ));
                }
            }
        }
        for Partition { topic, number } in self.merged.keys().filter(|partition| !self.logged.contains_key(partition)) {
            wrong.push(format!(
                "partition {number} of {topic} has rows in files of merged days or swept entries, and none in the log"
            ));
        }
        wrong
    }
}
