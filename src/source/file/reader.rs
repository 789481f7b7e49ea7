//! The source of a worker, and the thread that reads for it: bytes → records → batches, until the end or the stop.

use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use memchr::memchr;
use serde::de::IgnoredAny;
use tracing::warn;

use super::form::FileForm;
use super::input::InputTail;
use super::look::{BYTE_ORDER_MARK, look};
use super::scan::RecordScanner;
use super::transaction::{BatchBuilder, FileBatch, FileRecords};
use super::values::value_of;
use super::{FileError, Input};
use crate::change::{Failure, PartitionStart, PolledBatch};
use crate::source::{Cursors, Source, Waker};

/// Batches that wait for the worker.
const QUEUED_BATCHES: usize = 8;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// A record that grows beyond this is invalid: PostgreSQL's longest text.
const MAX_RECORD_BYTES: usize = 1 << 30;
/// How often a file that is followed is read.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What is missing at the end of an input, to be reported when everything else is committed; clones share it.
///
/// Assumes that the process that leads is the one that reads: an input is read by one process.
#[derive(Clone, Default)]
pub struct MissingEnd(Arc<Mutex<Option<FileError>>>);

impl MissingEnd {
    /// What is missing, once.
    pub fn take(&self) -> Option<FileError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads an input; only the worker that it is assigned to opens it.
pub struct FileSource {
    input: Input,
    missing: MissingEnd,
    /// The instant for changes that have no better one.
    time: i64,
    waker: Waker,
    cursors: Cursors,
    reading: Option<Reading>,
    at_transaction_boundary: bool,
}

impl FileSource {
    /// A source that is not opened yet.
    pub fn new(input: Input, missing: MissingEnd) -> FileSource {
        let (waker, cursors): (Waker, _) = (Arc::new(|| {}), Cursors::default());
        FileSource { input, missing, time: 0, waker, cursors, reading: None, at_transaction_boundary: true }
    }
}

impl Source for FileSource {
    fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        for start in partitions {
            assert!(self.reading.is_none(), "an input is one partition");
            self.cursors.add(start);
            self.time = self.input.time();
            self.reading = Some(Reading::start(self.input.clone(), start, self.time, Arc::clone(&self.waker)));
        }
        Ok(())
    }

    fn poll_batch(&mut self, _limit: usize) -> Result<Option<PolledBatch>, Failure> {
        let Some(reading) = &self.reading else { return Ok(None) };
        match reading.deliveries.try_recv() {
            Ok(FileDelivery::Batch(batch)) => {
                self.cursors.pass(0, batch.next);
                self.at_transaction_boundary = batch.at_transaction_boundary;
                let (partition, count) = (Arc::clone(self.cursors.partition(0)), batch.len());
                let records = FileRecords { partition, batch, time: self.time };
                Ok(Some(PolledBatch { records: Box::new(records), count }))
            }
            Ok(FileDelivery::End { read, end, in_transaction }) => {
                self.cursors.end_at(0, read);
                if in_transaction && self.input.is_stream() {
                    let missing = FileError::CutShort { path: self.input.name().to_owned(), from: read, to: end };
                    *self.missing.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(missing);
                }
                Ok(None)
            }
            Ok(FileDelivery::Failed(error)) => Err(error.into()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    fn at_transaction_boundary(&self) -> bool {
        self.at_transaction_boundary
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        // A worker without an input has read all of it.
        let Some(_) = &self.reading else { return Some(0) };
        if self.input.is_stream() {
            return None;
        }
        // In bytes: the number of records is known only after reading.
        let read = self.cursors.next_offset(0);
        self.input.size().ok().map(|size| (size - read).max(0))
    }
}

/// What the thread sends to the worker.
enum FileDelivery {
    Batch(FileBatch),
    /// Nothing is read from the offset `read` on, though the input ends at `end`; perhaps because a last transaction has no
    /// COMMIT.
    End {
        read: i64,
        end: i64,
        in_transaction: bool,
    },
    /// Reading is not possible any more.
    Failed(FileError),
}

/// A thread that reads; it ends soon after this is dropped, unless it waits for a stream.
struct Reading {
    deliveries: Receiver<FileDelivery>,
    stop: Arc<AtomicBool>,
}

impl Reading {
    /// Starts to read at the partition's `from`; `time` is the instant of changes that have no better one.
    fn start(input: Input, start: &PartitionStart, time: i64, wake: Waker) -> Reading {
        let (deliver, deliveries) = sync_channel(QUEUED_BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let sender = DeliverySender { deliver, wake };
        let send = sender.clone();
        let builder = BatchBuilder::new(
            &input,
            input.describe(time),
            Box::new(move |batch| send.send(FileDelivery::Batch(batch))),
        );
        let mut reader = FileReader {
            input,
            stop: Arc::clone(&stop),
            sender,
            builder,
            scanner: None,
            is_of_values: false,
            pending: Vec::new(),
            offset: start.from,
            until: start.until,
        };
        let read = move || {
            if let Err(error) = reader.read()
                && !reader.stop.load(Ordering::Relaxed)
            {
                // The worker may have ended by now.
                let _ = reader.sender.send(FileDelivery::Failed(error));
            }
        };
        thread::Builder::new().name("file".to_owned()).spawn(read).expect("a thread can be started");
        Reading { deliveries, stop }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct DeliverySender {
    deliver: SyncSender<FileDelivery>,
    wake: Waker,
}

impl DeliverySender {
    fn send(&self, delivery: FileDelivery) -> io::Result<()> {
        self.deliver.send(delivery).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        (self.wake)();
        Ok(())
    }
}

struct FileReader {
    input: Input,
    stop: Arc<AtomicBool>,
    sender: DeliverySender,
    builder: BatchBuilder,
    /// Where records end; `None` until the first bytes show how they are split.
    scanner: Option<RecordScanner>,
    /// Whether they are JSON values that are no lines.
    is_of_values: bool,
    /// Bytes that are read and not yet part of a record.
    pending: Vec<u8>,
    /// The offset of the first of them.
    offset: i64,
    /// Where to stop; without it a file is followed.
    until: Option<i64>,
}

/// Where bytes come from.
enum Bytes {
    Stream(Box<dyn Read + Send>),
    File(InputTail),
}

/// The result of reading once.
enum Filled {
    /// Bytes were added.
    Some,
    /// There are none now.
    None,
    /// There will be none.
    End,
}

impl FileReader {
    fn read(&mut self) -> Result<(), FileError> {
        let mut bytes = match self.input.is_stream() {
            true => Bytes::Stream(self.input.open_stream()?),
            false => Bytes::File(InputTail::open(&self.input, self.offset)?),
        };
        if self.offset > 0 {
            // The beginning was read by an earlier run.
            self.begin_records(self.input.known_form()?);
        }
        while !self.stop.load(Ordering::Relaxed) {
            match self.fill(&mut bytes)? {
                Filled::Some => {
                    self.look(false)?;
                    self.split()?;
                    self.builder.flush()?;
                }
                Filled::None => {
                    // The fragment of a first line shows too little.
                    self.look(memchr(b'\n', &self.pending).is_some())?;
                    self.add_settled()?;
                    thread::sleep(POLL_INTERVAL);
                }
                Filled::End => return self.end(),
            }
        }
        Ok(())
    }

    /// Reads once. A long record is read in steps as long as itself, so that it is scanned only a few times.
    fn fill(&mut self, bytes: &mut Bytes) -> Result<Filled, FileError> {
        let known = self.pending.len();
        let position = self.offset + known as i64;
        let most = self.until.map_or(i64::MAX, |until| until - position).max(0);
        let want = usize::try_from(most).unwrap_or(usize::MAX).min(known.max(READ_BYTES));
        if want == 0 {
            return Ok(Filled::End);
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
            (Err(source), _, _) => Err(self.input.failed("read", source)),
            (Ok(1..), _, _) => Ok(Filled::Some),
            (Ok(0), Bytes::Stream(_), _) => Ok(Filled::End),
            // The file had these bytes when the run began.
            (Ok(0), Bytes::File(_), Some(until)) => {
                Err(FileError::Shrunk { path: self.input.name().to_owned(), read: position, until })
            }
            (Ok(0), Bytes::File(file), None) => file.check(position).map(|()| Filled::None),
        }
    }

    /// Looks at the first bytes of the input; `is_all` if no more will come.
    fn look(&mut self, is_all: bool) -> Result<(), FileError> {
        if self.scanner.is_some() {
            return Ok(());
        }
        if let Some(form) = look(&self.pending, is_all) {
            let form = form.map_err(|unreadable| self.input.other_form(unreadable))?;
            self.begin_records(form);
            if self.pending.starts_with(BYTE_ORDER_MARK) {
                self.add(0, BYTE_ORDER_MARK.len())?;
                self.pending.drain(..BYTE_ORDER_MARK.len());
            }
        }
        Ok(())
    }

    fn begin_records(&mut self, form: FileForm) {
        self.is_of_values = form == FileForm::Values;
        self.scanner = Some(RecordScanner::of(form));
        self.builder.set_form(form);
    }

    /// Adds the records that are whole.
    fn split(&mut self) -> Result<(), FileError> {
        let mut begin = 0;
        while begin < self.pending.len() {
            let rest = &self.pending[begin..];
            let Some(scanner) = &mut self.scanner else { break };
            let length = match scanner.end(rest) {
                Some(length) => length,
                None if rest.len() <= MAX_RECORD_BYTES => break,
                None => scanner.give_up(rest),
            };
            if length > MAX_RECORD_BYTES {
                let path = self.input.name().to_owned();
                return Err(FileError::LongLine { path, offset: self.offset, limit: MAX_RECORD_BYTES });
            }
            self.add(begin, length)?;
            begin += length;
        }
        self.pending.drain(..begin);
        Ok(())
    }

    /// Adds what is whole if nothing more comes: a logical message by its length, what stands behind the last of JSON's values.
    fn add_settled(&mut self) -> Result<(), FileError> {
        self.split()?;
        // What stands behind one may be settled too.
        while let Some(length) = self.scanner.as_mut().and_then(RecordScanner::settled) {
            self.add(0, length)?;
            self.pending.drain(..length);
            self.split()?;
        }
        self.builder.flush()
    }

    fn add(&mut self, begin: usize, length: usize) -> Result<(), FileError> {
        self.builder.add(&self.pending[begin..begin + length], self.offset)?;
        self.offset += length as i64;
        Ok(())
    }

    /// Adds what is left and cannot grow: of a stream all, of a file a whole JSON value.
    fn end(&mut self) -> Result<(), FileError> {
        let is_stream = self.input.is_stream();
        self.look(true)?;
        self.add_settled()?;
        while !self.pending.is_empty() && (is_stream || is_whole_value(&self.pending)) {
            let scanner = self.scanner.get_or_insert_default();
            let length = scanner.end(&self.pending).unwrap_or_else(|| scanner.give_up(&self.pending));
            self.add(0, length)?;
            self.pending.drain(..length);
        }
        self.builder.flush()?;
        let end = self.offset + self.pending.len() as i64;
        let (read, in_transaction) = match self.builder.open_from() {
            Some(begin) => (begin, true),
            None => (self.offset, false),
        };
        let sent = self.sender.send(FileDelivery::End { read, end, in_transaction });
        sent.map_err(|source| self.input.failed("read", source))?;
        let why = match in_transaction {
            true if is_stream => return Ok(()),
            true => "the last transaction has no COMMIT yet",
            false if self.pending.is_empty() => return Ok(()),
            false if self.is_of_values => {
                let begin = end - value_of(&self.pending).len() as i64;
                let (input, from, to) = (self.input.name(), read, end);
                warn!(
                    input,
                    from,
                    to,
                    "the JSON value that begins at byte {begin} is not closed: the file was cut, or more of it will come; \
                     these bytes are not read, the next run begins with them"
                );
                return Ok(());
            }
            false => "the last record is not whole yet: its line end is missing, or a closing quote",
        };
        let (input, from, to) = (self.input.name(), read, end);
        warn!(input, from, to, "{why}; these bytes are not read, the next run begins with them");
        Ok(())
    }
}

/// Whether these bytes without a line end are a record that cannot be the beginning of a longer one.
fn is_whole_value(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'"')) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Partition;

    #[test]
    fn the_error_of_a_file_that_is_cut_while_it_is_read_has_the_missing_range() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        std::fs::write(&path, "BEGIN 1\nCOMMIT 1\nBEG").expect("a file can be written");
        let input = Input::look(&path).expect("it exists");
        let partition = Partition { topic: input.name().to_owned(), number: 0 };
        let start = PartitionStart::new(partition, 8, Some(40));
        let reading = Reading::start(input, &start, 0, Arc::new(|| {}));
        let deliveries: Vec<FileDelivery> = reading.deliveries.iter().collect();
        assert!(matches!(
            deliveries.as_slice(),
            [FileDelivery::Batch(_), FileDelivery::Failed(FileError::Shrunk { read: 20, until: 40, .. })]
        ));
    }

    /// What a run reads: the values of its records, markers left out; where it ends, and whether in a transaction.
    fn read_all(text: &str, is_followed: bool, pieces: &[&str]) -> (Vec<String>, Option<i64>) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("f");
        std::fs::write(&path, text).expect("a file can be written");
        let input = Input::look(&path).expect("it exists");
        let partition = Partition { topic: input.name().to_owned(), number: 0 };
        let until = (!is_followed).then_some(text.len() as i64);
        let reading = Reading::start(input, &PartitionStart::new(partition, 0, until), 0, Arc::new(|| {}));
        for piece in pieces {
            thread::sleep(3 * POLL_INTERVAL);
            let file = std::fs::OpenOptions::new().append(true).open(&path);
            io::Write::write_all(&mut file.expect("it exists"), piece.as_bytes()).expect("a file can be written");
        }
        let (mut values, mut end) = (Vec::new(), None);
        while let Ok(delivery) = reading.deliveries.recv_timeout(6 * POLL_INTERVAL) {
            match delivery {
                FileDelivery::Batch(batch) => {
                    let partition = Arc::new(Partition { topic: "f".to_owned(), number: 0 });
                    let records = FileRecords { partition, batch, time: 0 };
                    crate::change::Records::for_each(&records, &mut |record| {
                        values.extend(record.value.map(|value| String::from_utf8_lossy(value).into_owned()));
                    });
                }
                FileDelivery::End { read, .. } => end = Some(read),
                FileDelivery::Failed(error) => values.push(error.to_string()),
            }
        }
        (values, end)
    }

    #[test]
    fn one_run_settles_all_messages_that_are_whole() {
        for head in ["", "0/5|7|"] {
            let message = "message: transactional: 0 prefix: p, sz: 3 content:abc";
            let transaction = ["BEGIN 7", message, "table a.b: INSERT:", "COMMIT 7"];
            let lines = [&transaction[..], &transaction[..], &[message, message, message][..]].concat();
            let text: String = lines.iter().map(|line| format!("{head}{line}\n")).collect();
            let (values, end) = read_all(&text, false, &[]);
            assert_eq!((values, end), (lines.iter().map(ToString::to_string).collect(), Some(text.len() as i64)));
        }
    }

    #[test]
    fn a_followed_file_is_looked_at_when_a_line_is_there() {
        let line = "table a.b: DELETE:";
        for pieces in [
            &["{\n  \"da", "ta\": \"x\"\n}\n", "{\n\"data\": \"y\"\n}\n"][..],
            &["[", "{\"data\":\n\"x\"},\n", "{\"data\":\"y\"}]\n"],
            &["\u{feff}", line, "\n", line, "\n"],
            &["da", "ta\n\"table a.b: DELETE: v[text]:'C:\\new, x'\"\n", line, "\n"],
        ] {
            let (values, end) = read_all("", true, pieces);
            assert!(values.len() == 2 && end.is_none(), "{pieces:?}: {values:?}");
            assert!(values.iter().all(|value| value.starts_with("table a.b") || value.ends_with('}')), "{values:?}");
        }
        for (piece, what) in [("BZh91AY&SY", "bzip2"), (" lsn | xid | data\n-----+-----+------\n", "aligned")] {
            let (values, _) = read_all("", true, &[piece]);
            assert!(values.len() == 1 && values[0].contains(what), "{values:?}");
        }
    }

    #[test]
    fn a_json_value_that_is_not_closed_waits_as_a_whole() {
        let whole = "{\n  \"data\": \"x\"\n}";
        let (values, end) = read_all(&format!("{whole}\n{{\n  \"data\":\n"), false, &[]);
        assert_eq!((values, end), (vec![whole.to_owned()], Some(whole.len() as i64)));
        let mut scanner = RecordScanner::of(FileForm::Values);
        let cut = b"\n{\n  \"data\":\n";
        assert_eq!((scanner.end(cut), scanner.give_up(cut)), (None, cut.len()));
    }
}
