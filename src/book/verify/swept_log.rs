//! Whether what stands for swept entries agrees with itself.
//!
//! That it says what they said cannot be known any more; that its files have the rows and counts that it says, and that the log goes on from it, can.

use std::collections::BTreeSet;

use crate::book::log::base::{Base, Manifest};
use crate::book::log::days::day_files::NameSum;
use crate::book::log::entry::SourceKind;
use crate::change::Day;
use crate::store::layout::{RowsPlace, Table};

/// What is wrong with the numbers of a base.
pub(super) fn wrong_base(base: &Base) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut events, mut rejects) = (0u128, 0u128);
    for (topic, partitions) in &base.read {
        let Some(known) = base.state.topics.get(topic) else {
            wrong.push(format!("it has read {topic}, which is no topic of the book"));
            continue;
        };
        for (number, read) in partitions {
            let (interval, tally) = (read.interval, &read.tally);
            events += u128::from(tally.events);
            rejects += u128::from(tally.rejects);
            let next = known.positions.get(number).map(|position| position.next);
            if next != Some(interval.to) {
                wrong.push(format!(
                    "partition {number} of {topic} was read to {}, its position is {next:?}",
                    interval.to
                ));
            }
            let sums = [tally.bearing, tally.markers, tally.rejects].map(u128::from).iter().sum::<u128>();
            let width = i128::from(interval.to) - i128::from(interval.from);
            let offsets = [read.records, read.empty, read.lost].map(i128::from).iter().sum::<i128>();
            if sums != u128::from(read.records) || (known.source != SourceKind::Slot && offsets != width) {
                wrong.push(format!(
                    "partition {number} of {topic} has {width} offsets, but {offsets} are accounted for"
                ));
            }
        }
    }
    let counted = base.state.days.values().map(|day| u128::from(day.changes)).sum::<u128>();
    let rejected = base.state.rejects.iter().flat_map(|days| days.values()).map(|rows| u128::from(*rows)).sum::<u128>();
    for (what, read, by_day) in [("changes", events, counted), ("rejects", rejects, rejected)] {
        if read != by_day {
            wrong.push(format!("it has read {read} {what}, its days have {by_day}"));
        }
    }
    for table in [Table::Events, Table::Rejects] {
        let with_files = base.state.files.iter().flatten().filter(|(_, files)| files.of(table).files > 0);
        let mut days: BTreeSet<Day> = with_files.map(|(day, _)| *day).collect();
        if table == Table::Events {
            days.extend(base.state.days.keys());
        }
        let missing = days.into_iter().filter(|day| base.manifests.get(table, *day).is_none());
        wrong.extend(missing.map(|day| format!("it names no manifest of {} of {day}", table.folder())));
    }
    wrong
}

/// How many rows of a day were pruned before the base: those that were read of it, without those of its files.
pub(super) fn rows_pruned_before(base: &Base, table: Table, day: Day, manifest: &Manifest) -> u64 {
    if !base.state.is_pruned_day(day) {
        return 0;
    }
    let rejects = || base.state.rejects.as_ref().and_then(|days| days.get(&day)).copied().unwrap_or(0);
    let read = match table {
        Table::Events => base.state.days.get(&day).map_or(0, |day| day.changes),
        Table::Rejects | Table::Counts => rejects(),
    };
    read.saturating_sub(manifest.files.iter().map(|named| named.file.rows).sum())
}

/// How a manifest differs from the base that names it.
pub(super) fn wrong_manifest(base: &Base, table: Table, day: Day, manifest: &Manifest) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut names, mut bytes, mut rows) = (NameSum::default(), 0u64, 0u64);
    for named in &manifest.files {
        let file = &named.file;
        names.add(&file.path);
        bytes = bytes.saturating_add(file.bytes);
        rows = rows.saturating_add(file.rows);
        let place = RowsPlace::parse(&file.path);
        if place.is_none_or(|place| (place.table(), place.day()) != (table, day)) || named.entry > base.entry() {
            wrong.push(format!("it names {:?} of entry {}", file.path, named.entry));
        }
    }
    let known = base.state.files.as_ref().and_then(|files| files.get(&day)).copied().unwrap_or_default();
    if names != known.of(table) || known.size_of(table).bytes().is_some_and(|known| known != bytes) {
        wrong.push(format!(
            "it names {} files of {bytes} bytes, the base {} or other ones",
            names.files,
            known.of(table).files
        ));
    }
    let counted = manifest.counts.iter().map(|delta| i128::from(delta.count)).sum::<i128>();
    let (what, has, expected) = match table {
        Table::Events => ("changes", counted, base.state.days.get(&day).map_or(0, |day| day.changes)),
        Table::Rejects | Table::Counts => {
            let rejects = base.state.rejects.as_ref().and_then(|days| days.get(&day));
            ("rejects", i128::from(rows), rejects.copied().unwrap_or(0))
        }
    };
    let is_pruned = base.state.is_pruned_day(day);
    if has != i128::from(expected) && !(is_pruned && table == Table::Rejects) {
        wrong.push(format!("it has {has} {what}, the base {expected}"));
    }
    if table == Table::Events && i128::from(rows) != counted && !is_pruned {
        wrong.push(format!("its files have {rows} rows, its counts {counted} changes"));
    }
    wrong
}
