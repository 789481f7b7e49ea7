//! The files of one entry: present, whole, and with the rows that the entry has.

use std::collections::{BTreeMap, BTreeSet};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::findings::{EntryFindings, open};
use super::merged::verify_merged;
use super::offsets::PartitionRows;
use super::paths::RemovedPaths;
use super::recount::{FileRows, columns_of};
use crate::book::log::entry::{AddedFile, Delta, Entry, EntryKind, SourceKind};
use crate::book::read::checksum::difference;
use crate::book::read::columns::{self, KeyValues};
use crate::book::read::table_counts::TableCounts;
use crate::book::rfc3339;
use crate::change::{CommitNumber, CountKey, Day, Partition, Place};
use crate::store::layout::{FilePlace, Table};
use crate::store::{Store, StoredFile};

/// An entry whose files are to be verified.
pub(super) struct EntryToVerify {
    pub(super) entry: Entry,
    /// By partition: the highest place before the entry.
    pub(super) highest: BTreeMap<Partition, Place>,
    /// The commit before: the entry's files carry higher numbers.
    pub(super) commit_before: CommitNumber,
    /// Whether its files may still be in staging.
    pub(super) may_be_staged: bool,
}

/// Reads all files that an entry adds and no later one has `removed`, by a compaction or by pruning.
pub(super) fn verify_files(store: &dyn Store, work: &EntryToVerify, removed: &RemovedPaths) -> EntryFindings {
    let entry = &work.entry;
    if entry.kind == EntryKind::Compaction {
        return verify_merged(store, entry, work.may_be_staged, removed);
    }
    let mut found = EntryFindings { entry: entry.entry, ..EntryFindings::default() };
    let mut partitions = BTreeMap::new();
    for (topic, read) in &entry.topics {
        for (number, position) in &read.positions {
            let name = format!("partition {number} of {topic}");
            let partition = Partition { topic: topic.clone(), number: *number };
            partitions.insert(partition, PartitionRows::new(name, read.source, position));
        }
    }
    let mut commit_time = None;
    let mut counts: BTreeMap<Day, TableCounts> = BTreeMap::new();
    for Delta { key: CountKey { day, table, op }, count } in &entry.deltas {
        counts.entry(*day).or_default().add(&table.schema, &table.table, *op, -count);
    }

    let mut highest: BTreeMap<Day, BTreeMap<Partition, Place>> = BTreeMap::new();
    // The last row of each day and partition so far.
    let mut last: BTreeMap<(Table, Day, Partition), (i64, i32)> = BTreeMap::new();
    let mut files: Vec<(Option<FilePlace>, &AddedFile)> =
        entry.added.iter().map(|added| (FilePlace::parse(&added.path), added)).collect();
    // By number, not by name: a worker's tenth file of a day follows its ninth.
    files
        .sort_by_key(|(place, _)| place.map(|place| (place.table, place.day, place.commit, place.worker, place.index)));
    // The days of events whose files are not all read, and whether there are any other such files.
    let (mut replaced_days, mut is_replaced, mut is_pruned) = (BTreeSet::new(), false, false);
    for (place, added) in files {
        is_pruned |= removed.are_rows_pruned(&added.path);
        if removed.holds(&added.path) {
            is_replaced = true;
            replaced_days.extend(place.filter(|place| place.table == Table::Events).map(|place| place.day));
            continue;
        }
        if removed.is_pruned(&added.path) {
            if let Some(place) = place {
                found.merged.pruned.add(place.table, added.rows);
                replaced_days.extend((place.table == Table::Events).then_some(place.day));
            }
            is_replaced = true;
            continue;
        }
        found.files += 1;
        let Some(place) = place.filter(|place| work.commit_before < place.commit && place.commit <= entry.commit)
        else {
            found.damaged.push(format!("{}: no name for a file of commit {}", added.path, entry.commit));
            continue;
        };
        let (table, day) = (place.table, place.day);
        let staged = work.may_be_staged.then(|| entry.staged_path(added));
        let Some(file) = open(store, added, staged, &mut found) else { continue };
        // Rows of one day are in order over the files of a partition; those of two days are not.
        let highest = highest.entry(day).or_insert_with(|| work.highest.clone());
        let rows = whole(&file, added, place, entry).and_then(|metadata| {
            let rows = FileRows::read(&file, &metadata, table, &entry.topics, highest)?;
            if rows.rows == added.rows { Ok((metadata, rows)) } else { Err(wrong_rows(rows.rows, added)) }
        });
        let (metadata, rows) = match rows {
            Ok(read) => read,
            Err(what) => {
                found.damaged.push(format!("{}: {what}", added.path));
                continue;
            }
        };
        found.bytes += added.bytes;
        match table {
            Table::Events => found.event_rows += rows.rows,
            Table::Rejects | Table::Counts => found.reject_rows += rows.rows,
        }
        if let Err(what) = wrong_offsets(KeyValues(metadata.metadata()), &rows) {
            found.damaged.push(format!("{}: {what}", added.path));
        }
        commit_time = commit_time.max(rows.commit_time);
        rows.counts.for_each(|schema, name, op, count| counts.entry(day).or_default().add(schema, name, op, count));
        found.repeated += rows.repeated.0;
        found.repeats.extend(rows.repeated.1.map(|what| format!("{}: {what}", added.path)));
        let mut wrong: Vec<String> = rows.wrong.into_values().collect();
        for (partition, read) in rows.partitions {
            let (last_stretch, place) = read.run.end();
            let Some(known) = partitions.get_mut(&partition) else {
                wrong.push(format!("partition {} of {} is not in the entry", partition.number, partition.topic));
                continue;
            };
            let before = last.insert((table, day, partition.clone()), read.run.last_row());
            // A transaction that continues in the next file keeps the order of its changes.
            let mut continues = before.is_some_and(|before| before.0 == read.run.first.0 && before < read.run.first);
            for stretch in read.stretches.into_iter().chain([last_stretch]) {
                let stretch = match table {
                    Table::Events => known.add_bearing(stretch, std::mem::take(&mut continues)),
                    Table::Rejects | Table::Counts => known.add_rejects(stretch),
                };
                wrong.extend(
                    stretch.map(|what| format!("partition {} of {}: {what}", partition.number, partition.topic)),
                );
            }
            if table == Table::Rejects {
                known.add_reject_rows(read.rows);
            }
            if table == Table::Events {
                known.add_rows(read.rows, place.filter(|place| highest.get(&partition) < Some(place)));
                highest.extend(place.map(|place| (partition, place)));
            }
        }
        found.wrong_rows.extend(wrong.into_iter().map(|what| format!("{}: {what}", added.path)));
    }
    if is_replaced {
        let of_replaced = replaced_days.iter().filter_map(|day| counts.remove_entry(day));
        found.merged.counts = of_replaced.collect();
        let sources =
            |partition: &Partition| entry.topics.get(&partition.topic).map_or(SourceKind::Kafka, |read| read.source);
        let rest =
            partitions.iter().map(|(partition, rows)| (partition.clone(), (sources(partition), rows.rest()))).collect();
        let logged = if is_pruned { &mut found.merged.partly_pruned } else { &mut found.merged.logged };
        *logged = rest;
        partitions.clear();
        commit_time = entry.commit_time;
    }
    // With files missing or damaged the sums differ anyway.
    if found.damaged.is_empty() && found.missing.is_empty() {
        let wrong_time = wrong_commit_time(entry, commit_time);
        let entry = format!("entry {}", entry.entry);
        found.wrong_rows.extend(wrong_time.map(|what| format!("{entry}: {what}")));
        let differences = partitions.values().flat_map(PartitionRows::differences);
        found.wrong_rows.extend(differences.map(|what| format!("{entry}: {what}")));
        for (day, counts) in &counts {
            counts.for_each(|schema, table, op, count| {
                let (more, count) = (if count > 0 { "more" } else { "fewer" }, count.unsigned_abs());
                let what =
                    format!("{entry}: {count} {more} {op} of {schema}.{table} on {day} in its files than in the log");
                found.wrong_rows.push(what);
            });
        }
    }
    found
}

/// Compares an entry's commit time with the newest of its rows. Entries of versions that did not write it have none.
fn wrong_commit_time(entry: &Entry, of_rows: Option<i64>) -> Option<String> {
    let logged = entry.commit_time.filter(|logged| of_rows != Some(*logged))?;
    let of_rows = of_rows.map_or_else(
        || "none of its rows has one".to_owned(),
        |newest| format!("the newest of its rows is {}", rfc3339(newest)),
    );
    Some(format!("its commit_time is {}, {of_rows}", rfc3339(logged)))
}

/// Compares size, checksum, columns and metadata with the entry.
fn whole(file: &StoredFile, added: &AddedFile, place: FilePlace, entry: &Entry) -> Result<ArrowReaderMetadata, String> {
    if let Some(what) = difference(file, added).map_err(|error| error.to_string())? {
        return Err(what);
    }
    let metadata = columns::metadata(file).map_err(|error| error.to_string())?;
    let names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name().as_str()).collect();
    if names != columns_of(place.table) {
        return Err(format!("its columns are {}", names.join(", ")));
    }
    let values = KeyValues(metadata.metadata());
    let texts = [("walbook.book", &entry.book), ("walbook.generation", &entry.generation)];
    for (key, expected) in texts {
        let text = values.text(key)?;
        if text != expected {
            return Err(format!("its metadata has {key} {text:?}, {expected:?} in the log"));
        }
    }
    for (key, expected) in [("walbook.commit", place.commit), ("walbook.rows", added.rows)] {
        let number = values.number(key)?;
        if number != expected {
            return Err(format!("its metadata has {key} {number}, {expected} in the log"));
        }
    }
    let rows = metadata.metadata().file_metadata().num_rows();
    if u64::try_from(rows) == Ok(added.rows) { Ok(metadata) } else { Err(wrong_rows(rows, added)) }
}

fn wrong_rows(rows: impl std::fmt::Display, added: &AddedFile) -> String {
    format!("it has {rows} rows, {} in the log", added.rows)
}

/// Compares the first and last offsets in a file's metadata with those of its rows.
fn wrong_offsets(values: KeyValues<'_>, rows: &FileRows) -> Result<(), String> {
    let text = values.text("walbook.offsets")?;
    let named: BTreeMap<String, BTreeMap<i32, (i64, i64)>> =
        serde_json::from_str(text).map_err(|error| format!("its metadata has unreadable offsets: {error}"))?;
    let named = named.into_iter().flat_map(|(topic, partitions)| {
        partitions.into_iter().map(move |(number, ends)| (Partition { topic: topic.clone(), number }, ends))
    });
    let named: BTreeMap<Partition, (i64, i64)> = named.collect();
    let seen = rows.partitions.iter().map(|(partition, read)| (partition.clone(), (read.run.first.0, read.run.last)));
    if seen.collect::<BTreeMap<_, _>>() == named {
        Ok(())
    } else {
        Err("its metadata has other offsets than its rows".to_owned())
    }
}
