//! The rows of one commit on one worker, until they are files.
//!
//! Rows of a day that brings many at once go straight into that day's open file. All others are buffered in memory,
//! whole batches with a list of rows by day. When the buffer exceeds [`BUFFER_BYTES`] each day's rows move to its open
//! file, if it has or may have one, or to one temporary file. When the commit ends the days are sealed one after the
//! other: 1 000 days in random order cost [`OPEN_FILES`] open files and a temporary one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_select::interleave::interleave_record_batch;

use super::TableError;
use super::writer::{FileNaming, TableFile};
use crate::change::{CommitNumber, Day, Rows, SealedFile};
use crate::store::{SpillBuffer, SpillSettings};

/// Bytes of rows that are buffered in memory.
const BUFFER_BYTES: usize = 16 << 20;
/// Files that may be open at the same time.
const OPEN_FILES: usize = 4;
/// Rows of one day, in one batch or buffered, that are worth an open file.
const WORTH_A_FILE: usize = 512;
/// A file that has grown to this size is ended and the next one begun.
const FILE_BYTES: u64 = 128 << 20;

/// The rows of one commit on one worker.
pub struct CommitBuffer {
    naming: FileNaming,
    commit: CommitNumber,
    open: BTreeMap<Day, TableFile>,
    sealed: Vec<SealedFile>,
    /// Files begun, by day: the index of the next.
    begun: BTreeMap<Day, usize>,
    batches: Vec<RecordBatch>,
    /// Buffered rows by day: batch and row.
    buffered: BTreeMap<Day, Vec<(usize, usize)>>,
    buffered_bytes: usize,
    spilled: Option<SpillFile>,
}

impl CommitBuffer {
    /// Begins a commit.
    pub fn new(naming: FileNaming, commit: CommitNumber) -> CommitBuffer {
        CommitBuffer {
            naming,
            commit,
            open: BTreeMap::new(),
            sealed: Vec::new(),
            begun: BTreeMap::new(),
            batches: Vec::new(),
            buffered: BTreeMap::new(),
            buffered_bytes: 0,
            spilled: None,
        }
    }

    /// The commit that the rows belong to.
    pub fn commit(&self) -> CommitNumber {
        self.commit
    }

    /// The folder that the files are written in.
    pub fn staging(&self) -> String {
        self.naming.staging()
    }

    /// Adds one batch of rows.
    ///
    /// # Errors
    /// [`TableError`] when the disk fails.
    pub fn push(&mut self, rows: Rows) -> Result<(), TableError> {
        if let [(day, count)] = rows.days[..]
            && count >= WORTH_A_FILE
            && !self.buffered.contains_key(&day)
            && self.may_open(day)
        {
            return self.write(day, &rows.columns);
        }
        let batch = self.batches.len();
        let mut row = 0;
        for (day, end) in rows.days {
            self.buffered.entry(day).or_default().extend((row..end).map(|row| (batch, row)));
            row = end;
        }
        self.buffered_bytes += rows.columns.get_array_memory_size();
        self.batches.push(rows.columns);
        if self.buffered_bytes > BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// About how large the commit's files are by now, in bytes.
    pub fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|file| file.bytes).sum();
        let open: u64 = self.open.values().map(TableFile::bytes).sum();
        sealed + open + self.spilled.as_ref().map_or(0, |spilled| spilled.buffer.bytes())
    }

    /// Seals the rows, day by day. The files' names survive a crash once the staging folder is synced.
    ///
    /// # Errors
    /// [`TableError`] when the disk fails; nothing of the commit may be used then.
    pub fn seal(mut self) -> Result<Vec<SealedFile>, TableError> {
        let mut days: BTreeSet<Day> = self.open.keys().chain(self.buffered.keys()).copied().collect();
        days.extend(self.spilled.iter().flat_map(|spilled| spilled.positions.keys()));
        let batches = mem::take(&mut self.batches);
        let spilled: Option<Result<_, TableError>> =
            self.spilled.take().map(|file| Ok((file.buffer.finish().map_err(TableError::spilling)?, file.positions)));
        let mut spilled = spilled.transpose()?;
        for day in days {
            if let Some((reader, positions)) = &mut spilled {
                for position in positions.remove(&day).unwrap_or_default() {
                    let stream = reader.record_at(position).map_err(TableError::spilling)?;
                    for columns in StreamReader::try_new(stream, None)? {
                        self.write(day, &columns?)?;
                    }
                }
            }
            if let Some(rows) = self.buffered.remove(&day) {
                self.write(day, &pick(&batches, &rows)?)?;
            }
            if let Some(file) = self.open.remove(&day) {
                self.sealed.push(file.seal()?);
            }
        }
        Ok(self.sealed)
    }

    /// Whether rows of `day` may go into an open file: not when earlier ones are in the temporary file, because
    /// they must come first.
    fn may_open(&self, day: Day) -> bool {
        let is_spilled = self.spilled.as_ref().is_some_and(|spilled| spilled.positions.contains_key(&day));
        self.open.contains_key(&day) || (!is_spilled && self.open.len() < OPEN_FILES)
    }

    fn write(&mut self, day: Day, columns: &RecordBatch) -> Result<(), TableError> {
        let file = match self.open.entry(day) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => {
                let index = self.begun.entry(day).or_insert(0);
                let file = TableFile::create(&self.naming, self.commit, day, *index, columns)?;
                *index += 1;
                vacant.insert(file)
            }
        };
        file.write(columns)?;
        if file.bytes() >= FILE_BYTES {
            let file = self.open.remove(&day).expect("it was just written");
            self.sealed.push(file.seal()?);
        }
        Ok(())
    }

    /// Empties the memory: each day's rows move to its file or to the temporary one.
    fn flush(&mut self) -> Result<(), TableError> {
        let batches = mem::take(&mut self.batches);
        for (day, rows) in mem::take(&mut self.buffered) {
            let columns = pick(&batches, &rows)?;
            if self.open.contains_key(&day) || (rows.len() >= WORTH_A_FILE && self.may_open(day)) {
                self.write(day, &columns)?;
            } else {
                self.spilled.get_or_insert_with(|| SpillFile::new(&self.naming)).write(day, &columns)?;
            }
        }
        self.buffered_bytes = 0;
        Ok(())
    }
}

/// The given rows in their order, as one batch.
fn pick(batches: &[RecordBatch], rows: &[(usize, usize)]) -> Result<RecordBatch, TableError> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    Ok(interleave_record_batch(&batches, rows)?)
}

/// Rows in a temporary file, one Arrow stream for each addition.
struct SpillFile {
    buffer: SpillBuffer,
    /// Positions of a day's rows, in the order they came.
    positions: BTreeMap<Day, Vec<u64>>,
}

impl SpillFile {
    fn new(naming: &FileNaming) -> SpillFile {
        // In staging: the disk that holds the book has room for rows.
        let folder = naming.store.temporary_folder(&naming.staging());
        SpillFile { buffer: SpillBuffer::new(SpillSettings { memory: 0, folder }), positions: BTreeMap::new() }
    }

    fn write(&mut self, day: Day, columns: &RecordBatch) -> Result<(), TableError> {
        let mut stream = StreamWriter::try_new(Vec::new(), &columns.schema())?;
        stream.write(columns)?;
        let position = self.buffer.append(&[&stream.into_inner()?]).map_err(TableError::spilling)?;
        self.positions.entry(day).or_default().push(position);
        Ok(())
    }
}
