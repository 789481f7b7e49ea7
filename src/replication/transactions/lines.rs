//! The lines of one transaction.

use crate::change::Lsn;
use crate::store::{SpillBuffer, SpillError, SpillReader, SpillSettings};

/// Bytes before a line's text: position (64 bits), length of the table's name (32 bits), least byte first.
const HEAD: usize = 12;
/// Counted for a file, so that few of them wait at once.
const FILE_WEIGHT: usize = 4 << 20;

/// Lines that are being added.
#[derive(Debug)]
pub struct LinesBuilder {
    buffer: SpillBuffer,
    count: u64,
    bytes: u64,
}

/// Lines in the order in which they were added; read once, from the first to the last.
#[derive(Debug)]
pub struct Lines {
    reader: SpillReader,
    count: u64,
    bytes: u64,
}

/// A line as test_decoding printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionLine<'a> {
    /// Where it stands: an LSN, or an offset in a file.
    pub position: i64,
    /// The line; valid UTF-8 where the server keeps its promise.
    pub text: &'a [u8],
    /// The table's name as it is printed; `None` for a line that could not be read.
    pub name: Option<&'a [u8]>,
}

impl TransactionLine<'_> {
    /// The position of a line from a slot.
    pub fn lsn(&self) -> Lsn {
        Lsn::from_i64(self.position).expect("it was an LSN when it was added")
    }
}

impl LinesBuilder {
    pub(super) fn new(spill: SpillSettings) -> LinesBuilder {
        LinesBuilder { buffer: SpillBuffer::new(spill), count: 0, bytes: 0 }
    }

    /// The number of lines.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a line that consists of these parts; its table's name has `name` bytes (0 for none).
    ///
    /// # Errors
    /// [`SpillError`] when a file was needed and could not be written.
    pub fn push(&mut self, position: i64, parts: [&[u8]; 3], name: usize) -> Result<(), SpillError> {
        let name = u32::try_from(name).expect("a message of PostgreSQL has less than 2 GB").to_le_bytes();
        let [first, second, third] = parts;
        self.buffer.append(&[&position.to_le_bytes(), &name, first, second, third])?;
        self.count += 1;
        self.bytes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Ends the adding.
    ///
    /// # Errors
    /// [`SpillError`].
    pub fn finish(self) -> Result<Lines, SpillError> {
        Ok(Lines { reader: self.buffer.finish()?, count: self.count, bytes: self.bytes })
    }
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
        self.reader.memory() + if self.reader.is_spilled() { FILE_WEIGHT } else { 0 }
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    /// [`SpillError`] when the file cannot be read or is too short.
    pub fn next_line(&mut self) -> Result<Option<TransactionLine<'_>>, SpillError> {
        let Some(record) = self.reader.next_record()? else { return Ok(None) };
        let (head, text) = record.split_at(HEAD);
        let position = i64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
        let name = u32::from_le_bytes(head[8..].try_into().expect("four bytes")) as usize;
        let name = (name > 0).then(|| &text[Self::BEFORE_NAME..Self::BEFORE_NAME + name]);
        Ok(Some(TransactionLine { position, text, name }))
    }
}
