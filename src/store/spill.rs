//! Records that are written once and read back: in memory up to a budget, beyond that in an unlinked temporary file.
//!
//! Both hold the same bytes: for each record its length (64 bits, least byte first), then the record.

use std::env;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of a record's length.
const HEAD: usize = 8;
/// Bytes allocated for the first record, so that a small transaction needs few allocations.
const FIRST_BYTES: usize = 512;
/// Bytes read from the file at once.
const READ_BUFFER: usize = 256 << 10;

/// When records go to a file, and where that is.
#[derive(Clone, Debug)]
pub struct SpillSettings {
    /// Bytes that may stay in memory; one record may be larger.
    pub memory: usize,
    /// The file's folder.
    pub folder: PathBuf,
}

impl Default for SpillSettings {
    fn default() -> SpillSettings {
        SpillSettings { memory: 16 << 20, folder: env::temp_dir() }
    }
}

/// The temporary file could not be created, written or read.
#[derive(Debug, thiserror::Error)]
#[error("could not use a temporary file in {}: {source}", folder.display())]
pub struct SpillError {
    /// The file's folder.
    pub folder: PathBuf,
    /// The error of the file system; `UnexpectedEof` if the file is shorter than what was written.
    pub source: io::Error,
}

/// Records that are being added.
#[derive(Debug)]
pub struct SpillBuffer {
    settings: SpillSettings,
    /// The newest records: those that are not in the file.
    memory: Vec<u8>,
    file: Option<File>,
    /// Bytes in the file and in memory.
    end: u64,
}

impl SpillBuffer {
    /// An empty buffer; the file is created when it is needed.
    pub fn new(settings: SpillSettings) -> SpillBuffer {
        SpillBuffer { settings, memory: Vec::new(), file: None, end: 0 }
    }

    /// Adds a record that consists of these parts, and returns its position for [`SpillReader::record_at`].
    ///
    /// # Errors
    /// [`SpillError`] when a file was needed and could not be written.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<u64, SpillError> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if !self.memory.is_empty() && self.memory.len() + HEAD + length > self.settings.memory {
            self.spill()?;
        }
        if self.memory.capacity() == 0 {
            self.memory.reserve(FIRST_BYTES);
        }
        let position = self.end;
        self.memory.extend_from_slice(&(length as u64).to_le_bytes());
        parts.iter().for_each(|part| self.memory.extend_from_slice(part));
        self.end += (HEAD + length) as u64;
        Ok(position)
    }

    /// Bytes that the records need, in memory or not.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Ends the adding. If a file was needed, no record stays in memory.
    ///
    /// # Errors
    /// [`SpillError`].
    pub fn finish(mut self) -> Result<SpillReader, SpillError> {
        if self.file.is_some() {
            self.spill()?;
            self.memory = Vec::new();
        }
        let (folder, file) = (self.settings.folder, self.file.take());
        let rewound = file.map(|mut file| file.rewind().map(|()| BufReader::with_capacity(READ_BUFFER, file)));
        match rewound.transpose() {
            Ok(file) => {
                Ok(SpillReader { folder, memory: self.memory, file, end: self.end, next: 0, record: Vec::new() })
            }
            Err(source) => Err(SpillError { folder, source }),
        }
    }

    /// Moves all records from memory to the file.
    fn spill(&mut self) -> Result<(), SpillError> {
        let folder = &self.settings.folder;
        // At a fixed place: what a failed write has left is overwritten by the next one.
        let written = self.end - self.memory.len() as u64;
        write(&mut self.file, folder, &self.memory, written)
            .map_err(|source| SpillError { folder: folder.clone(), source })?;
        self.memory.clear();
        Ok(())
    }
}

fn write(file: &mut Option<File>, folder: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        // Unlinked: it vanishes with the process.
        none => none.insert(tempfile::tempfile_in(folder)?),
    };
    file.write_all_at(bytes, at)
}

/// Records that can be read: each once in order, or any by its position.
#[derive(Debug)]
pub struct SpillReader {
    folder: PathBuf,
    memory: Vec<u8>,
    file: Option<BufReader<File>>,
    /// The bytes of all records.
    end: u64,
    /// The position of the next record.
    next: u64,
    /// The record that was read from the file last.
    record: Vec<u8>,
}

impl SpillReader {
    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// [`SpillError`] when the file cannot be read or is too short.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, SpillError> {
        if self.next == self.end {
            return Ok(None);
        }
        let Some(file) = &mut self.file else {
            let record = in_memory(&self.memory, self.next);
            self.next += (HEAD + record.len()) as u64;
            return Ok(Some(record));
        };
        let rest = self.end - self.next;
        match read_record(&mut self.record, rest, |bytes, _| file.read_exact(bytes)) {
            Ok(()) => {
                self.next += (HEAD + self.record.len()) as u64;
                Ok(Some(&self.record))
            }
            Err(source) => Err(SpillError { folder: self.folder.clone(), source }),
        }
    }

    /// The record at a position that [`SpillBuffer::append`] returned.
    ///
    /// # Errors
    /// [`SpillError`] when the file cannot be read or is too short.
    pub fn record_at(&mut self, position: u64) -> Result<&[u8], SpillError> {
        let Some(file) = &self.file else { return Ok(in_memory(&self.memory, position)) };
        let read = |bytes: &mut [u8], at: usize| file.get_ref().read_exact_at(bytes, position + at as u64);
        match read_record(&mut self.record, self.end - position, read) {
            Ok(()) => Ok(&self.record),
            Err(source) => Err(SpillError { folder: self.folder.clone(), source }),
        }
    }

    /// Whether the records are in a file.
    pub fn is_spilled(&self) -> bool {
        self.file.is_some()
    }

    /// Bytes of memory that this holds.
    pub fn memory(&self) -> usize {
        self.memory.capacity() + self.file.as_ref().map_or(0, BufReader::capacity)
    }
}

fn in_memory(memory: &[u8], position: u64) -> &[u8] {
    let (head, rest) = memory[position as usize..].split_at(HEAD);
    &rest[..u64::from_le_bytes(head.try_into().expect("eight bytes")) as usize]
}

/// Reads the length, then the record, with a function that gets the bytes to fill and how many of the record precede them.
fn read_record(
    record: &mut Vec<u8>,
    rest: u64,
    mut read: impl FnMut(&mut [u8], usize) -> io::Result<()>,
) -> io::Result<()> {
    let mut head = [0; HEAD];
    read(&mut head, 0)?;
    let length = u64::from_le_bytes(head);
    if length > rest - HEAD as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file was changed"));
    }
    record.resize(length as usize, 0);
    read(record, HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(memory: usize, records: &[String]) -> (SpillReader, Vec<u64>) {
        let mut buffer = SpillBuffer::new(SpillSettings { memory, ..SpillSettings::default() });
        let positions = records.iter().map(|record| {
            let (head, tail) = record.as_bytes().split_at(record.len() / 2);
            buffer.append(&[head, tail]).expect("temporary files can be made")
        });
        let positions = positions.collect();
        (buffer.finish().expect("temporary files can be read"), positions)
    }

    fn records() -> Vec<String> {
        (0..50).map(|number| "x".repeat(number)).collect()
    }

    #[test]
    fn records_come_back_in_order_and_by_position_from_memory_and_from_a_file() {
        let records = records();
        for memory in [0, 60, 500, 1 << 20] {
            let (mut reader, positions) = buffer(memory, &records);
            assert_eq!(reader.is_spilled(), memory <= 500);
            assert!(!reader.is_spilled() || reader.memory() == READ_BUFFER, "memory is freed when a file was needed");
            for record in &records {
                assert_eq!(reader.next_record().expect("it can be read"), Some(record.as_bytes()));
                assert_eq!(reader.record_at(positions[7]).expect("it can be read"), records[7].as_bytes());
            }
            assert_eq!(reader.next_record().expect("it can be read"), None);
        }
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error_and_not_an_end() {
        let records = records();
        for cut in [0, 3, 8, 300] {
            let (mut reader, positions) = buffer(60, &records);
            reader.file.as_ref().expect("it was needed").get_ref().set_len(cut).expect("a file can be cut");
            let error = loop {
                match reader.next_record() {
                    Ok(record) => assert!(record.is_some(), "cut at {cut}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
            let error = reader.record_at(positions[49]).expect_err("it is not in the file");
            assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn an_error_names_the_folder() {
        let settings = SpillSettings { memory: 0, folder: PathBuf::from("/nowhere/at/all") };
        let mut buffer = SpillBuffer::new(settings);
        buffer.append(&[b"fits"]).expect("the first record stays in memory");
        let error = buffer.append(&[b"does not"]).expect_err("there is no such folder");
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }
}
