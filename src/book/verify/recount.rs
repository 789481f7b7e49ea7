//! Reads the rows of one file, and counts them.

use std::collections::{BTreeMap, HashMap};

use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::offsets::{Numbering, OffsetRun, WrongRow};
use crate::book::log::entry::{SourceKind, TopicEntry};
use crate::book::read::columns::{Texts, all_numbers, numbers, read_group};
use crate::book::read::table_counts::TableCounts;
use crate::change::{Operation, Partition, Place};
use crate::store::StoredFile;
use crate::store::columns::{EVENT_COLUMNS, REJECT_COLUMNS, column_names};
use crate::store::layout::Table;

/// The number of rows decoded at a time: enough that a batch's dictionaries cost little.
pub(super) const BATCH: usize = 16_384;

/// The number of combinations of schema, table and operation up to which a batch is counted in an array, not in a map.
const DENSE: usize = 1 << 16;

/// The rows of one file.
pub(super) struct FileRows {
    /// Their number.
    pub(super) rows: u64,
    /// Their number by schema, table and operation; empty for rejects.
    pub(super) counts: TableCounts,
    /// The newest commit time of events; `None` where no row has one.
    pub(super) commit_time: Option<i64>,
    /// By partition: their offsets.
    pub(super) partitions: BTreeMap<Partition, PartitionRun>,
    /// The first row of each kind of wrong.
    pub(super) wrong: BTreeMap<WrongRow, String>,
    /// The number of records that repeat a place, and the first of them.
    pub(super) repeated: (u64, Option<String>),
}

/// The rows of one partition in one file.
pub(super) struct PartitionRun {
    pub(super) run: OffsetRun,
    /// Their number.
    pub(super) rows: u64,
    /// The stretches of offsets that are complete.
    pub(super) stretches: Vec<(i64, i64)>,
}

/// The columns of a table of rows.
pub(super) fn columns_of(table: Table) -> &'static [&'static str] {
    const EVENTS: [&str; 14] = column_names(&EVENT_COLUMNS);
    const REJECTS: [&str; 8] = column_names(&REJECT_COLUMNS);
    match table {
        Table::Events => &EVENTS,
        Table::Rejects => &REJECTS,
        Table::Counts => &["schema", "table", "op", "count"],
    }
}

/// The columns that are read; the others are covered by the file's checksum.
pub(super) fn columns_read(table: Table) -> &'static [&'static str] {
    match table {
        Table::Events => {
            &["topic", "partition", "offset", "ordinal", "commit_time", "commit_lsn", "seq", "schema", "table", "op"]
        }
        Table::Rejects | Table::Counts => &["topic", "partition", "offset"],
    }
}

impl FileRows {
    /// Reads all rows of a file; `topics` are those of its entry, `highest` is the highest place of each partition before it.
    pub(super) fn read(
        file: &StoredFile,
        metadata: &ArrowReaderMetadata,
        table: Table,
        topics: &BTreeMap<String, TopicEntry>,
        highest: &BTreeMap<Partition, Place>,
    ) -> Result<FileRows, String> {
        let mut rows = FileRows {
            rows: 0,
            counts: TableCounts::default(),
            commit_time: None,
            partitions: BTreeMap::new(),
            wrong: BTreeMap::new(),
            repeated: (0, None),
        };
        for group in 0..metadata.metadata().num_row_groups() {
            let reader =
                read_group(file.clone(), metadata, group, columns_read(table), |reader| reader.with_batch_size(BATCH));
            for batch in reader.map_err(|error| error.to_string())? {
                let batch = batch.map_err(|error| error.to_string())?;
                rows.rows += batch.num_rows() as u64;
                rows.add_offsets(&batch, table, topics, highest)?;
                if table == Table::Events {
                    add_counts(&mut rows.counts, &batch)?;
                    let times = numbers::<TimestampMicrosecondType>(&batch, "commit_time")?;
                    rows.commit_time = rows.commit_time.max(times.iter().flatten().max());
                }
            }
        }
        Ok(rows)
    }

    fn add_offsets(
        &mut self,
        batch: &RecordBatch,
        table: Table,
        entry_topics: &BTreeMap<String, TopicEntry>,
        highest: &BTreeMap<Partition, Place>,
    ) -> Result<(), String> {
        let topics = Texts::of(batch, "topic")?;
        let partitions = all_numbers::<Int32Type>(batch, "partition")?;
        let offsets = all_numbers::<Int64Type>(batch, "offset")?;
        let changes = match table {
            Table::Events => Some((
                all_numbers::<Int32Type>(batch, "ordinal")?,
                numbers::<Int64Type>(batch, "commit_lsn")?,
                numbers::<Int32Type>(batch, "seq")?,
            )),
            Table::Rejects | Table::Counts => None,
        };
        let mut row = 0;
        while row < batch.num_rows() {
            // Rows come batch by batch from one partition: its state is looked up once for a stretch of them.
            let (topic, number) = (topics.number(row), partitions[row]);
            let partition = Partition { topic: topics.values().value(topic).to_owned(), number };
            let mut known = self.partitions.remove(&partition);
            while row < batch.num_rows() && partitions[row] == number && topics.number(row) == topic {
                let (ordinal, place) = match changes {
                    Some((ordinals, commit_lsns, seqs)) => {
                        let place = (commit_lsns.is_valid(row) && seqs.is_valid(row))
                            .then(|| Place { commit_lsn: commit_lsns.value(row), seq: seqs.value(row) });
                        (ordinals[row], place)
                    }
                    None => (0, None),
                };
                let (wrong, repeats) = match &mut known {
                    Some(known) => {
                        let (wrong, repeats, ended) = known.run.add(offsets[row], ordinal, place);
                        known.stretches.extend(ended);
                        known.rows += 1;
                        (wrong, repeats)
                    }
                    None => {
                        let highest = highest.get(&partition).copied();
                        let source = entry_topics.get(&partition.topic).map_or(SourceKind::Kafka, |known| known.source);
                        let numbering = Numbering::of(source, table);
                        let (run, wrong, repeats) = OffsetRun::new(offsets[row], ordinal, place, highest, numbering);
                        known = Some(PartitionRun { run, rows: 1, stretches: Vec::new() });
                        (wrong, repeats)
                    }
                };
                if wrong.is_some() || repeats {
                    self.note(wrong, repeats, &partition, offsets[row], ordinal, place);
                }
                row += 1;
            }
            self.partitions.extend(known.map(|known| (partition, known)));
        }
        Ok(())
    }

    #[cold]
    fn note(
        &mut self,
        wrong: Option<WrongRow>,
        repeats: bool,
        Partition { topic, number }: &Partition,
        offset: i64,
        ordinal: i32,
        place: Option<Place>,
    ) {
        let at = || format!("offset {offset}, ordinal {ordinal} of partition {number} of {topic}");
        if let Some(wrong) = wrong {
            self.wrong.entry(wrong).or_insert_with(|| match wrong {
                WrongRow::Order => format!("its rows are not in the order of offsets: see {}", at()),
                WrongRow::Ordinal => format!("the changes of an offset are not numbered in their order: see {}", at()),
            });
        }
        if let (true, Some(Place { commit_lsn, seq })) = (repeats, place) {
            self.repeated.0 += 1;
            self.repeated.1.get_or_insert_with(|| format!("{} is at commit_lsn {commit_lsn}, seq {seq}", at()));
        }
    }
}

/// Adds the rows of a batch of events by schema, table and operation.
pub(super) fn add_counts(sums: &mut TableCounts, batch: &RecordBatch) -> Result<(), String> {
    let (schemas, tables) = (Texts::of(batch, "schema")?, Texts::of(batch, "table")?);
    let ops = Texts::of(batch, "op")?;
    let (table_count, op_count) = (tables.values().len(), ops.values().len());
    let combinations = schemas.values().len().saturating_mul(table_count).saturating_mul(op_count);
    let combination =
        |row: usize| (schemas.number(row) * table_count + tables.number(row)) * op_count + ops.number(row);
    let mut add = |combination: usize, count: i64| -> Result<(), String> {
        let op: Operation = ops.values().value(combination % op_count).parse()?;
        let table = tables.values().value(combination / op_count % table_count);
        let schema = schemas.values().value(combination / op_count / table_count);
        sums.add(schema, table, op, count);
        Ok(())
    };
    if combinations <= DENSE {
        let mut counts = vec![0i64; combinations];
        for row in 0..batch.num_rows() {
            counts[combination(row)] += 1;
        }
        let counts = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        for (combination, count) in counts {
            add(combination, count)?;
        }
    } else {
        let mut counts: HashMap<usize, i64> = HashMap::new();
        for row in 0..batch.num_rows() {
            *counts.entry(combination(row)).or_default() += 1;
        }
        for (combination, count) in counts {
            add(combination, count)?;
        }
    }
    Ok(())
}
