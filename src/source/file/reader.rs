//! Reads an input to its end or until it is stopped: bytes → records → batches.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use memchr::memchr;
use serde::de::IgnoredAny;
use tracing::warn;

use super::delivery::{DeliverySender, FileDelivery};
use super::form::FileForm;
use super::input::InputTail;
use super::look::{BYTE_ORDER_MARK, look};
use super::records::scan::RecordScanner;
use super::records::values::value_of;
use super::transaction::BatchBuilder;
use super::{Damage, FileError, Input};
use crate::change::PartitionStart;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// A record that grows beyond this is invalid: PostgreSQL's longest text.
const MAX_RECORD_BYTES: usize = 1 << 30;
/// How often a file that is followed is read.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Reads an input, and sends its records.
pub(super) struct FileReader {
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
    /// A stream, or a compressed file, and where its bytes are read into.
    Once(Box<dyn Read + Send>, Vec<u8>),
    /// A file that may grow.
    File(InputTail),
}

impl Bytes {
    fn once(text: Box<dyn Read + Send>) -> Bytes {
        Bytes::Once(text, vec![0; READ_BYTES])
    }
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
    /// Begins at the partition's `from`.
    pub(super) fn new(
        input: Input,
        stop: Arc<AtomicBool>,
        sender: DeliverySender,
        builder: BatchBuilder,
        start: &PartitionStart,
    ) -> FileReader {
        FileReader {
            input,
            stop,
            sender,
            builder,
            scanner: None,
            is_of_values: false,
            pending: Vec::new(),
            offset: start.from,
            until: start.until,
        }
    }

    /// Reads to the end, or until it is stopped.
    pub(super) fn read(&mut self) -> Result<(), FileError> {
        let mut bytes = match self.input.is_stream() {
            true => Bytes::once(self.input.open_stream()?),
            false => match self.input.compressed_text(self.offset).map_err(|error| error.behind(self.offset))? {
                Some(text) => Bytes::once(text),
                None => Bytes::File(InputTail::open(&self.input, self.offset)?),
            },
        };
        if self.offset > 0 {
            // The beginning was read by an earlier run.
            self.begin_records(self.input.known_form()?);
        }
        while !self.stop.load(Ordering::Relaxed) {
            let filled = match self.fill(&mut bytes) {
                Err(FileError::Damaged { damage, .. }) => return self.break_off(damage),
                filled => filled?,
            };
            match filled {
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

    /// Sends why reading is not possible any more, unless it was stopped.
    pub(super) fn fail(&self, error: FileError) {
        if !self.stop.load(Ordering::Relaxed) {
            // The worker may have ended by now.
            let _ = self.sender.send(FileDelivery::Failed(error));
        }
    }

    /// Reads once. A decoder or a pipe may return few bytes: the cost is that of what came, whatever is pending.
    fn fill(&mut self, bytes: &mut Bytes) -> Result<Filled, FileError> {
        let position = self.offset + self.pending.len() as i64;
        let most = self.until.map_or(i64::MAX, |until| until - position).max(0);
        let want = usize::try_from(most).unwrap_or(usize::MAX).min(READ_BYTES);
        if want == 0 {
            return Ok(Filled::End);
        }
        let read = match bytes {
            Bytes::Once(text, buffer) => read_once(text, &mut buffer[..want]).inspect(|read| {
                self.pending.extend_from_slice(&buffer[..*read]);
            }),
            // It does not wait for more, so what it has is read in place.
            Bytes::File(file) => {
                self.pending.reserve(want);
                file.take(want as u64).read_to_end(&mut self.pending)
            }
        };
        match (read, bytes, self.until) {
            (Err(source), _, _) => Err(self.input.failed("read", source)),
            (Ok(1..), _, _) => Ok(Filled::Some),
            (Ok(0), _, _) if self.input.is_stream() => Ok(Filled::End),
            // The file had these bytes when the run began.
            (Ok(0), _, Some(until)) => {
                Err(FileError::Shrunk { path: self.input.name().to_owned(), read: position, until })
            }
            (Ok(0), Bytes::File(file), None) => file.check(position).map(|()| Filled::None),
            (Ok(0), Bytes::Once(..), None) => Ok(Filled::End),
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

    /// Ends where a compressed input cannot be read further: with the records that are whole.
    fn break_off(&mut self, damage: Damage) -> Result<(), FileError> {
        self.look(true)?;
        self.split()?;
        self.builder.flush()?;
        let from = self.builder.open_from().unwrap_or(self.offset);
        self.send_end(from, Some(FileError::BrokenOff { path: self.input.name().to_owned(), damage, from }))
    }

    fn send_end(&self, read: i64, missing: Option<FileError>) -> Result<(), FileError> {
        let sent = self.sender.send(FileDelivery::End { read, missing });
        sent.map_err(|source| self.input.failed("read", source))
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
        let path = || self.input.name().to_owned();
        let is_cut = in_transaction && is_stream;
        self.send_end(read, is_cut.then(|| FileError::CutShort { path: path(), from: read, to: end }))?;
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

/// Reads once; only part of the buffer may be filled.
fn read_once(text: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match text.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Whether these bytes without a line end are a record that cannot be the beginning of a longer one.
fn is_whole_value(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'"')) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::batch::FileRecords;
    use super::super::reading::Reading;
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

    /// Text that comes in pieces, as from a decoder; nothing else is asked of the buffer.
    struct Pieces {
        left: usize,
        largest: Arc<std::sync::atomic::AtomicUsize>,
    }

    impl Read for Pieces {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.largest.fetch_max(bytes.len(), Ordering::Relaxed);
            let read = self.left.min(bytes.len()).min(150_000);
            bytes[..read].fill(b'x');
            self.left -= read;
            Ok(read)
        }
    }

    #[test]
    fn a_long_record_is_read_in_steps_that_do_not_grow_with_it() {
        let (deliver, deliveries) = std::sync::mpsc::sync_channel(1);
        let sender = DeliverySender { deliver, wake: Arc::new(|| {}) };
        let input = Input::look(std::path::Path::new("-")).expect("standard input exists");
        let builder = BatchBuilder::new(&input, "a day".to_owned(), Box::new(|_| Ok(())));
        let partition = Partition { topic: input.name().to_owned(), number: 0 };
        let start = PartitionStart::new(partition, 0, Some(i64::MAX));
        let mut reader = FileReader::new(input, Arc::default(), sender, builder, &start);
        let (largest, length) = (Arc::default(), 32 << 20);
        let mut bytes = Bytes::once(Box::new(Pieces { left: length, largest: Arc::clone(&largest) }));
        while let Filled::Some = reader.fill(&mut bytes).expect("it does not fail") {}
        assert_eq!((reader.pending.len(), largest.load(Ordering::Relaxed)), (length, READ_BYTES));
        assert!(reader.pending.iter().all(|byte| *byte == b'x'));
        drop(deliveries);
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
