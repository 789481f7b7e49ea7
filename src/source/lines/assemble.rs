//! Records → chunks: a transaction waits until its COMMIT says when it was committed.

use std::io;
use std::mem;

use memchr::memmem;
use tracing::warn;

use super::Input;
use super::chunk::{Chunk, Known};
use super::held::Held;
use super::statement::{self, Statement};
use crate::change::Decoded;

/// Bytes of a chunk, or one record.
const CHUNK_BYTES: usize = 1 << 20;
/// Lines of a chunk.
const CHUNK_LINES: usize = 16_384;

/// Who takes chunks; may wait, and fails when nobody is there any more.
pub(super) type Deliver = Box<dyn FnMut(Chunk) -> io::Result<()> + Send>;

/// Puts records together in their order, and delivers them: whole transactions, and what stands between them.
pub(super) struct Assembler {
    input: Input,
    /// The instant of changes without a commit time, in words; taken when it was told.
    time: Option<String>,
    deliver: Deliver,
    /// The chunk that grows.
    open: Chunk,
    transaction: Option<Transaction>,
}

struct Transaction {
    /// Where its BEGIN stands.
    begin: i64,
    xid: Option<i64>,
    /// Its first line in the open chunk.
    first: usize,
    /// What is known of its lines in the open chunk.
    known: u32,
    has_changes: bool,
    /// What came before the open chunk.
    held: Held,
}

impl Assembler {
    /// Begins at an offset of the input, between transactions; `time` is the instant of its changes, in words.
    pub(super) fn new(input: &Input, time: String, offset: i64, deliver: Deliver) -> Assembler {
        let open = Chunk { next: offset, ..Chunk::default() };
        Assembler { input: input.clone(), time: Some(time), deliver, open, transaction: None }
    }

    /// Adds the record of these bytes, its line end included, that stands at `offset`.
    pub(super) fn add(&mut self, record: &[u8], offset: i64) -> io::Result<()> {
        let next = offset + record.len() as i64;
        let text = record.strip_suffix(b"\n").unwrap_or(record);
        // A line of Windows, or a program that writes such; no line of test_decoding ends with it.
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let statement = statement::read(text);
        match statement {
            Statement::Begin(xid) => {
                self.abandon(offset)?;
                self.open.known.push(Known::default());
                let known = u32::try_from(self.open.known.len() - 1).expect("a chunk has few lines");
                let (first, held) = (self.open.lines.len(), Held::new(self.input.spill_folder()));
                self.transaction = Some(Transaction { begin: offset, xid, first, known, has_changes: false, held });
            }
            Statement::Change => match &mut self.transaction {
                Some(transaction) => transaction.has_changes = true,
                None => self.tell(),
            },
            Statement::Other if is_timeless_value(text) => self.tell(),
            _ => {}
        }
        let is_change = statement == Statement::Change;
        let known = self.transaction.as_ref().filter(|_| is_change).map(|transaction| transaction.known);
        self.open.push(text, offset, next, known);
        match (statement, &self.transaction) {
            (Statement::Commit(xid, time), Some(transaction)) => {
                let same = xid.is_none() || transaction.xid.is_none() || xid == transaction.xid;
                let commit_time = time.filter(|_| same);
                let decoded = Decoded { xid: transaction.xid, commit_time, ..Decoded::default() };
                self.close(Known { decoded, arrived: None })?;
            }
            (Statement::Prepare(time), Some(transaction)) => {
                let decoded = Decoded { xid: transaction.xid, ..Decoded::default() };
                self.close(Known { decoded, arrived: time })?;
            }
            _ => {}
        }
        if self.open.bytes.len() >= CHUNK_BYTES || self.open.lines.len() >= CHUNK_LINES {
            self.flush()?;
            self.hold()?;
        }
        Ok(())
    }

    /// Delivers all records that belong to no open transaction.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let rest = match &mut self.transaction {
            Some(transaction) => {
                let rest = self.open.split_off(transaction.first, Known::default());
                (transaction.first, transaction.known) = (0, 0);
                rest
            }
            None => Chunk { next: self.open.next, ..Chunk::default() },
        };
        let mut done = mem::replace(&mut self.open, rest);
        if done.lines.is_empty() {
            return Ok(());
        }
        done.is_between = true;
        (self.deliver)(done)
    }

    /// Where the transaction begins that is open, if one is.
    pub(super) fn open_from(&self) -> Option<i64> {
        self.transaction.as_ref().map(|transaction| transaction.begin)
    }

    /// Puts the lines of the open transaction aside.
    fn hold(&mut self) -> io::Result<()> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        let rest = Chunk { next: self.open.next, known: vec![Known::default()], ..Chunk::default() };
        transaction.held.push(mem::replace(&mut self.open, rest))
    }

    /// Ends the open transaction, of which this is now known.
    fn close(&mut self, known: Known) -> io::Result<()> {
        let Some(mut transaction) = self.transaction.take() else { return Ok(()) };
        if transaction.has_changes && known.decoded.commit_time.is_none() && !known.decoded.unfinished {
            self.tell();
        }
        for chunk in transaction.held.take(known)? {
            (self.deliver)(chunk?)?;
        }
        self.open.known[transaction.known as usize] = known;
        Ok(())
    }

    /// Ends a transaction that another one follows without a COMMIT between them.
    fn abandon(&mut self, offset: i64) -> io::Result<()> {
        let Some(transaction) = &self.transaction else { return Ok(()) };
        warn!(
            input = self.input.name(),
            from = transaction.begin,
            to = offset,
            "a transaction has no COMMIT: whoever recorded it was cut short, and the server sends it again; its changes are rejects"
        );
        let decoded = Decoded { xid: transaction.xid, unfinished: true, ..Decoded::default() };
        self.close(Known { decoded, arrived: None })
    }

    /// Tells once how the day of a change is chosen that has no commit time.
    fn tell(&mut self) {
        if let Some(time) = self.time.take() {
            warn!(
                input = self.input.name(),
                "there are changes without a commit time: by --day-from auto they count for the day of {time}; decode with \
                 include-timestamp to know better"
            );
        }
    }
}

/// Whether this is a value around a line, and says nothing of a commit time.
fn is_timeless_value(text: &[u8]) -> bool {
    (text.starts_with(b"{") || text.starts_with(b"Struct{")) && memmem::find(text, b"commit_time").is_none()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::*;

    type Delivered = Arc<Mutex<Vec<Chunk>>>;
    /// Number, time, and whether it breaks off.
    type Transaction = (Option<i64>, Option<i64>, bool);

    fn assembler() -> (Assembler, Delivered) {
        let delivered = Delivered::default();
        let out = Arc::clone(&delivered);
        let deliver = Box::new(move |chunk| {
            out.lock().expect("nobody panics").push(chunk);
            Ok(())
        });
        (
            Assembler::new(&Input::look(Path::new("-")).expect("there always is one"), "a day".to_owned(), 0, deliver),
            delivered,
        )
    }

    /// Adds records that stand one after the other; flushes after each where that is asked.
    fn add(assembler: &mut Assembler, records: &[&str], flush: bool) {
        let mut offset = assembler.open.next;
        for record in records {
            assembler.add(record.as_bytes(), offset).expect("there is a disk");
            offset += record.len() as i64;
            if flush {
                assembler.flush().expect("there is a disk");
            }
        }
        assembler.flush().expect("there is a disk");
    }

    /// Offset, transaction and time of each change that was delivered; offsets of the others.
    fn told(delivered: &Delivered) -> Vec<(i64, Option<Transaction>)> {
        let mut told = Vec::new();
        let mut next = 0;
        for chunk in &*delivered.lock().expect("nobody panics") {
            for line in &chunk.lines {
                assert!(line.offset >= next, "in order");
                let known = line.known.map(|known| chunk.known[known as usize].decoded);
                told.push((line.offset, known.map(|known| (known.xid, known.commit_time, known.unfinished))));
            }
            assert!(chunk.next > chunk.lines.last().expect("a chunk has lines").offset);
            next = chunk.next;
        }
        told
    }

    const CHANGE: &str = "table a.b: INSERT:\n";
    const TIMED: &str = "COMMIT 7 (at 1970-01-01 00:00:01+00)\n";

    #[test]
    fn a_transaction_waits_for_its_commit_and_its_changes_know_it() {
        for flush in [false, true] {
            let (mut assembler, delivered) = assembler();
            add(&mut assembler, &[CHANGE, "BEGIN 7\n", CHANGE], flush);
            assert_eq!(told(&delivered), [(0, None)]);
            assert_eq!(assembler.open_from(), Some(19));
            add(&mut assembler, &[TIMED, "BEGIN\n", CHANGE, "COMMIT\n"], flush);
            let first = Some((Some(7), Some(1_000_000), false));
            assert_eq!(
                told(&delivered),
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
            assert_eq!(assembler.open_from(), None);
            assert!(delivered.lock().expect("nobody panics").iter().all(|chunk| chunk.is_between));
        }
    }

    #[test]
    fn a_transaction_that_another_follows_breaks_off() {
        let (mut assembler, delivered) = assembler();
        add(
            &mut assembler,
            &["BEGIN 6\n", CHANGE, "BEGIN 7\n", CHANGE, TIMED, "BEGIN 8\n", CHANGE, "COMMIT 9\n"],
            false,
        );
        let known: Vec<_> = told(&delivered).into_iter().filter_map(|(_, known)| known).collect();
        // The number of another transaction says nothing of this one.
        let expected = [(Some(6), None, true), (Some(7), Some(1_000_000), false), (Some(8), None, false)];
        assert_eq!(known, expected);
    }

    #[test]
    fn the_time_of_a_prepared_transaction_stands_in_for_its_commits() {
        let (mut assembler, delivered) = assembler();
        add(
            &mut assembler,
            &["BEGIN 7\n", CHANGE, "PREPARE TRANSACTION 'a', txid 7 (at 1970-01-01 00:00:01+00)\n"],
            false,
        );
        let chunks = delivered.lock().expect("nobody panics");
        assert_eq!((chunks[0].known[0].decoded.commit_time, chunks[0].known[0].arrived), (None, Some(1_000_000)));
    }

    #[test]
    fn a_large_transaction_comes_in_chunks_of_which_only_the_last_may_end_a_commit() {
        let (mut assembler, delivered) = assembler();
        let mut offset = 0;
        let mut one = |assembler: &mut Assembler, record: &str| {
            assembler.add(record.as_bytes(), offset).expect("there is a disk");
            offset += record.len() as i64;
        };
        one(&mut assembler, "{}\n");
        one(&mut assembler, "BEGIN 7\n");
        for _ in 0..3 * CHUNK_LINES {
            one(&mut assembler, CHANGE);
        }
        assert_eq!(told(&delivered), [(0, None)]);
        one(&mut assembler, TIMED);
        one(&mut assembler, "{}\n");
        assembler.flush().expect("there is a disk");
        let told = told(&delivered);
        let expected = Some((Some(7), Some(1_000_000), false));
        assert_eq!(told.iter().filter(|(_, known)| *known == expected).count(), 3 * CHUNK_LINES);
        assert_eq!(told.len(), 3 * CHUNK_LINES + 4);
        let chunks = delivered.lock().expect("nobody panics");
        let between: Vec<bool> = chunks.iter().map(|chunk| chunk.is_between).collect();
        assert_eq!((between.len(), between.iter().filter(|between| **between).count()), (5, 2), "{between:?}");
        assert!(between[0] && between[4]);
        assert_eq!(chunks[4].next, offset);
    }
}
