//! The lines of one transaction: in memory, then in a file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use super::{SlotError, Spill};
use crate::change::Lsn;

/// Bytes before a line's text: LSN (64 bits), length of the text and of the table's name (32 bits each), least byte first.
const HEAD: usize = 16;
/// Bytes written to, or read from, a file at once.
const FILE_BUFFER: usize = 256 * 1024;

/// What a file weighs beside its buffer.
const FILE_WEIGHT: usize = 4 << 20;

/// Lines in the order in which they were added; read once, from the first to the last.
#[derive(Debug, Default)]
pub struct Lines {
    count: u64,
    /// Bytes of all texts.
    bytes: u64,
    /// The lines that come first, if there were too many for memory.
    file: Option<Spilled>,
    memory: Vec<u8>,
    /// How much of `memory` was read.
    read: usize,
    /// The line that was read from the file last.
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Spilled {
    Writing(BufWriter<File>),
    Reading(BufReader<File>),
}

/// One change as test_decoding printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where the change stands.
    pub lsn: Lsn,
    /// The line; valid UTF-8 where the server keeps its promise.
    pub text: &'a [u8],
    /// The table's name as it is printed; `None` for a line that could not be read.
    pub name: Option<&'a [u8]>,
}

impl Lines {
    /// Text before the name in a line of a change.
    const BEFORE_NAME: usize = "table ".len();

    /// The number of lines.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of all lines, in memory or not.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// About what they cost while they wait: memory, and for a file a share that lets few of them wait at once.
    pub fn weight(&self) -> usize {
        self.memory.capacity() + self.file.as_ref().map_or(0, |_| FILE_BUFFER + FILE_WEIGHT)
    }

    /// Adds a line, whose table's name has `name` bytes (0 for none).
    ///
    /// # Errors
    /// [`SlotError::Spill`] when a file was needed and could not be written.
    pub(super) fn push(&mut self, lsn: Lsn, parts: &[&[u8]], name: usize, spill: &Spill) -> Result<(), SlotError> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if !self.memory.is_empty() && self.memory.len() + HEAD + length > spill.memory {
            self.spill(spill).map_err(|source| spilling(spill, source))?;
        }
        let number =
            |number: usize| u32::try_from(number).expect("a message of PostgreSQL has less than 2 GB").to_le_bytes();
        self.memory.extend_from_slice(&lsn.as_i64().to_le_bytes());
        self.memory.extend_from_slice(&number(length));
        self.memory.extend_from_slice(&number(name));
        parts.iter().for_each(|part| self.memory.extend_from_slice(part));
        self.count += 1;
        self.bytes += length as u64;
        Ok(())
    }

    /// Ends the adding. Of lines that needed a file none stays in memory.
    pub(super) fn finish(&mut self, spill: &Spill) -> Result<(), SlotError> {
        if self.file.is_some() {
            self.spill(spill).map_err(|source| spilling(spill, source))?;
            self.memory = Vec::new();
        }
        self.turn().map_err(|source| spilling(spill, source))
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        if let Some(Spilled::Reading(file)) = &mut self.file {
            let mut head = [0; HEAD];
            match file.read_exact(&mut head) {
                Ok(()) => {
                    let (_, length, _) = read_head(&head);
                    self.scratch.resize(HEAD + length, 0);
                    self.scratch[..HEAD].copy_from_slice(&head);
                    file.read_exact(&mut self.scratch[HEAD..])?;
                    return Ok(Some(line(&self.scratch)));
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.file = None,
                Err(error) => return Err(error),
            }
        }
        if self.read == self.memory.len() {
            return Ok(None);
        }
        let rest = &self.memory[self.read..];
        let (_, length, _) = read_head(rest);
        self.read += HEAD + length;
        Ok(Some(line(&rest[..HEAD + length])))
    }

    fn spill(&mut self, spill: &Spill) -> io::Result<()> {
        if self.file.is_none() {
            // Without a name: it is gone with the process.
            let file = tempfile::tempfile_in(&spill.folder)?;
            self.file = Some(Spilled::Writing(BufWriter::with_capacity(FILE_BUFFER, file)));
        }
        if let Some(Spilled::Writing(file)) = &mut self.file {
            file.write_all(&self.memory)?;
        }
        self.memory.clear();
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        if let Some(Spilled::Writing(file)) = self.file.take() {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            self.file = Some(Spilled::Reading(BufReader::with_capacity(FILE_BUFFER, file)));
        }
        Ok(())
    }
}

fn spilling(spill: &Spill, source: io::Error) -> SlotError {
    SlotError::Spill { folder: spill.folder.display().to_string(), source }
}

fn read_head(bytes: &[u8]) -> (i64, usize, usize) {
    let lsn = i64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    (lsn, number(8), number(12))
}

fn line(bytes: &[u8]) -> Line<'_> {
    let (lsn, _, name) = read_head(bytes);
    let text = &bytes[HEAD..];
    let lsn = Lsn::from_i64(lsn).expect("it was one when it was added");
    Line { lsn, text, name: (name > 0).then(|| &text[Lines::BEFORE_NAME..Lines::BEFORE_NAME + name]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_order_from_memory_and_from_a_file() {
        for memory in [1, 60, 500, 1 << 20] {
            let spill = Spill { memory, folder: std::env::temp_dir() };
            let mut lines = Lines::default();
            let texts: Vec<String> = (0..50).map(|n| format!("table a.b: INSERT: n[integer]:{n}")).collect();
            for (number, text) in texts.iter().enumerate() {
                let lsn = Lsn::from_i64(number as i64).expect("an LSN");
                let (head, tail) = text.as_bytes().split_at(9);
                lines.push(lsn, &[head, tail], 3, &spill).expect("temporary files can be made");
            }
            lines.finish(&spill).expect("a file can be read again");
            assert_eq!(lines.count(), 50);
            assert!(memory > 500 || lines.memory.capacity() == 0, "what needed a file holds memory");
            for (number, text) in texts.iter().enumerate() {
                let line = lines.next_line().expect("it can be read").expect("a line");
                assert_eq!((line.lsn.as_i64(), line.text), (number as i64, text.as_bytes()));
                assert_eq!(line.name, Some(&b"a.b"[..]));
            }
            assert_eq!(lines.next_line().expect("it can be read"), None);
        }
    }
}
