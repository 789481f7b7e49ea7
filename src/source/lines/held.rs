//! The chunks of a transaction that waits for its COMMIT: in memory, then in a file without a name.
//!
//! In the file, for each chunk: the numbers of its lines and bytes, the next offset (64 bits each); for each line its offset,
//! its end (64 bits each) and whether something is known of it (8 bits); the bytes. Numbers have their least byte first.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::mem;
use std::path::{Path, PathBuf};

use super::chunk::{Chunk, Known, Line};

/// Bytes of chunks that are kept in memory.
const MEMORY: usize = 64 << 20;
/// Bytes written to, or read from, the file at once.
const FILE_BUFFER: usize = 256 << 10;

/// Chunks in the order in which they were added.
pub(super) struct Held {
    folder: PathBuf,
    file: Option<BufWriter<File>>,
    chunks_in_file: usize,
    memory: Vec<Chunk>,
    bytes: usize,
}

impl Held {
    /// Nothing yet; the file will be in this folder.
    pub(super) fn new(folder: &Path) -> Held {
        Held { folder: folder.to_owned(), file: None, chunks_in_file: 0, memory: Vec::new(), bytes: 0 }
    }

    /// Adds a chunk.
    pub(super) fn push(&mut self, chunk: Chunk) -> io::Result<()> {
        self.push_within(chunk, MEMORY)
    }

    fn push_within(&mut self, chunk: Chunk, memory: usize) -> io::Result<()> {
        self.bytes += chunk.bytes.len() + chunk.lines.len() * size_of::<Line>();
        self.memory.push(chunk);
        if self.bytes > memory {
            self.spill().map_err(|source| {
                let folder = self.folder.display();
                let told = "--spill-dir names another folder";
                io::Error::new(source.kind(), format!("no room for a large transaction in {folder}: {source}; {told}"))
            })?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            // Without a name: it is gone with the process.
            none => none.insert(BufWriter::with_capacity(FILE_BUFFER, tempfile::tempfile_in(&self.folder)?)),
        };
        for chunk in self.memory.drain(..) {
            write(file, &chunk)?;
            self.chunks_in_file += 1;
        }
        self.bytes = 0;
        Ok(())
    }

    /// Gives the chunks back, each with what is now known of the transaction.
    pub(super) fn take(&mut self, known: Known) -> io::Result<impl Iterator<Item = io::Result<Chunk>> + use<>> {
        let Held { file, chunks_in_file, memory, .. } = mem::replace(self, Held::new(&self.folder));
        let mut file = match file {
            Some(file) => {
                let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.rewind()?;
                Some(BufReader::with_capacity(FILE_BUFFER, file))
            }
            None => None,
        };
        let from_file = (0..chunks_in_file).filter_map(move |_| file.as_mut().map(read));
        Ok(from_file.chain(memory.into_iter().map(Ok)).map(move |chunk| {
            let mut chunk = chunk?;
            chunk.known = vec![known];
            Ok(chunk)
        }))
    }
}

fn write(file: &mut impl Write, chunk: &Chunk) -> io::Result<()> {
    for number in [chunk.lines.len() as u64, chunk.bytes.len() as u64, chunk.next as u64] {
        file.write_all(&number.to_le_bytes())?;
    }
    for line in &chunk.lines {
        file.write_all(&line.offset.to_le_bytes())?;
        file.write_all(&(line.end as u64).to_le_bytes())?;
        file.write_all(&[u8::from(line.known.is_some())])?;
    }
    file.write_all(&chunk.bytes)
}

fn read(file: &mut BufReader<File>) -> io::Result<Chunk> {
    fn number(file: &mut BufReader<File>) -> io::Result<u64> {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    let (lines, bytes, next) = (number(file)?, number(file)?, number(file)? as i64);
    let mut chunk = Chunk { next, bytes: vec![0; bytes as usize], ..Chunk::default() };
    for _ in 0..lines {
        let (offset, end) = (number(file)? as i64, number(file)? as usize);
        let mut known = [0];
        file.read_exact(&mut known)?;
        chunk.lines.push(Line { offset, end, known: (known[0] == 1).then_some(0) });
    }
    file.read_exact(&mut chunk.bytes)?;
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_from_memory_and_from_a_file() {
        let chunk = |number: i64| {
            let mut chunk = Chunk::default();
            for line in 0..5 {
                let offset = number * 100 + line * 10;
                chunk.push(format!("line {offset}").as_bytes(), offset, offset + 9, (line % 2 == 0).then_some(0));
            }
            chunk
        };
        let known = Known { arrived: Some(7), ..Known::default() };
        for memory in [0, 400, 1 << 20] {
            let mut held = Held::new(&std::env::temp_dir());
            for number in 0..9 {
                held.push_within(chunk(number), memory).expect("temporary files can be made");
            }
            let chunks: Vec<Chunk> =
                held.take(known).and_then(Iterator::collect::<io::Result<_>>).expect("a file can be read again");
            let expected: Vec<Chunk> = (0..9).map(|number| Chunk { known: vec![known], ..chunk(number) }).collect();
            assert_eq!(chunks, expected, "{memory} bytes in memory");
            assert_eq!(held.take(known).expect("nothing to read").count(), 0, "it begins anew");
        }
    }
    #[test]
    fn a_folder_that_cannot_take_the_file_is_told() {
        let mut held = Held::new(Path::new("/nowhere/at/all"));
        let mut chunk = Chunk::default();
        chunk.push(b"line", 0, 5, None);
        let said = held.push_within(chunk, 0).expect_err("there is no such folder").to_string();
        assert!(said.contains("/nowhere/at/all") && said.contains("--spill-dir"), "{said}");
    }
}
