//! The thread that reads: bytes → records → chunks, until the end, or as long as somebody takes them.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::de::IgnoredAny;
use tracing::warn;

use super::assemble::Assembler;
use super::chunk::Chunk;
use super::scan::Scanner;
use super::tail::Tail;
use super::{Input, LinesError};
use crate::change::PartitionStart;
use crate::source::Waker;

/// Chunks that wait for the worker.
pub(super) const CHUNKS: usize = 8;
/// Bytes that are asked for at once.
const READ: usize = 1 << 20;
/// A record that grows beyond this is none: PostgreSQL's longest text.
const LONGEST: usize = 1 << 30;
/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What the thread tells the worker.
pub(super) enum Delivery {
    /// Records.
    Chunk(Chunk),
    /// There is nothing to be read from this offset on.
    End(i64),
    /// The last transaction has no COMMIT: from where, and where the input ends. It is not read.
    Unfinished(i64, i64),
    /// It cannot go on.
    Failed(LinesError),
}

/// A thread that reads; it ends soon after this is dropped, but for one that waits for a stream.
pub(super) struct Reading {
    pub(super) deliveries: Receiver<Delivery>,
    stop: Arc<AtomicBool>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts to read at the partition's `from`; `time` is the instant of changes that have no better one.
pub(super) fn start(input: Input, start: &PartitionStart, time: i64, wake: Waker) -> Reading {
    let (deliver, deliveries) = sync_channel(CHUNKS);
    let stop = Arc::new(AtomicBool::new(false));
    let (from, until, stopping) = (start.from, start.until, Arc::clone(&stop));
    let read = move || {
        let told = Told { deliver, wake };
        let mut reader = Reader::new(input, time, (from, until), stopping, told.clone());
        if let Err(error) = reader.read()
            && !reader.stop.load(Ordering::Relaxed)
        {
            // Whoever took chunks may be gone by now.
            let _ = told.tell(Delivery::Failed(error));
        }
    };
    thread::Builder::new().name("lines".to_owned()).spawn(read).expect("a thread can be started");
    Reading { deliveries, stop }
}

/// The way to the worker.
#[derive(Clone)]
struct Told {
    deliver: SyncSender<Delivery>,
    wake: Waker,
}

impl Told {
    fn tell(&self, delivery: Delivery) -> io::Result<()> {
        self.deliver.send(delivery).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        (self.wake)();
        Ok(())
    }
}

struct Reader {
    input: Input,
    stop: Arc<AtomicBool>,
    told: Told,
    assembler: Assembler,
    scanner: Scanner,
    /// Bytes that are read and belong to no record yet.
    pending: Vec<u8>,
    /// The offset of the first of them.
    offset: i64,
    /// Where to stop; a file without is followed.
    until: Option<i64>,
}

/// Where bytes come from.
enum Bytes {
    Stream(Box<dyn Read + Send>),
    File(Tail),
}

/// What reading has come to.
enum More {
    /// Bytes were added.
    Bytes,
    /// There are none now.
    None,
    /// There will be none.
    Never,
}

impl Reader {
    fn new(input: Input, time: i64, (offset, until): (i64, Option<i64>), stop: Arc<AtomicBool>, told: Told) -> Reader {
        let out = told.clone();
        let deliver = Box::new(move |chunk| out.tell(Delivery::Chunk(chunk)));
        let assembler = Assembler::new(&input, input.describe(time), offset, deliver);
        let (scanner, pending) = (Scanner::default(), Vec::new());
        Reader { input, stop, told, assembler, scanner, pending, offset, until }
    }

    fn read(&mut self) -> Result<(), LinesError> {
        let mut bytes = match self.input.is_stream() {
            true => Bytes::Stream(self.input.open_stream()?),
            false => Bytes::File(Tail::open(&self.input, self.offset)?),
        };
        while !self.stop.load(Ordering::Relaxed) {
            match self.fill(&mut bytes)? {
                More::Bytes => {
                    self.split()?;
                    self.assembler.flush().map_err(|source| self.failed(source))?;
                }
                More::None => thread::sleep(POLL),
                More::Never => return self.end(),
            }
        }
        Ok(())
    }

    /// Reads once. A record that is long is read in steps as long as itself, so that none is looked at too often.
    fn fill(&mut self, bytes: &mut Bytes) -> Result<More, LinesError> {
        let known = self.pending.len();
        let position = self.offset + known as i64;
        let most = self.until.map_or(i64::MAX, |until| until - position).max(0);
        let want = usize::try_from(most).unwrap_or(usize::MAX).min(known.max(READ));
        if want == 0 {
            return Ok(More::Never);
        }
        self.pending.resize(known + want, 0);
        let read = loop {
            let into = &mut self.pending[known..];
            let read = match bytes {
                Bytes::Stream(stream) => stream.read(into),
                Bytes::File(file) => file.read(into),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.pending.truncate(known + read.as_ref().copied().unwrap_or(0));
        match (read, bytes, self.until) {
            (Err(source), _, _) => Err(self.failed(source)),
            (Ok(1..), _, _) => Ok(More::Bytes),
            (Ok(0), Bytes::Stream(_), _) => Ok(More::Never),
            // The bytes were there at the start.
            (Ok(0), Bytes::File(_), Some(until)) => {
                Err(LinesError::Shrunk { path: self.input.name().to_owned(), read: position, until })
            }
            (Ok(0), Bytes::File(file), None) => file.look(position).map(|()| More::None),
        }
    }

    /// Takes the records that are whole.
    fn split(&mut self) -> Result<(), LinesError> {
        let mut begin = 0;
        while begin < self.pending.len() {
            let rest = &self.pending[begin..];
            let length = match self.scanner.end(rest) {
                Some(length) => length,
                None if rest.len() <= LONGEST => break,
                None => self.scanner.give_up(rest),
            };
            if length > LONGEST {
                let path = self.input.name().to_owned();
                return Err(LinesError::Endless { path, offset: self.offset, limit: LONGEST });
            }
            self.take(begin, length)?;
            begin += length;
        }
        self.pending.drain(..begin);
        Ok(())
    }

    /// Adds the record of so many bytes that begins there.
    fn take(&mut self, begin: usize, length: usize) -> Result<(), LinesError> {
        let record = &self.pending[begin..begin + length];
        let added = self.assembler.add(record, self.offset);
        added.map_err(|source| self.failed(source))?;
        self.offset += length as i64;
        Ok(())
    }

    /// Takes what is left, if it will not become more: of a stream all, of a file a JSON value that is whole. A last
    /// transaction without COMMIT is not read.
    fn end(&mut self) -> Result<(), LinesError> {
        let is_stream = self.input.is_stream();
        while !self.pending.is_empty() && (is_stream || is_whole_value(&self.pending)) {
            let length = self.scanner.end(&self.pending).unwrap_or_else(|| self.scanner.give_up(&self.pending));
            self.take(0, length)?;
            self.pending.drain(..length);
        }
        let (read, end) = (self.offset, self.offset + self.pending.len() as i64);
        let open = self.assembler.open_from();
        let told = self.assembler.flush().and_then(|()| match open {
            None => self.told.tell(Delivery::End(read)),
            Some(from) => self.told.tell(Delivery::Unfinished(from, end)),
        });
        told.map_err(|source| self.failed(source))?;
        let why = match open {
            Some(_) if is_stream => return Ok(()),
            Some(_) => "the last transaction has no COMMIT yet",
            None if self.pending.is_empty() => return Ok(()),
            None => "the last record is not whole yet: its line end is missing, or a closing quote",
        };
        let (input, from) = (self.input.name(), open.unwrap_or(read));
        warn!(input, from, to = end, "{why}; these bytes are not read, the next run begins with them");
        Ok(())
    }

    fn failed(&self, source: io::Error) -> LinesError {
        self.input.failed("read", source)
    }
}

/// Whether these bytes without a line end are a record that cannot be the beginning of a longer one.
fn is_whole_value(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Partition;

    #[test]
    fn a_file_that_is_cut_while_it_is_read_tells_how_far_that_was() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        std::fs::write(&path, "BEGIN 1\nCOMMIT 1\nBEG").expect("a file can be written");
        let input = Input::look(&path).expect("it is there");
        let partition = Partition { topic: input.name().to_owned(), number: 0 };
        let begin = PartitionStart { partition, from: 8, until: Some(40) };
        let reading = start(input, &begin, 0, Arc::new(|| {}));
        let deliveries: Vec<Delivery> = reading.deliveries.iter().collect();
        assert!(matches!(
            deliveries.as_slice(),
            [Delivery::Chunk(_), Delivery::Failed(LinesError::Shrunk { read: 20, until: 40, .. })]
        ));
    }
}
