//! Records → chunks: a transaction waits until its COMMIT says when it was committed.

use std::io;
use std::mem;

use memchr::memmem;
use tracing::warn;

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
    name: String,
    deliver: Deliver,
    /// The chunk that grows.
    open: Chunk,
    transaction: Option<Transaction>,
    /// Whether it was told how days are chosen.
    told: bool,
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
    /// Begins at an offset of the input `name`, between transactions.
    pub(super) fn new(name: &str, offset: i64, deliver: Deliver) -> Assembler {
        let open = Chunk { next: offset, ..Chunk::default() };
        Assembler { name: name.to_owned(), deliver, open, transaction: None, told: false }
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
                let (first, held) = (self.open.lines.len(), Held::default());
                self.transaction = Some(Transaction { begin: offset, xid, first, known, has_changes: false, held });
            }
            Statement::Change => match &mut self.transaction {
                Some(transaction) => transaction.has_changes = true,
                None => self.tell(),
            },
            Statement::Other if self.transaction.is_none() && memmem::find(text, b"\"commit_time\"").is_none() => {
                if text.starts_with(b"{") || text.starts_with(b"Struct{") {
                    self.tell();
                }
            }
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
            input = self.name,
            from = transaction.begin,
            to = offset,
            "a transaction has no COMMIT: whoever recorded it was cut short, and the server sends it again; its changes are rejects"
        );
        let decoded = Decoded { xid: transaction.xid, unfinished: true, ..Decoded::default() };
        self.close(Known { decoded, arrived: None })
    }

    /// Tells once how the day of a change is chosen that has no commit time.
    fn tell(&mut self) {
        if !mem::replace(&mut self.told, true) {
            warn!(
                input = self.name,
                "there are changes without a commit time: they count for the day on which the file was modified last, or this run \
                 began if it is no file (--day-from auto); decode with include-timestamp to know better"
            );
        }
    }
}
