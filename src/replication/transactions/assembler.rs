//! Where transactions begin and end among lines of test_decoding, and their lines until then.
//!
//! Slots and files both read such lines through a [`TransactionAssembler`]. What differs stays with them: a slot refuses
//! an order that a server never sends, a file keeps everything, because any program may have written it.

use super::lines::LinesBuilder;
use crate::change::instant;
use crate::store::SpillSettings;

/// What a line means for the transaction around it. Only its head is read, so the line itself may be invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineHead {
    /// `BEGIN`, with the transaction's number where it is printed.
    Begin(Option<i64>),
    /// `COMMIT`, with number and time where they are printed.
    Commit(Option<i64>, Option<i64>),
    /// `PREPARE TRANSACTION`, with its time where it is printed: the commit may come much later, or never.
    Prepare(Option<i64>),
    /// `table …`: belongs to the transaction that is open.
    Change,
    /// `message: …`: inside or outside of a transaction.
    Message,
    /// Anything else: a JSON value, an empty line, invalid text.
    Other,
}

impl LineHead {
    /// Reads the head of a line, which is given without its line end.
    pub fn read(line: &[u8]) -> LineHead {
        if line.starts_with(b"table ") {
            return LineHead::Change;
        }
        if line.starts_with(b"message: ") {
            return LineHead::Message;
        }
        let borders: [&[u8]; 3] = [b"BEGIN", b"COMMIT", b"PREPARE TRANSACTION "];
        let is_border = borders.iter().any(|border| line.starts_with(border));
        is_border.then(|| str::from_utf8(line).ok()).flatten().and_then(border).unwrap_or(LineHead::Other)
    }
}

fn border(text: &str) -> Option<LineHead> {
    if let Some(rest) = text.strip_prefix("BEGIN") {
        let (xid, rest) = number(rest)?;
        return rest.is_empty().then_some(LineHead::Begin(xid));
    }
    if text.starts_with("PREPARE TRANSACTION ") {
        let time = text.rsplit_once(" (at ").and_then(|(_, time)| time.strip_suffix(')'));
        return Some(LineHead::Prepare(time.and_then(|time| instant::parse(time.as_bytes()))));
    }
    let (xid, rest) = number(text.strip_prefix("COMMIT")?)?;
    if rest.is_empty() {
        return Some(LineHead::Commit(xid, None));
    }
    let time = rest.strip_prefix(" (at ")?.strip_suffix(')')?;
    Some(LineHead::Commit(xid, instant::parse(time.as_bytes())))
}

/// ` <digits>` and what follows, or nothing and all of it; `None` for other text.
fn number(text: &str) -> Option<(Option<i64>, &str)> {
    if text.is_empty() || text.starts_with(" (") {
        return Some((None, text));
    }
    let rest = text.strip_prefix(' ')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((Some(rest[..digits].parse().ok()?), &rest[digits..]))
}

/// A transaction whose end was not read yet.
#[derive(Debug)]
pub struct OpenTransaction {
    /// Its number, where it is printed.
    pub xid: Option<i64>,
    /// The position of its BEGIN.
    pub begin: i64,
    /// The lines that were added so far.
    pub lines: LinesBuilder,
}

/// What a line did to the transaction around it. The caller adds the line to the transaction if it needs it there.
#[derive(Debug)]
pub enum Step<'a> {
    /// It began a transaction; the one before it, if it is still open, has no COMMIT.
    Begin {
        /// The new one.
        open: &'a mut OpenTransaction,
        /// The one before.
        unfinished: Option<OpenTransaction>,
    },
    /// It stands inside of a transaction.
    Inside(&'a mut OpenTransaction, LineHead),
    /// It stands between transactions.
    Outside(LineHead),
    /// It ended a transaction: with a COMMIT, or a PREPARE TRANSACTION.
    End(OpenTransaction, LineHead),
}

/// Follows transactions, which come one after the other.
#[derive(Debug)]
pub struct TransactionAssembler {
    spill: SpillSettings,
    open: Option<OpenTransaction>,
}

impl TransactionAssembler {
    /// Begins between transactions.
    pub fn new(spill: SpillSettings) -> TransactionAssembler {
        TransactionAssembler { spill, open: None }
    }

    /// The transaction that is open, if one is.
    pub fn open(&self) -> Option<&OpenTransaction> {
        self.open.as_ref()
    }

    /// The same, to add lines to it.
    pub fn open_mut(&mut self) -> Option<&mut OpenTransaction> {
        self.open.as_mut()
    }

    /// Reads the line at a position, an LSN or an offset.
    pub fn step(&mut self, position: i64, line: &[u8]) -> Step<'_> {
        let head = LineHead::read(line);
        match head {
            LineHead::Begin(xid) => {
                let unfinished = self.open.take();
                let lines = LinesBuilder::new(self.spill.clone());
                Step::Begin { open: self.open.insert(OpenTransaction { xid, begin: position, lines }), unfinished }
            }
            LineHead::Commit(..) | LineHead::Prepare(_) => match self.open.take() {
                Some(open) => Step::End(open, head),
                None => Step::Outside(head),
            },
            LineHead::Change | LineHead::Message | LineHead::Other => match &mut self.open {
                Some(open) => Step::Inside(open, head),
                None => Step::Outside(head),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_a_transaction_are_recognized_by_their_whole_text() {
        let time = Some(1_494_430_041_272_494);
        for (text, head) in [
            ("BEGIN", LineHead::Begin(None)),
            ("BEGIN 693", LineHead::Begin(Some(693))),
            ("BEGIN x", LineHead::Other),
            ("BEGIN 693 x", LineHead::Other),
            ("BEGINNING", LineHead::Other),
            ("COMMIT", LineHead::Commit(None, None)),
            ("COMMIT 693", LineHead::Commit(Some(693), None)),
            ("COMMIT 693 (at 2017-05-10 12:07:21.272494-03:20)", LineHead::Commit(Some(693), time)),
            ("COMMIT 693 (at 2017-05-10 15:27:21.272494+00)", LineHead::Commit(Some(693), time)),
            ("COMMIT (at yesterday)", LineHead::Commit(None, None)),
            ("COMMIT PREPARED 'one'", LineHead::Other),
            ("COMMIT 99999999999999999999", LineHead::Other),
            ("PREPARE TRANSACTION 'o (at x)', txid 5 (at 2017-05-10 15:27:21.272494+00)", LineHead::Prepare(time)),
            ("PREPARE TRANSACTION 'one'", LineHead::Prepare(None)),
            ("table public.t: INSERT:", LineHead::Change),
            ("message: transactional: 0 prefix: p, sz: 0 content:", LineHead::Message),
            ("{\"data\":\"BEGIN\"}", LineHead::Other),
            ("", LineHead::Other),
        ] {
            assert_eq!(LineHead::read(text.as_bytes()), head, "{text}");
        }
        assert_eq!(LineHead::read(b"BEGIN \xff"), LineHead::Other);
    }
}
