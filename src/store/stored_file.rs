//! A file of a store that is read in parts, and never replaced while it is there.

use std::fmt::{self, Debug, Formatter};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that can be read at any place.
pub trait ReadAt: Send + Sync {
    /// How many there are.
    fn size(&self) -> u64;

    /// Fills `bytes` with those from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when there are fewer; any error of the store.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file that is open for reading. Clones share it.
#[derive(Clone)]
pub struct StoredFile(Arc<dyn ReadAt>);

impl StoredFile {
    /// A file by the way to read it.
    pub fn new(file: impl ReadAt + 'static) -> StoredFile {
        StoredFile(Arc::new(file))
    }

    /// A file of a file system.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn of_disk(file: File) -> io::Result<StoredFile> {
        let size = file.metadata()?.len();
        Ok(StoredFile::new(DiskBytes { file, size }))
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// Fills `bytes` with those from `offset` on.
    ///
    /// # Errors
    /// As [`ReadAt::read_exact_at`].
    pub fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    /// Reads the bytes from `offset` on, one after the other.
    pub fn read_from(&self, offset: u64) -> impl Read + use<> {
        ReadFrom { file: self.clone(), offset }
    }
}

impl Debug for StoredFile {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "StoredFile({} bytes)", self.size())
    }
}

impl From<Bytes> for StoredFile {
    fn from(bytes: Bytes) -> StoredFile {
        StoredFile::new(bytes)
    }
}

impl ReadAt for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let part = rest.and_then(|rest| rest.get(..bytes.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(part);
        Ok(())
    }
}

struct DiskBytes {
    file: File,
    size: u64,
}

impl ReadAt for DiskBytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }
}

struct ReadFrom {
    file: StoredFile,
    offset: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let rest = self.file.size().saturating_sub(self.offset);
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len());
        self.file.read_exact_at(&mut bytes[..length], self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}

impl Length for StoredFile {
    fn len(&self) -> u64 {
        self.size()
    }
}

impl ChunkReader for StoredFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Box<dyn Read>> {
        Ok(Box::new(BufReader::new(self.read_from(start))))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A length out of a damaged footer must not be allocated.
        let end = start.checked_add(length as u64).filter(|end| *end <= self.size());
        end.ok_or_else(|| ParquetError::EOF(format!("expected to read {length} bytes at {start} of {}", self.size())))?;
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_nothing_beyond_the_end() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"0123456789").expect("a writable folder");
        let on_disk = StoredFile::of_disk(File::open(&path).expect("it is there")).expect("readable");
        for file in [on_disk, Bytes::from_static(b"0123456789").into()] {
            let mut part = [0; 3];
            file.read_exact_at(&mut part, 7).expect("it has ten");
            assert_eq!((&part, file.size()), (b"789", 10));
            let error = file.read_exact_at(&mut part, 8).expect_err("it has ten");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            let mut rest = Vec::new();
            file.read_from(4).read_to_end(&mut rest).expect("readable");
            assert_eq!(rest, b"456789");
            assert!(file.get_bytes(8, 3).is_err() && file.get_bytes(u64::MAX, 3).is_err());
            assert_eq!(file.get_bytes(8, 2).expect("there"), &b"89"[..]);
        }
    }
}
