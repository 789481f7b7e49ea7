//! Records → batches: a transaction waits until its COMMIT, because only that has the commit time.

use std::borrow::Cow;
use std::{io, mem};

use memchr::memmem;
use tracing::warn;

use super::batch::{FileBatch, TransactionInfo};
use super::form::FileForm;
use super::look::BYTE_ORDER_MARK;
use super::records::copy_text;
use super::records::copy_text::{Writer, unescaped, writer_of_record};
use super::records::psql::{RowHead, RowPlace, is_frame, line_of, quoted_column};
use super::records::values::value_of;
use super::{FileError, Input};
use crate::change::Decoded;
use crate::replication::{LineHead, OpenTransaction, Step, TransactionAssembler};
use crate::store::SpillSettings;

/// Bytes of a transaction that stay in memory.
const TRANSACTION_MEMORY: usize = 64 << 20;

/// Sends a batch to the worker; may wait, and fails when the worker is gone.
pub(super) type SendBatch = Box<dyn FnMut(FileBatch) -> io::Result<()> + Send>;

/// Builds batches of whole transactions and of the records between them, in their order.
pub(super) struct BatchBuilder {
    input: Input,
    /// The instant of changes without a commit time, in words; `None` once it was logged.
    time: Option<String>,
    send: SendBatch,
    form: FileForm,
    /// Whether a row was read that psql and COPY write differently, and it was logged.
    has_ambiguous_row: bool,
    batch: FileBatch,
    transactions: TransactionAssembler,
    /// The open transaction, if its records stand in the batch; else they are held.
    tail: Option<OpenTail>,
}

/// Where the records of a transaction begin in the batch that it ends.
struct OpenTail {
    first: usize,
    /// Its index in the batch.
    transaction: u32,
    has_changes: bool,
}

impl BatchBuilder {
    /// Begins between transactions; `time` is the instant of changes without a commit time, in words.
    pub(super) fn new(input: &Input, time: String, send: SendBatch) -> BatchBuilder {
        let spill = SpillSettings { memory: TRANSACTION_MEMORY, folder: input.spill_folder().to_owned() };
        let (batch, transactions) = (FileBatch::default(), TransactionAssembler::new(spill));
        let (input, form) = (input.clone(), FileForm::Lines);
        let has_ambiguous_row = false;
        BatchBuilder { input, time: Some(time), send, form, has_ambiguous_row, batch, transactions, tail: None }
    }

    /// Sets how the records are split that are added from now on.
    pub(super) fn set_form(&mut self, form: FileForm) {
        self.form = form;
    }

    /// Adds the record of these bytes, its line end included, that stands at `offset`.
    pub(super) fn add(&mut self, record: &[u8], offset: i64) -> Result<(), FileError> {
        let next = offset + record.len() as i64;
        let text = record.strip_suffix(b"\n").unwrap_or(record);
        // Windows ends lines with it; no line of test_decoding does.
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let (text, place) = match self.form {
            _ if text == BYTE_ORDER_MARK => (Cow::Borrowed(&b""[..]), None),
            FileForm::Values => (Cow::Borrowed(value_of(text)), None),
            FileForm::Lines => line_in(text, false),
            FileForm::TabRows => {
                self.check_writer(record, offset)?;
                line_in(text, false)
            }
            FileForm::CopyText => line_of_copy(text).unwrap_or_else(|| line_in(text, false)),
            FileForm::Column => line_in(text, true),
        };
        let text = &*text;
        match self.transactions.step(offset, text) {
            Step::Begin { unfinished, .. } => {
                if let Some(unfinished) = unfinished {
                    self.close_unfinished(unfinished, offset)?;
                }
                let transaction = self.batch.push_transaction(TransactionInfo::default());
                self.tail = Some(OpenTail { first: self.batch.len(), transaction, has_changes: false });
                self.batch.push(text, offset, None, None);
            }
            Step::Inside(open, head) => {
                let is_change = head == LineHead::Change;
                let Some(tail) = &mut self.tail else { return hold(open, text, offset, place) };
                tail.has_changes |= is_change;
                self.batch.push(text, offset, is_change.then_some(tail.transaction), place.filter(|_| is_change));
                if !is_change && is_timeless_value(text) {
                    self.warn_of_time();
                }
            }
            Step::Outside(head) => {
                if head == LineHead::Change || is_timeless_value(text) {
                    self.warn_of_time();
                }
                self.batch.push(text, offset, None, place.filter(|_| head == LineHead::Change));
                self.batch.next = next;
            }
            Step::End(mut open, head) => {
                let (commit_time, arrived) = match head {
                    // A COMMIT of another transaction has another time.
                    LineHead::Commit(Some(xid), _) if open.xid.is_some_and(|begun| begun != xid) => (None, None),
                    LineHead::Commit(_, time) => (time, None),
                    LineHead::Prepare(time) => (None, time),
                    _ => (None, None),
                };
                let decoded = Decoded { xid: open.xid, commit_time, ..Decoded::default() };
                match &self.tail {
                    Some(_) => self.batch.push(text, offset, None, None),
                    None => hold(&mut open, text, offset, place)?,
                }
                self.close(open, TransactionInfo { decoded, arrived }, next)?;
            }
        }
        if self.batch.is_full() {
            self.flush()?;
            self.hold_tail()?;
        }
        Ok(())
    }

    /// Sends all records that belong to no open transaction.
    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        let mut rest = match &mut self.tail {
            Some(tail) => {
                let mut rest = self.batch.split_off(tail.first);
                self.batch.next = rest.begin();
                tail.transaction = rest.push_transaction(TransactionInfo::default());
                tail.first = 0;
                rest
            }
            None => FileBatch::default(),
        };
        rest.reserve_as(&self.batch);
        let batch = mem::replace(&mut self.batch, rest);
        if batch.len() == 0 { Ok(()) } else { self.send(batch, true) }
    }

    /// Moves the records of a transaction that is too large for one batch to where they may wait in a file.
    fn hold_tail(&mut self) -> Result<(), FileError> {
        let Some(open) = self.transactions.open_mut().filter(|_| self.batch.is_full() && self.tail.is_some()) else {
            return Ok(());
        };
        self.tail = None;
        let batch = mem::take(&mut self.batch);
        batch.texts().try_for_each(|(offset, place, text)| hold(open, text, offset, place))
    }

    /// Where the open transaction begins, if one is open.
    pub(super) fn open_from(&self) -> Option<i64> {
        self.transactions.open().map(|open| open.begin)
    }

    fn send(&mut self, mut batch: FileBatch, at_transaction_boundary: bool) -> Result<(), FileError> {
        batch.at_transaction_boundary = at_transaction_boundary;
        (self.send)(batch).map_err(|source| self.input.failed("read", source))
    }

    /// Ends a transaction before `next`, whose records stand in the batch, or were held and move there.
    fn close(&mut self, open: OpenTransaction, info: TransactionInfo, next: i64) -> Result<(), FileError> {
        let is_timeless = info.decoded.commit_time.is_none() && !info.decoded.unfinished;
        match self.tail.take() {
            Some(tail) => {
                self.batch.set_transaction(tail.transaction, info);
                if tail.has_changes && is_timeless {
                    self.warn_of_time();
                }
            }
            None => self.add_held(open, info, is_timeless)?,
        }
        self.batch.next = next;
        Ok(())
    }

    fn add_held(&mut self, open: OpenTransaction, info: TransactionInfo, is_timeless: bool) -> Result<(), FileError> {
        let mut lines = open.lines.finish()?;
        let mut transaction = self.batch.push_transaction(info);
        while let Some(line) = lines.next_line()? {
            if self.batch.is_full() {
                self.batch.next = line.position;
                let batch = mem::take(&mut self.batch);
                self.send(batch, false)?;
                transaction = self.batch.push_transaction(info);
            }
            let (place, text) = held(line.text);
            let is_change = LineHead::read(text) == LineHead::Change;
            if (is_change && is_timeless) || is_timeless_value(text) {
                self.warn_of_time();
            }
            let (transaction, place) = if is_change { (Some(transaction), place) } else { (None, None) };
            self.batch.push(text, line.position, transaction, place);
        }
        Ok(())
    }

    /// Ends a transaction that another one follows without a COMMIT between them.
    fn close_unfinished(&mut self, open: OpenTransaction, offset: i64) -> Result<(), FileError> {
        warn!(
            input = self.input.name(),
            from = open.begin,
            to = offset,
            "a transaction has no COMMIT: recording it was interrupted, and the server sends it again; its changes are rejects"
        );
        let decoded = Decoded { xid: open.xid, unfinished: true, ..Decoded::default() };
        self.close(open, TransactionInfo { decoded, arrived: None }, offset)
    }

    /// Refuses a row that only COPY writes, where none of the first rows shows who wrote them; the first row that both write
    /// differently is logged.
    fn check_writer(&mut self, record: &[u8], offset: i64) -> Result<(), FileError> {
        match writer_of_record(record) {
            None => {}
            Some(Writer::Psql) => self.form = FileForm::Lines,
            Some(Writer::Copy) => {
                return Err(FileError::CopyRow { path: self.input.name().to_owned(), offset });
            }
            Some(Writer::Unknown) if self.has_ambiguous_row => {}
            Some(Writer::Unknown) => {
                self.has_ambiguous_row = true;
                warn!(
                    input = self.input.name(),
                    "a row with tabs has a backslash, at byte {offset}, and none before: the rows are read as psql prints \
                     them; of COPY's text form the escapes in values stay as they are, so write it WITH (FORMAT csv)"
                );
            }
        }
        Ok(())
    }

    /// Logs once how the day of a change without a commit time is chosen.
    fn warn_of_time(&mut self) {
        if let Some(time) = self.time.take() {
            warn!(
                input = self.input.name(),
                "there are changes without a commit time: by --day-from auto they count for the day of {time}; decode with \
                 include-timestamp to know better"
            );
        }
    }
}

/// Keeps a line in its transaction: a byte that says whether a place follows, the place, the text.
fn hold(open: &mut OpenTransaction, text: &[u8], offset: i64, place: Option<RowPlace>) -> Result<(), FileError> {
    let bytes = place.map(RowPlace::to_bytes);
    let (mark, place): (&[u8], &[u8]) = match &bytes {
        None => (&[0], &[]),
        Some(bytes) => (&[1], bytes),
    };
    Ok(open.lines.push(offset, [mark, place, text], 0)?)
}

/// What was kept of a line.
fn held(line: &[u8]) -> (Option<RowPlace>, &[u8]) {
    match line.split_first() {
        Some((1, rest)) => {
            let (place, text) = rest.split_first_chunk().expect("a place follows the mark");
            (Some(RowPlace::from_bytes(*place)), text)
        }
        _ => (None, &line[1..]),
    }
}

/// The line in a record, and where it stands if that is a row of psql; no line where a record is none, but part of the file's form.
fn line_in(text: &[u8], has_header: bool) -> (Cow<'_, [u8]>, Option<RowPlace>) {
    match text.first() {
        // By far the most.
        Some(b't') => {}
        Some(first) if first.is_ascii_hexdigit() || *first == b'"' => {
            if let Some(head) = RowHead::read(text) {
                return (line_of(head, text), Some(head.place));
            }
            if let Some(head) = quoted_column(text, has_header) {
                return (line_of(head, text), None);
            }
            if is_frame(text) {
                return (Cow::Borrowed(b""), None);
            }
        }
        Some(b'(' | b'l' | b'L' | b'x' | b'X') if is_frame(text) => return (Cow::Borrowed(b""), None),
        _ => {}
    }
    (Cow::Borrowed(text), None)
}

/// The line in a row of COPY's text form, and where it stands; `None` if it is none.
fn line_of_copy(text: &[u8]) -> Option<(Cow<'_, [u8]>, Option<RowPlace>)> {
    if text == copy_text::END {
        return Some((Cow::Borrowed(b""), None));
    }
    let head = RowHead::read(text)?;
    // What COPY does not write is no row: the parser names it.
    let line = unescaped(&text[head.length..]).map_or(Cow::Borrowed(text), Cow::Owned);
    Some((line, Some(head.place)))
}

/// Whether this is a value around a line that has no commit time.
fn is_timeless_value(text: &[u8]) -> bool {
    (text.starts_with(b"{") || text.starts_with(b"\"") || text.starts_with(b"Struct{"))
        && memmem::find(text, b"commit_time").is_none()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::super::batch::{BATCH_BYTES, BATCH_RECORDS, FileRecords};
    use super::*;
    use crate::change::{Partition, Records};

    type Sent = Arc<Mutex<Vec<FileBatch>>>;
    /// Number, time, and whether it is unfinished.
    type ExpectedTransaction = (Option<i64>, Option<i64>, bool);

    fn builder() -> (BatchBuilder, Sent) {
        let sent = Sent::default();
        let out = Arc::clone(&sent);
        let send = Box::new(move |batch| {
            out.lock().expect("no test panics here").push(batch);
            Ok(())
        });
        let input = Input::look(Path::new("-")).expect("standard input exists");
        (BatchBuilder::new(&input, "a day".to_owned(), send), sent)
    }

    /// Adds records that stand one after the other; flushes after each if `flush`. Returns the offset after them.
    fn add(builder: &mut BatchBuilder, mut offset: i64, records: &[&str], flush: bool) -> i64 {
        for record in records {
            builder.add(record.as_bytes(), offset).expect("memory suffices");
            offset += record.len() as i64;
            if flush {
                builder.flush().expect("the receiver exists");
            }
        }
        builder.flush().expect("the receiver exists");
        offset
    }

    /// Offset and transaction of each change that was sent; offsets of the others.
    fn sent_records(sent: &Sent) -> Vec<(i64, Option<ExpectedTransaction>)> {
        let mut records = Vec::new();
        let mut next = 0;
        for batch in &*sent.lock().expect("no test panics here") {
            for record in &batch.records {
                assert!(record.offset >= next, "in order");
                let decoded = record.transaction.map(|index| batch.transactions[index as usize].decoded);
                let transaction = decoded.map(|decoded| (decoded.xid, decoded.commit_time, decoded.unfinished));
                records.push((record.offset, transaction));
            }
            assert!(batch.next > batch.records.last().expect("a batch has records").offset);
            next = batch.next;
        }
        records
    }

    const CHANGE: &str = "table a.b: INSERT:\n";
    const TIMED: &str = "COMMIT 7 (at 1970-01-01 00:00:01+00)\n";

    #[test]
    fn a_transaction_waits_for_its_commit_and_its_changes_know_it() {
        for flush in [false, true] {
            let (mut builder, sent) = builder();
            let next = add(&mut builder, 0, &[CHANGE, "BEGIN 7\n", CHANGE], flush);
            assert_eq!(sent_records(&sent), [(0, None)]);
            assert_eq!(builder.open_from(), Some(19));
            add(&mut builder, next, &[TIMED, "BEGIN\n", CHANGE, "COMMIT\n"], flush);
            let first = Some((Some(7), Some(1_000_000), false));
            assert_eq!(
                sent_records(&sent),
                [
                    (0, None),
                    (19, None),
                    (27, first),
                    (46, None),
                    (83, None),
                    (89, Some((None, None, false))),
                    (108, None)
                ]
            );
            assert_eq!(builder.open_from(), None);
            assert!(sent.lock().expect("no test panics here").iter().all(|batch| batch.at_transaction_boundary));
        }
    }

    #[test]
    fn places_stay_with_their_changes_wherever_a_transaction_is_split_off() {
        let rows = [
            "0/1|7|table a.b: INSERT:\n",
            "0/2|7|BEGIN 7\n",
            "0/3|7|table a.b: INSERT:\n",
            "0/4|7|message: transactional: 1 prefix: p, sz: 1 content:x\n",
            "0/5|7|table a.b: DELETE:\n",
            "0/6|7|COMMIT 7\n",
            "0/7|8|table a.b: INSERT:\n",
        ];
        for cut in 0..=rows.len() {
            let (mut builder, sent) = builder();
            let next = add(&mut builder, 0, &rows[..cut], false);
            add(&mut builder, next, &rows[cut..], false);
            let mut places = Vec::new();
            for batch in sent.lock().expect("no test panics here").drain(..) {
                let partition = Arc::new(Partition { topic: "f".to_owned(), number: 0 });
                FileRecords { partition, batch, time: 0 }
                    .for_each(&mut |record| places.extend(record.decoded.map(|decoded| (decoded.lsn, decoded.xid))));
            }
            let expected = [(1, 7), (3, 7), (5, 7), (7, 8)].map(|(lsn, xid)| (Some(lsn), Some(xid)));
            assert_eq!(places, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_transaction_that_another_follows_is_unfinished() {
        let (mut builder, sent) = builder();
        let records = ["BEGIN 6\n", CHANGE, "BEGIN 7\n", CHANGE, TIMED, "BEGIN 8\n", CHANGE, "COMMIT 9\n"];
        add(&mut builder, 0, &records, false);
        let transactions: Vec<_> = sent_records(&sent).into_iter().filter_map(|(_, transaction)| transaction).collect();
        // The time of another transaction's COMMIT is not its own.
        let expected = [(Some(6), None, true), (Some(7), Some(1_000_000), false), (Some(8), None, false)];
        assert_eq!(transactions, expected);
    }

    #[test]
    fn the_time_of_a_prepared_transaction_stands_in_for_its_commits() {
        let (mut builder, sent) = builder();
        let prepare = "PREPARE TRANSACTION 'a', txid 7 (at 1970-01-01 00:00:01+00)\n";
        add(&mut builder, 0, &["BEGIN 7\n", CHANGE, prepare], false);
        let transaction = sent.lock().expect("no test panics here")[0].transactions[0];
        assert_eq!((transaction.decoded.commit_time, transaction.arrived), (None, Some(1_000_000)));
    }

    #[test]
    fn a_large_transaction_comes_in_batches_of_which_only_the_last_may_end_a_commit() {
        let (mut builder, sent) = builder();
        let mut offset = 0;
        let mut one = |builder: &mut BatchBuilder, record: &str| {
            builder.add(record.as_bytes(), offset).expect("memory suffices");
            offset += record.len() as i64;
        };
        one(&mut builder, "{}\n");
        one(&mut builder, "BEGIN 7\n");
        for _ in 0..3 * BATCH_RECORDS {
            one(&mut builder, CHANGE);
        }
        assert_eq!(sent_records(&sent), [(0, None)]);
        one(&mut builder, TIMED);
        one(&mut builder, "{}\n");
        builder.flush().expect("the receiver exists");
        let records = sent_records(&sent);
        let expected = Some((Some(7), Some(1_000_000), false));
        assert_eq!(records.iter().filter(|(_, transaction)| *transaction == expected).count(), 3 * BATCH_RECORDS);
        assert_eq!(records.len(), 3 * BATCH_RECORDS + 4);
        let batches = sent.lock().expect("no test panics here");
        let between: Vec<bool> = batches.iter().map(|batch| batch.at_transaction_boundary).collect();
        assert_eq!((between.len(), between.iter().filter(|between| **between).count()), (5, 2), "{between:?}");
        assert!(between[0] && between[4]);
        assert_eq!(batches[4].next, offset);
    }

    #[test]
    fn a_folder_that_cannot_hold_a_large_transaction_is_an_error_with_the_option() {
        let (mut builder, _) = builder();
        let spill = SpillSettings { memory: 0, folder: "/nowhere/at/all".into() };
        builder.transactions = TransactionAssembler::new(spill);
        builder.add(b"BEGIN 7\n", 0).expect("a batch stays in memory");
        builder.add(CHANGE.as_bytes(), 8).expect("a batch stays in memory");
        let large = format!("table a.b: INSERT: v[text]:'{}'\n", "x".repeat(BATCH_BYTES));
        let message = builder.add(large.as_bytes(), 27).expect_err("there is no such folder").to_string();
        assert!(message.contains("/nowhere/at/all") && message.contains("--spill-dir"), "{message}");
    }
}
