//! The rows of one commit on one worker, until they are files.
//!
//! Rows of a day that brings many at once go straight into that day's open file. All others are gathered in memory,
//! whole batches with a list of rows by day, and when [`GATHER_BYTES`] of them have come together each day's rows are
//! put into its open file, if it has or may have one, or set aside in one nameless file. When the commit ends the days
//! are sealed one after the other: 1 000 days in random order cost [`OPEN_FILES`] open files and one nameless one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::mem;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_select::interleave::interleave_record_batch;

use super::TableError;
use super::writer::{FileNaming, TableFile};
use crate::change::{CommitNumber, Day, Rows, SealedFile};

/// Bytes of gathered rows that are kept in memory.
const GATHER_BYTES: usize = 16 << 20;
/// Files that may be open at the same time.
const OPEN_FILES: usize = 4;
/// Rows of one day in one batch, or bytes gathered, that are worth an open file.
const WORTH_A_FILE: usize = 512;
/// A file that has grown to this size is ended and the next one begun.
const FILE_BYTES: u64 = 128 << 20;

/// The rows of one commit on one worker.
pub struct Gather {
    naming: FileNaming,
    commit: CommitNumber,
    open: BTreeMap<Day, TableFile>,
    sealed: Vec<SealedFile>,
    /// Files begun, by day: the index of the next.
    begun: BTreeMap<Day, usize>,
    batches: Vec<RecordBatch>,
    /// Gathered rows by day: batch and row.
    gathered: BTreeMap<Day, Vec<(usize, usize)>>,
    gathered_bytes: usize,
    aside: Option<Aside>,
}

impl Gather {
    /// Begins a commit.
    pub fn new(naming: FileNaming, commit: CommitNumber) -> Gather {
        Gather {
            naming,
            commit,
            open: BTreeMap::new(),
            sealed: Vec::new(),
            begun: BTreeMap::new(),
            batches: Vec::new(),
            gathered: BTreeMap::new(),
            gathered_bytes: 0,
            aside: None,
        }
    }

    /// The commit that is gathered.
    pub fn commit(&self) -> CommitNumber {
        self.commit
    }

    /// The folder that the files are written in.
    pub fn staging(&self) -> String {
        self.naming.staging()
    }

    /// Takes one batch of rows.
    ///
    /// # Errors
    /// [`TableError`] when the disk says no.
    pub fn push(&mut self, rows: Rows) -> Result<(), TableError> {
        if let [(day, count)] = rows.days[..]
            && count >= WORTH_A_FILE
            && !self.gathered.contains_key(&day)
            && self.may_open(day)
        {
            return self.write(day, &rows.columns);
        }
        let batch = self.batches.len();
        let mut row = 0;
        for (day, end) in rows.days {
            self.gathered.entry(day).or_default().extend((row..end).map(|row| (batch, row)));
            row = end;
        }
        self.gathered_bytes += rows.columns.get_array_memory_size();
        self.batches.push(rows.columns);
        if self.gathered_bytes > GATHER_BYTES { self.flush() } else { Ok(()) }
    }

    /// About how large the commit's files are by now, in bytes.
    pub fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|file| file.bytes).sum();
        let open: u64 = self.open.values().map(TableFile::bytes).sum();
        sealed + open + self.aside.as_ref().map_or(0, |aside| aside.bytes)
    }

    /// Seals what was gathered, day by day. The files' names survive a crash once the staging folder is synced.
    ///
    /// # Errors
    /// [`TableError`] when the disk says no; nothing of the commit may be used then.
    pub fn seal(mut self) -> Result<Vec<SealedFile>, TableError> {
        let mut days: BTreeSet<Day> = self.open.keys().chain(self.gathered.keys()).copied().collect();
        days.extend(self.aside.iter().flat_map(|aside| aside.places.keys()));
        let batches = mem::take(&mut self.batches);
        for day in days {
            if let Some(mut aside) = self.aside.take() {
                for place in aside.places.remove(&day).unwrap_or_default() {
                    for columns in aside.read(place)? {
                        self.write(day, &columns?)?;
                    }
                }
                self.aside = Some(aside);
            }
            if let Some(rows) = self.gathered.remove(&day) {
                self.write(day, &pick(&batches, &rows)?)?;
            }
            if let Some(file) = self.open.remove(&day) {
                self.sealed.push(file.seal()?);
            }
        }
        Ok(self.sealed)
    }

    /// Whether rows of `day` may go into an open file: not when earlier ones were set aside, they must come first.
    fn may_open(&self, day: Day) -> bool {
        let is_aside = self.aside.as_ref().is_some_and(|aside| aside.places.contains_key(&day));
        self.open.contains_key(&day) || (!is_aside && self.open.len() < OPEN_FILES)
    }

    fn write(&mut self, day: Day, columns: &RecordBatch) -> Result<(), TableError> {
        let file = match self.open.entry(day) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(vacant) => {
                let index = self.begun.entry(day).or_insert(0);
                let file = TableFile::create(&self.naming, self.commit, day, *index)?;
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

    /// Empties the memory: each day's rows go into its file or aside.
    fn flush(&mut self) -> Result<(), TableError> {
        let batches = mem::take(&mut self.batches);
        for (day, rows) in mem::take(&mut self.gathered) {
            let columns = pick(&batches, &rows)?;
            if self.open.contains_key(&day) || (rows.len() >= WORTH_A_FILE && self.may_open(day)) {
                self.write(day, &columns)?;
            } else {
                if self.aside.is_none() {
                    self.aside = Some(Aside::new(&self.naming)?);
                }
                self.aside.as_mut().expect("just made").write(day, &columns)?;
            }
        }
        self.gathered_bytes = 0;
        Ok(())
    }
}

/// The given rows in their order, as one batch.
fn pick(batches: &[RecordBatch], rows: &[(usize, usize)]) -> Result<RecordBatch, TableError> {
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    Ok(interleave_record_batch(&batches, rows)?)
}

/// Rows set aside in a nameless file, as Arrow streams one after the other.
struct Aside {
    file: File,
    bytes: u64,
    /// Where the rows of a day begin, in the order they came.
    places: BTreeMap<Day, Vec<u64>>,
}

impl Aside {
    fn new(naming: &FileNaming) -> Result<Aside, TableError> {
        let file =
            naming.store.scratch(&naming.staging()).map_err(|error| TableError::writing(&naming.staging(), error))?;
        Ok(Aside { file, bytes: 0, places: BTreeMap::new() })
    }

    fn write(&mut self, day: Day, columns: &RecordBatch) -> Result<(), TableError> {
        let mut stream = StreamWriter::try_new(Vec::new(), &columns.schema())?;
        stream.write(columns)?;
        let bytes = stream.into_inner()?;
        self.file.write_all(&bytes).map_err(|source| TableError::Scratch { source })?;
        self.places.entry(day).or_default().push(self.bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn read(&mut self, place: u64) -> Result<StreamReader<BufReader<&File>>, TableError> {
        self.file.seek(SeekFrom::Start(place)).map_err(|source| TableError::Scratch { source })?;
        Ok(StreamReader::try_new(BufReader::new(&self.file), None)?)
    }
}
