//! From the lines of a stream to whole transactions.

use super::{Lines, SlotError, Spill};
use crate::change::{Lsn, instant};
use crate::parse::{Statement, read_line};

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

#[cfg(test)]
impl Transaction {
    /// A transaction of inserts.
    pub(crate) fn of_inserts(commit_lsn: Lsn, count: u64) -> Transaction {
        let (spill, mut lines) = (Spill::default(), Lines::default());
        let text = b"table a.b: INSERT: n[integer]:1";
        for _ in 0..count {
            lines.push(commit_lsn, &[text], "a.b".len(), &spill).expect("they fit in memory");
        }
        lines.finish(&spill).expect("no file is needed");
        Transaction { xid: 1, commit_lsn, commit_time: 0, lines }
    }
}

/// Puts transactions together: they come one after the other, each from BEGIN to COMMIT.
#[derive(Debug)]
pub(super) struct Assembly {
    spill: Spill,
    open: Option<(i64, Lines)>,
}

/// What a line completed.
#[derive(Debug)]
pub(super) enum Completed {
    /// Nothing yet.
    Nothing,
    /// A transaction with changes.
    Transaction(Transaction),
    /// A transaction without changes that ends here.
    Empty(Lsn),
}

impl Assembly {
    pub(super) fn new(spill: Spill) -> Assembly {
        Assembly { spill, open: None }
    }

    /// Whether no transaction has begun that has not ended.
    pub(super) fn is_between(&self) -> bool {
        self.open.is_none()
    }

    /// Adds the line that stands at `lsn`.
    ///
    /// # Errors
    /// [`SlotError::Protocol`] for an order that test_decoding never has, [`SlotError::Spill`].
    pub(super) fn add(&mut self, lsn: Lsn, line: &[u8]) -> Result<Completed, SlotError> {
        let Some((_, lines)) = &mut self.open else { return self.begin(line) };
        if let Some(rest) = line.strip_prefix(b"COMMIT ") {
            let (xid, lines) = self.open.take().expect("just seen");
            return self.commit(xid, lines, lsn, rest);
        }
        // A logical message is no change, and its content may be any bytes.
        if line.starts_with(b"message: ") {
            return Ok(Completed::Nothing);
        }
        let text = std::str::from_utf8(line).unwrap_or_default();
        match read_line(text) {
            Ok(Statement::Change { table, .. }) => lines.push(lsn, &[line], table.text().len(), &self.spill)?,
            Ok(Statement::Truncate(names)) => {
                // "table a, b: TRUNCATE: …": what follows the names is the same for all.
                let length = names.clone().map(|name| name.text().len() + ", ".len()).sum::<usize>() - ", ".len();
                let flags = &line["table ".len() + length..];
                for name in names {
                    let name = name.text().as_bytes();
                    lines.push(lsn, &[b"table ", name, flags], name.len(), &self.spill)?;
                }
            }
            Ok(Statement::Marker) => {}
            // Whoever reads the records will tell why it cannot be read; here nothing is thrown away.
            Err(_) => lines.push(lsn, &[line], 0, &self.spill)?,
        }
        Ok(Completed::Nothing)
    }

    fn begin(&mut self, line: &[u8]) -> Result<Completed, SlotError> {
        let xid = line.strip_prefix(b"BEGIN ").and_then(number);
        match xid {
            Some(xid) => self.open = Some((xid, Lines::default())),
            // A message outside of transactions comes as it is written.
            None if line.starts_with(b"message: ") => {}
            None => return Err(unexpected("between transactions", line)),
        }
        Ok(Completed::Nothing)
    }

    /// `rest` is `xid (at 2026-11-22 12:34:56.123456+00)`.
    fn commit(&mut self, xid: i64, mut lines: Lines, commit_lsn: Lsn, rest: &[u8]) -> Result<Completed, SlotError> {
        let (number_text, at) = rest.split_at(rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len()));
        let time = at.strip_prefix(b" (at ").and_then(|at| at.strip_suffix(b")")).and_then(instant::parse);
        let (true, Some(commit_time)) = (number(number_text) == Some(xid), time) else {
            return Err(unexpected(&format!("at the end of transaction {xid}"), &[b"COMMIT ", rest].concat()));
        };
        if lines.count() == 0 {
            return Ok(Completed::Empty(commit_lsn));
        }
        lines.finish(&self.spill)?;
        Ok(Completed::Transaction(Transaction { xid, commit_lsn, commit_time, lines }))
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
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
            texts.push(format!("{} {:?} {}", line.lsn, name.unwrap_or_default(), String::from_utf8_lossy(line.text)));
        }
        texts
    }

    #[test]
    fn a_transaction_is_whole_when_its_commit_comes() {
        let mut assembly = Assembly::new(Spill::default());
        let script = [
            (10, "message: transactional: 0 prefix: p, sz: 9 content:COMMIT 77"),
            (16, "BEGIN 77"),
            (16, "table public.t: INSERT: a[text]:'x\nCOMMIT 77 (at 2026-01-01 00:00:00+00)'"),
            (17, "message: transactional: 1 prefix: p, sz: 8 content:BEGIN 78"),
            (18, "table public.t, \"a, b\".\"c: TRUNCATE:\": TRUNCATE: restart_seqs cascade"),
            (19, "table public.broken"),
        ];
        for (at, line) in script {
            assert!(matches!(assembly.add(lsn(at), line.as_bytes()), Ok(Completed::Nothing)), "{line}");
        }
        let bytes = assembly.add(lsn(20), b"message: transactional: 1 prefix: p, sz: 1 content:\xff");
        assert!(matches!(bytes, Ok(Completed::Nothing)));
        assert!(!assembly.is_between());
        let end = assembly.add(lsn(32), b"COMMIT 77 (at 2026-11-22 12:34:56.5+00)").expect("an end");
        let Completed::Transaction(mut transaction) = end else { panic!("no transaction: {end:?}") };
        assert!(assembly.is_between());
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
        let mut assembly = Assembly::new(Spill::default());
        assembly.add(lsn(1), b"BEGIN 5").expect("a begin");
        let end = assembly.add(lsn(9), b"COMMIT 5 (at 2026-11-22 12:34:56+00)").expect("an end");
        assert!(matches!(end, Completed::Empty(at) if at == lsn(9)));
    }

    #[test]
    fn another_order_is_refused() {
        for lines in [
            &["table a.b: INSERT:"][..],
            &["COMMIT 5 (at 2026-11-22 12:34:56+00)"],
            &["BEGIN 5", "COMMIT 6 (at 2026-11-22 12:34:56+00)"],
            &["BEGIN 5", "COMMIT 5"],
            &["BEGIN"],
            &["opening a streamed block for transaction TXN 508"],
        ] {
            let mut assembly = Assembly::new(Spill::default());
            let ended = lines.iter().try_for_each(|line| assembly.add(lsn(1), line.as_bytes()).map(drop));
            assert!(matches!(ended, Err(SlotError::Protocol(_))), "{lines:?}");
        }
    }
}
