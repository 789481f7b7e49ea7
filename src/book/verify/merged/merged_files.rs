//! Merged files: whole, with the rows that their compaction says; and together with the other files they have what the log has.
//!
//! The files that a compaction replaced are gone, so the rows of one entry cannot be compared with it any more. Instead all entries
//! with such files are compared together with all merged files: counts by key and day, and by partition the offsets.

use arrow_array::types::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use twox_hash::XxHash3_64;

use super::merged_rows::MergedRows;
use crate::book::log::compaction::{MergedFile, RowSum};
use crate::book::log::entry::{AddedFile, Entry, EntryKind};
use crate::book::read::checksum::difference;
use crate::book::read::columns::{self, KeyValues, Texts, all_numbers, read_group};
use crate::book::read::row_sum::add_rows;
use crate::book::verify::findings::{EntryFindings, open};
use crate::book::verify::paths::RemovedPaths;
use crate::book::verify::recount::{BATCH, add_counts, columns_of, columns_read};
use crate::change::{Day, Partition};
use crate::store::layout::{MergedPlace, Table};
use crate::store::{Store, StoredFile};

/// Reads the merged files of a compaction that are still part of the book.
pub(in crate::book::verify) fn verify_merged(
    store: &dyn Store,
    entry: &Entry,
    may_be_staged: bool,
    removed: &RemovedPaths,
) -> EntryFindings {
    let mut found = EntryFindings { entry: entry.entry, ..EntryFindings::default() };
    let Some(compaction) = entry.compaction.as_ref().filter(|_| entry.kind == EntryKind::Compaction) else {
        return found;
    };
    for (added, merged) in entry.added.iter().zip(&compaction.added) {
        if removed.holds(&added.path) {
            continue;
        }
        if removed.is_pruned(&added.path) {
            let place = MergedPlace::parse(&added.path);
            place.into_iter().for_each(|place| found.merged.pruned.add(place.table, added.rows));
            continue;
        }
        found.files += 1;
        let Some(place) = MergedPlace::parse(&added.path).filter(|place| place.entry == entry.entry) else {
            found.damaged.push(format!("{}: no name for a file of entry {}", added.path, entry.entry));
            continue;
        };
        let Some(file) = open(store, added, may_be_staged.then(|| entry.staged_path(added)), &mut found) else {
            continue;
        };
        let read = whole(&file, added, merged, place.table, entry).and_then(|metadata| {
            read_rows(&file, &metadata, (place.table, place.day), added.rows, Some(merged.row_sum))
        });
        match read {
            Ok(rows) => {
                found.bytes += added.bytes;
                match place.table {
                    Table::Events => found.event_rows += added.rows,
                    Table::Rejects | Table::Counts => found.reject_rows += added.rows,
                }
                found.merged.add(rows);
            }
            Err(what) => found.damaged.push(format!("{}: {what}", added.path)),
        }
    }
    found
}

/// Compares size, checksums, columns and metadata with the entry.
fn whole(
    file: &StoredFile,
    added: &AddedFile,
    merged: &MergedFile,
    table: Table,
    entry: &Entry,
) -> Result<ArrowReaderMetadata, String> {
    if let Some(what) = difference(file, added).map_err(|error| error.to_string())? {
        return Err(what);
    }
    let metadata = columns::metadata(file).map_err(|error| error.to_string())?;
    compare_parts(file, &metadata, merged)?;
    compare_columns(&metadata, table)?;
    let values = KeyValues(metadata.metadata());
    let staged_by = entry.compaction.as_ref().map_or("", |compaction| &compaction.staged_by);
    for (key, expected) in [("walbook.book", entry.book.as_str()), ("walbook.generation", staged_by)] {
        let text = values.text(key)?;
        if text != expected {
            return Err(format!("its metadata has {key} {text:?}, {expected:?} in the log"));
        }
    }
    let number = values.number("walbook.rows")?;
    if number != added.rows {
        return Err(format!("its metadata has walbook.rows {number}, {} in the log", added.rows));
    }
    Ok(metadata)
}

/// Compares the parts of a file with the log.
pub(super) fn compare_parts(
    file: &StoredFile,
    metadata: &ArrowReaderMetadata,
    merged: &MergedFile,
) -> Result<(), String> {
    let mut from = 0;
    for part in &merged.parts {
        let mut bytes = vec![0; usize::try_from(part.end - from).map_err(|error| error.to_string())?];
        file.read_exact_at(&mut bytes, from).map_err(|error| error.to_string())?;
        let seen = format!("{:016x}", XxHash3_64::oneshot(&bytes));
        if seen != part.xxh3 {
            return Err(format!("its bytes {from} to {} have the checksum {seen}, {} in the log", part.end, part.xxh3));
        }
        from = part.end;
    }
    let groups = metadata.metadata().num_row_groups();
    match groups + 1 == merged.parts.len() {
        true => Ok(()),
        false => Err(format!("it has {groups} row groups, {} parts in the log", merged.parts.len())),
    }
}

/// Compares the columns of a file with those of its table.
pub(super) fn compare_columns(metadata: &ArrowReaderMetadata, table: Table) -> Result<(), String> {
    let names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name().as_str()).collect();
    match names == columns_of(table) {
        true => Ok(()),
        false => Err(format!("its columns are {}", names.join(", "))),
    }
}

/// Reads the rows of a file of a table and day, and compares their number, and their sum where the log has one.
pub(super) fn read_rows(
    file: &StoredFile,
    metadata: &ArrowReaderMetadata,
    (table, day): (Table, Day),
    logged: u64,
    logged_sum: Option<RowSum>,
) -> Result<MergedRows, String> {
    let (mut rows, mut row_sum, mut number) = (MergedRows::default(), RowSum::default(), 0);
    for group in 0..metadata.metadata().num_row_groups() {
        let reader =
            read_group(file.clone(), metadata, group, columns_read(table), |reader| reader.with_batch_size(BATCH));
        for batch in reader.map_err(|error| error.to_string())? {
            let batch = batch.map_err(|error| error.to_string())?;
            number += batch.num_rows() as u64;
            add_rows(&mut row_sum, &batch, table)?;
            if table == Table::Events {
                add_counts(rows.counts.entry(day).or_default(), &batch)?;
            }
            let (topics, partitions) = (Texts::of(&batch, "topic")?, all_numbers::<Int32Type>(&batch, "partition")?);
            let offsets = all_numbers::<Int64Type>(&batch, "offset")?;
            let mut row = 0;
            while row < batch.num_rows() {
                let (topic, number) = (topics.number(row), partitions[row]);
                let partition = Partition { topic: topics.values().value(topic).to_owned(), number };
                let known = rows.merged.entry(partition).or_default();
                while row < batch.num_rows() && (topics.number(row), partitions[row]) == (topic, number) {
                    let offset =
                        u64::try_from(offsets[row]).map_err(|_| format!("offset {} is negative", offsets[row]))?;
                    match table {
                        Table::Events => {
                            known.events += 1;
                            known.bearing.insert(offset);
                        }
                        Table::Rejects | Table::Counts => {
                            known.reject_rows += 1;
                            known.rejects.insert(offset);
                        }
                    }
                    row += 1;
                }
            }
        }
    }
    match logged_sum {
        Some(logged_sum) if (number, row_sum) != (logged, logged_sum) => {
            Err(format!("it has {number} rows of sum {row_sum}, {logged} of sum {logged_sum} in the log"))
        }
        None if number != logged => Err(format!("it has {number} rows, {logged} in the log")),
        _ => Ok(rows),
    }
}
