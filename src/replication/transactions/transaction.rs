//! From the lines of a slot to whole transactions.

use super::assembler::{LineHead, OpenTransaction, Step, TransactionAssembler};
use super::lines::{Lines, LinesBuilder};
use crate::change::{CommittedTransaction, Lsn};
use crate::parse::{Statement, read_line};
use crate::replication::SlotError;
use crate::store::SpillSettings;

/// A transaction that was committed, with at least one change.
#[derive(Debug)]
pub struct Transaction {
    /// Its number.
    pub xid: i64,
    /// Where its COMMIT ends: the order of transactions, and what may be confirmed when it is safe.
    pub commit_lsn: Lsn,
    /// When it was committed, in microseconds since 1970-01-01 UTC.
    pub commit_time: i64,
    /// Its changes, numbered from 0: one line for each table of a TRUNCATE.
    pub lines: Lines,
}

impl Transaction {
    /// What identifies it when it is sent again.
    pub fn identity(&self) -> CommittedTransaction {
        CommittedTransaction { commit_lsn: self.commit_lsn, xid: self.xid, commit_time: self.commit_time }
    }
}

#[cfg(test)]
impl Transaction {
    /// A transaction of inserts.
    pub(crate) fn of_inserts(commit_lsn: Lsn, count: u64) -> Transaction {
        let mut lines = LinesBuilder::new(SpillSettings::default());
        let text = b"table a.b: INSERT: n[integer]:1";
        for _ in 0..count {
            lines.push(commit_lsn.as_i64(), [text, b"", b""], "a.b".len()).expect("they fit in memory");
        }
        let lines = lines.finish().expect("no file is needed");
        Transaction { xid: 1, commit_lsn, commit_time: 0, lines }
    }
}

/// Puts transactions together from what a slot streams.
#[derive(Debug)]
pub(in crate::replication) struct SlotAssembler {
    transactions: TransactionAssembler,
}

/// What a line completed.
#[derive(Debug)]
pub(in crate::replication) enum Completed {
    /// Nothing yet.
    Nothing,
    /// A transaction with changes.
    Transaction(Transaction),
    /// A transaction without changes that ends here.
    Empty(Lsn),
}

impl SlotAssembler {
    pub(in crate::replication) fn new(spill: SpillSettings) -> SlotAssembler {
        SlotAssembler { transactions: TransactionAssembler::new(spill) }
    }

    pub(in crate::replication) fn at_transaction_boundary(&self) -> bool {
        self.transactions.open().is_none()
    }

    /// Adds the line that stands at `lsn`.
    ///
    /// # Errors
    /// [`SlotError::Protocol`] for an order that test_decoding never has, [`SlotError::Spill`].
    pub(in crate::replication) fn add(&mut self, lsn: Lsn, line: &[u8]) -> Result<Completed, SlotError> {
        match self.transactions.step(lsn.as_i64(), line) {
            Step::Begin { open: OpenTransaction { xid: Some(_), .. }, unfinished: None } => {}
            Step::Begin { .. } => return Err(unexpected("before a transaction ended", line)),
            Step::End(open, LineHead::Commit(Some(xid), Some(time))) if open.xid == Some(xid) => {
                return end(open, xid, lsn, time);
            }
            Step::End(open, _) => {
                let place = format!("at the end of transaction {}", open.xid.unwrap_or_default());
                return Err(unexpected(&place, line));
            }
            // A logical message is no change, and its content may be any bytes.
            Step::Inside(_, LineHead::Message) | Step::Outside(LineHead::Message) => {}
            Step::Inside(_, LineHead::Other) if line.starts_with(b"COMMIT ") => {
                return Err(unexpected("inside of a transaction", line));
            }
            Step::Inside(open, _) => keep(&mut open.lines, lsn, line)?,
            Step::Outside(_) => return Err(unexpected("between transactions", line)),
        }
        Ok(Completed::Nothing)
    }
}

/// Keeps a change: one line for each table.
fn keep(lines: &mut LinesBuilder, lsn: Lsn, line: &[u8]) -> Result<(), SlotError> {
    let position = lsn.as_i64();
    match read_line(std::str::from_utf8(line).unwrap_or_default()) {
        Ok(Statement::Change { table, .. }) => lines.push(position, [line, b"", b""], table.text().len())?,
        Ok(Statement::Truncate(names)) => {
            // "table a, b: TRUNCATE: …": what follows the names is the same for all.
            let length = names.clone().map(|name| name.text().len() + ", ".len()).sum::<usize>() - ", ".len();
            let flags = &line["table ".len() + length..];
            for name in names {
                let name = name.text().as_bytes();
                lines.push(position, [b"table ", name, flags], name.len())?;
            }
        }
        Ok(Statement::Marker) => {}
        // The parser rejects it later, with the reason; here nothing is dropped.
        Err(_) => lines.push(position, [line, b"", b""], 0)?,
    }
    Ok(())
}

fn end(open: OpenTransaction, xid: i64, commit_lsn: Lsn, commit_time: i64) -> Result<Completed, SlotError> {
    if open.lines.count() == 0 {
        return Ok(Completed::Empty(commit_lsn));
    }
    let lines = open.lines.finish()?;
    Ok(Completed::Transaction(Transaction { xid, commit_lsn, commit_time, lines }))
}

fn unexpected(place: &str, line: &[u8]) -> SlotError {
    let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    SlotError::Protocol(format!("{place} came {shown:?}; is it test_decoding that decodes?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    fn texts(lines: &mut Lines) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(line) = lines.next_line().expect("it can be read") {
            let name = line.name.map(|name| String::from_utf8_lossy(name).into_owned());
            texts.push(format!("{} {:?} {}", line.lsn(), name.unwrap_or_default(), String::from_utf8_lossy(line.text)));
        }
        texts
    }

    #[test]
    fn a_transaction_is_whole_when_its_commit_comes() {
        let mut assembler = SlotAssembler::new(SpillSettings::default());
        let script = [
            (10, "message: transactional: 0 prefix: p, sz: 9 content:COMMIT 77"),
            (16, "BEGIN 77"),
            (16, "table public.t: INSERT: a[text]:'x\nCOMMIT 77 (at 2026-01-01 00:00:00+00)'"),
            (17, "message: transactional: 1 prefix: p, sz: 8 content:BEGIN 78"),
            (18, "table public.t, \"a, b\".\"c: TRUNCATE:\": TRUNCATE: restart_seqs cascade"),
            (19, "table public.broken"),
        ];
        for (at, line) in script {
            assert!(matches!(assembler.add(lsn(at), line.as_bytes()), Ok(Completed::Nothing)), "{line}");
        }
        let bytes = assembler.add(lsn(20), b"message: transactional: 1 prefix: p, sz: 1 content:\xff");
        assert!(matches!(bytes, Ok(Completed::Nothing)));
        assert!(!assembler.at_transaction_boundary());
        let end = assembler.add(lsn(32), b"COMMIT 77 (at 2026-11-22 12:34:56.5+00)").expect("an end");
        let Completed::Transaction(mut transaction) = end else { panic!("no transaction: {end:?}") };
        assert!(assembler.at_transaction_boundary());
        assert_eq!((transaction.xid, transaction.commit_lsn), (77, lsn(32)));
        assert_eq!(transaction.commit_time, 1_795_350_896_500_000);
        assert_eq!(
            texts(&mut transaction.lines),
            [
                "0/10 \"public.t\" table public.t: INSERT: a[text]:'x\nCOMMIT 77 (at 2026-01-01 00:00:00+00)'",
                "0/12 \"public.t\" table public.t: TRUNCATE: restart_seqs cascade",
                "0/12 \"\\\"a, b\\\".\\\"c: TRUNCATE:\\\"\" table \"a, b\".\"c: TRUNCATE:\": TRUNCATE: restart_seqs cascade",
                "0/13 \"\" table public.broken",
            ]
        );
    }

    #[test]
    fn a_transaction_without_changes_is_only_its_end() {
        let mut assembler = SlotAssembler::new(SpillSettings::default());
        assembler.add(lsn(1), b"BEGIN 5").expect("a begin");
        let end = assembler.add(lsn(9), b"COMMIT 5 (at 2026-11-22 12:34:56+00)").expect("an end");
        assert!(matches!(end, Completed::Empty(at) if at == lsn(9)));
    }

    #[test]
    fn another_order_is_refused() {
        for lines in [
            &["table a.b: INSERT:"][..],
            &["COMMIT 5 (at 2026-11-22 12:34:56+00)"],
            &["BEGIN 5", "COMMIT 6 (at 2026-11-22 12:34:56+00)"],
            &["BEGIN 5", "COMMIT 5"],
            &["BEGIN 5", "COMMIT 5 (at yesterday)"],
            &["BEGIN 5", "COMMIT 5 at last"],
            &["BEGIN 5", "BEGIN 6"],
            &["BEGIN"],
            &["opening a streamed block for transaction TXN 508"],
        ] {
            let mut assembler = SlotAssembler::new(SpillSettings::default());
            let ended = lines.iter().try_for_each(|line| assembler.add(lsn(1), line.as_bytes()).map(drop));
            assert!(matches!(ended, Err(SlotError::Protocol(_))), "{lines:?}");
        }
    }
}
