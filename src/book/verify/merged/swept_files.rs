//! The files of a day that swept entries have named: whole, and with the rows that their manifest says.

use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::merged_files::{compare_columns, compare_parts, read_rows};
use crate::book::log::base::NamedFile;
use crate::book::read::checksum::difference;
use crate::book::read::columns::{self, KeyValues};
use crate::book::verify::findings::{EntryFindings, open};
use crate::book::verify::paths::RemovedPaths;
use crate::change::Day;
use crate::store::layout::{FilePlace, Table};
use crate::store::{Store, StoredFile};

/// Some files of a manifest.
pub(in crate::book::verify) struct SweptFiles {
    /// The base's entry.
    pub(in crate::book::verify) base: u64,
    /// The book's identity.
    pub(in crate::book::verify) book: String,
    pub(in crate::book::verify) table: Table,
    pub(in crate::book::verify) day: Day,
    pub(in crate::book::verify) files: Vec<NamedFile>,
}

/// Reads those that no later entry has `removed`.
pub(in crate::book::verify) fn verify_swept(
    store: &dyn Store,
    swept: &SweptFiles,
    removed: &RemovedPaths,
) -> EntryFindings {
    let mut found = EntryFindings { entry: swept.base, ..EntryFindings::default() };
    for named in &swept.files {
        let added = &named.file;
        if removed.holds(&added.path) {
            continue;
        }
        if removed.is_pruned(&added.path) {
            found.merged.pruned.add(swept.table, added.rows);
            continue;
        }
        found.files += 1;
        let Some(file) = open(store, added, None, &mut found) else { continue };
        let row_sum = named.merged.as_ref().map(|merged| merged.row_sum);
        let read = whole(&file, named, swept)
            .and_then(|metadata| read_rows(&file, &metadata, (swept.table, swept.day), added.rows, row_sum));
        match read {
            Ok(rows) => {
                found.bytes += added.bytes;
                match swept.table {
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

/// Compares size, checksums, columns and metadata with the manifest.
fn whole(file: &StoredFile, named: &NamedFile, swept: &SweptFiles) -> Result<ArrowReaderMetadata, String> {
    let added = &named.file;
    if let Some(what) = difference(file, added).map_err(|error| error.to_string())? {
        return Err(what);
    }
    let metadata = columns::metadata(file).map_err(|error| error.to_string())?;
    if let Some(merged) = &named.merged {
        compare_parts(file, &metadata, merged)?;
    }
    compare_columns(&metadata, swept.table)?;
    let values = KeyValues(metadata.metadata());
    let book = values.text("walbook.book")?;
    if book != swept.book {
        return Err(format!("its metadata has walbook.book {book:?}, {:?} in the log", swept.book));
    }
    let commit = FilePlace::parse(&added.path).map(|place| ("walbook.commit", place.commit));
    for (key, expected) in commit.into_iter().chain([("walbook.rows", added.rows)]) {
        let number = values.number(key)?;
        if number != expected {
            return Err(format!("its metadata has {key} {number}, {expected} in the log"));
        }
    }
    Ok(metadata)
}
