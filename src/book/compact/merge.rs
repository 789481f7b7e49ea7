//! The files of a day, merged: sources verified and read, rows sorted, files of the target size written into staging.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use bytes::Bytes;
use parquet::errors::ParquetError;

use super::merged_day::{MergedDay, StagedMerge};
use super::sort::{RowSorter, SortError, SortedRows};
use super::sources::Source;
use crate::book::BookError;
use crate::book::error::At;
use crate::book::log::compaction::{FilePart, MergedFile, RemovedRows, RowSum};
use crate::book::read::checksum;
use crate::book::read::columns::{KeyValues, footer};
use crate::book::read::event_batches::event_batches;
use crate::book::read::row_file::first_found;
use crate::book::read::row_sum::add_rows;
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::change::Day;
use crate::store::SpillSettings;
use crate::store::columns::{EVENT_COLUMNS, REJECT_COLUMNS, column_names};
use crate::store::layout::{Table, staged_merged_name};
use crate::table::{MergedNaming, MergedTableFile, RowFormat, SealedMerge, TableError};

/// A row group ends when it has so many bytes.
const GROUP_BYTES: usize = 8 << 20;
/// At the end of a database table already when it has so many: small tables share one.
const TABLE_GROUP_BYTES: usize = 1 << 20;

/// What is merged, and where to.
pub(super) struct Merge<'a> {
    pub(super) staging: &'a Arc<Staging>,
    pub(super) book: &'a str,
    pub(super) table: Table,
    pub(super) day: Day,
    /// The number of entries of the log when the sources were listed.
    pub(super) entries: u64,
    /// About how many bytes a merged file gets.
    pub(super) target: u64,
    /// Whether the merge is no longer wanted.
    pub(super) is_cancelled: &'a dyn Fn() -> bool,
}

/// The rows of all sources in their order, and the versions of the parser that made them.
struct SortedSources {
    rows: SortedRows,
    parsers: BTreeSet<u64>,
}

impl Merge<'_> {
    /// Merges the sources; `None` when it was cancelled. What is written is synced, and not part of the book yet.
    ///
    /// # Errors
    /// [`BookError::Damaged`] for a source that is not as committed; [`BookError::Fenced`]; [`BookError::Io`].
    pub(super) fn run(&self, sources: &[Source]) -> Result<Option<MergedDay>, BookError> {
        let mut added = Vec::new();
        let merged = self.merge(sources, &mut added);
        if !matches!(merged, Ok(Some(_))) {
            // A later try must find room.
            let names = added.iter().map(|file: &StagedMerge| staged_merged_name(&file.xxh3));
            for name in names.chain([self.open_name(added.len())]) {
                drop(self.staging.store().remove_file(&self.staging.path(&name)));
            }
        }
        let removed_rows = match merged? {
            Some(removed_rows) => removed_rows,
            None => return Ok(None),
        };
        let mut removed: Vec<String> = sources.iter().map(|source| source.file.path.clone()).collect();
        removed.sort_unstable();
        Ok(Some(MergedDay {
            table: self.table,
            day: self.day,
            entries: self.entries,
            staged_by: self.staging.generation().to_owned(),
            removed,
            removed_rows,
            added,
        }))
    }

    fn merge(&self, sources: &[Source], added: &mut Vec<StagedMerge>) -> Result<Option<RemovedRows>, BookError> {
        let Some((sorted, removed)) = self.sort(sources)? else { return Ok(None) };
        if !self.write(sorted, added)? {
            return Ok(None);
        }
        let rows = added.iter().map(|file| file.rows).sum::<u64>();
        let mut row_sum = RowSum::default();
        added.iter().for_each(|file| row_sum.add(file.merged.row_sum));
        assert!((rows, row_sum) == (removed.rows, removed.row_sum), "merging keeps all rows");
        let folder = crate::book::layout::staging_folder(self.staging.generation());
        self.staging.store().sync_folder(&folder).at("sync", &folder)?;
        Ok(Some(removed))
    }

    /// Reads and sorts the rows of all sources.
    fn sort(&self, sources: &[Source]) -> Result<Option<(SortedSources, RemovedRows)>, BookError> {
        let mut removed = RemovedRows::default();
        let mut parsers = BTreeSet::new();
        let mut sorter: Option<RowSorter> = None;
        for Source { file, staged, .. } in sources {
            let store = self.staging.store();
            let damaged = |reason: String| BookError::damaged(&file.path, reason);
            let bytes = first_found(store, &file.path, staged.as_deref(), |path| store.read(path));
            let bytes = Bytes::from(bytes.at("read", &file.path)?);
            if let Some(what) = checksum::difference_of(&bytes, file) {
                return Err(damaged(what));
            }
            let footer = footer(bytes.clone());
            // Of a file that was merged before these are several.
            let versions = footer.and_then(|footer| KeyValues(&footer).text("walbook.parser").ok().map(str::to_owned));
            parsers.extend(
                versions.iter().flat_map(|text| text.split(',')).filter_map(|version| version.parse::<u64>().ok()),
            );
            let mut rows = 0;
            for batch in event_batches(bytes, columns(self.table)).map_err(damaged)? {
                if (self.is_cancelled)() {
                    return Ok(None);
                }
                let batch = batch.map_err(damaged)?;
                rows += batch.num_rows() as u64;
                add_rows(&mut removed.row_sum, &batch, self.table).map_err(damaged)?;
                let sorter = match &mut sorter {
                    Some(sorter) => sorter,
                    none => {
                        let sorter = RowSorter::new(&batch, order(self.table), self.spill_settings());
                        none.insert(sorter.map_err(|error| self.sorting(error))?)
                    }
                };
                sorter.push(batch).map_err(|error| self.sorting(error))?;
            }
            if rows != file.rows {
                return Err(damaged(format!("it has {rows} rows, {} in the log", file.rows)));
            }
            removed.rows += rows;
            removed.bytes += file.bytes;
        }
        let Some(sorter) = sorter else { return Ok(None) };
        let sorted = sorter.finish().map_err(|error| self.sorting(error))?;
        Ok(Some((SortedSources { rows: sorted, parsers }, removed)))
    }

    /// Writes the rows; `false` when it was cancelled.
    fn write(&self, sources: SortedSources, added: &mut Vec<StagedMerge>) -> Result<bool, BookError> {
        let SortedSources { mut rows, parsers } = sources;
        let parsers: Vec<String> = parsers.iter().map(u64::to_string).collect();
        let naming = MergedNaming {
            store: self.staging.shared_store(),
            book: self.book.to_owned(),
            generation: self.staging.generation().to_owned(),
            parsers: parsers.join(","),
            format: if self.table == Table::Rejects { RowFormat::rejects() } else { RowFormat::events() },
        };
        let mut open: Option<(MergedTableFile, RowSum)> = None;
        // The schema and the name of the database table of the last row.
        let mut last: Option<(String, String)> = None;
        while let Some(batch) = rows.next_batch().map_err(|error| self.sorting(error))? {
            if (self.is_cancelled)() {
                return Ok(false);
            }
            let mut from = 0;
            while from < batch.num_rows() {
                let (to, name) = stretch(&batch, from);
                let begins_table = last.is_some() && name != last;
                if let Some((file, _)) = &mut open {
                    let most = if begins_table { TABLE_GROUP_BYTES } else { GROUP_BYTES };
                    if file.group_bytes() >= most {
                        file.end_group().map_err(|error| self.writing(error))?;
                    }
                    if file.bytes() >= self.target {
                        self.seal(&mut open, added)?;
                    }
                }
                let rows = batch.slice(from, to - from);
                let (file, row_sum) = match &mut open {
                    Some(open) => open,
                    none => none.insert((self.create(&naming, added.len(), &rows)?, RowSum::default())),
                };
                add_rows(row_sum, &rows, self.table).map_err(|reason| BookError::damaged("merged rows", reason))?;
                file.write(&rows).map_err(|error| self.writing(error))?;
                (from, last) = (to, name);
            }
        }
        self.seal(&mut open, added)?;
        Ok(true)
    }

    fn create(&self, naming: &MergedNaming, index: usize, first: &RecordBatch) -> Result<MergedTableFile, BookError> {
        let staged = self.staging.path(&self.open_name(index));
        // Of an earlier try that could not remove it.
        gone_is_fine(self.staging.store().remove_file(&staged)).at("remove", &staged)?;
        MergedTableFile::create(naming, staged, first).map_err(|error| self.writing(error))
    }

    /// The name of a file that is not sealed yet.
    fn open_name(&self, index: usize) -> String {
        format!("merging-{}-{}-{index}.inprogress", self.table.folder(), self.day)
    }

    /// Seals the open file, if there is one.
    fn seal(
        &self,
        open: &mut Option<(MergedTableFile, RowSum)>,
        added: &mut Vec<StagedMerge>,
    ) -> Result<(), BookError> {
        let Some((file, row_sum)) = open.take() else { return Ok(()) };
        let SealedMerge { bytes, rows, checksum, parts } = file.seal().map_err(|error| self.writing(error))?;
        let xxh3 = format!("{checksum:016x}");
        let parts = parts.into_iter().map(|(end, checksum)| FilePart { end, xxh3: format!("{checksum:016x}") });
        let merged = MergedFile { row_sum, parts: parts.collect() };
        let staged = self.staging.path(&staged_merged_name(&xxh3));
        self.staging.publish(&self.open_name(added.len()), &staged)?;
        added.push(StagedMerge { bytes, rows, xxh3, merged });
        Ok(())
    }

    fn spill_settings(&self) -> SpillSettings {
        let folder = crate::book::layout::staging_folder(self.staging.generation());
        // In staging: the disk that holds the book has room for rows.
        SpillSettings { folder: self.staging.store().temporary_folder(&folder), ..SpillSettings::default() }
    }

    fn sorting(&self, error: SortError) -> BookError {
        let path = self.staging.path("a temporary file");
        match error {
            SortError::Spill(error) => self.staging.explain(error.source, "sort rows in", &path),
            error @ SortError::Rows(_) => self.staging.explain(std::io::Error::other(error), "sort rows in", &path),
        }
    }

    fn writing(&self, error: TableError) -> BookError {
        let path = self.staging.path("a merged file");
        let source = match error {
            TableError::Write { source, .. } | TableError::Spill { source, .. } => source,
            TableError::Fenced { .. } | TableError::StagingGone { .. } => std::io::ErrorKind::NotFound.into(),
            // An object store refuses below the encoder.
            TableError::Encode { source: ParquetError::External(below), .. } => {
                below.downcast().map_or_else(std::io::Error::other, |source| *source)
            }
            error => std::io::Error::other(error),
        };
        self.staging.explain(source, "write", &path)
    }
}

/// The columns of a table.
fn columns(table: Table) -> &'static [&'static str] {
    const EVENTS: [&str; 14] = column_names(&EVENT_COLUMNS);
    const REJECTS: [&str; 8] = column_names(&REJECT_COLUMNS);
    match table {
        Table::Rejects => &REJECTS,
        Table::Events | Table::Counts => &EVENTS,
    }
}

/// The columns that order rows. Rejects of one offset keep their order.
fn order(table: Table) -> &'static [&'static str] {
    match table {
        Table::Rejects => &["topic", "partition", "offset"],
        Table::Events | Table::Counts => &["schema", "table", "topic", "partition", "offset", "ordinal"],
    }
}

/// The end of the rows from `from` on that are of one database table, and its schema and name; all rows where there are none.
fn stretch(batch: &RecordBatch, from: usize) -> (usize, Option<(String, String)>) {
    let column = |name| batch.column_by_name(name).and_then(|column| column.as_dictionary_opt::<Int32Type>());
    let (Some(schemas), Some(tables)) = (column("schema"), column("table")) else { return (batch.num_rows(), None) };
    let text = |column: &arrow_array::DictionaryArray<Int32Type>, row: usize| -> Option<String> {
        let key = usize::try_from(column.keys().value(row)).ok()?;
        Some(column.values().as_string_opt::<i32>()?.value(key).to_owned())
    };
    let of = |row| text(schemas, row).zip(text(tables, row));
    let name = of(from);
    let (schema_keys, table_keys) = (schemas.keys().values(), tables.keys().values());
    let mut known = (schema_keys[from], table_keys[from]);
    let end = (from..batch.num_rows()).find(|row| {
        let keys = (schema_keys[*row], table_keys[*row]);
        // A dictionary may have a name twice.
        let differs = keys != known && of(*row) != name;
        known = keys;
        differs
    });
    (end.unwrap_or(batch.num_rows()), name)
}
