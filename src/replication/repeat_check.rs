//! Whether what a slot repeats is what was read before: a server that was set back to an older state, and has grown since,
//! has the same identity and a position that fits, but another history.
//!
//! A server sends every transaction that ends behind the slot's confirmed LSN. So those that were read and end there must come
//! again, with the same number and commit time, and no other may come between the last of them and the reader's position.

use std::collections::VecDeque;

use super::SlotError;
use crate::change::{CommittedTransaction, Lsn, RecentTransactions};

/// Compares the part of a stream that was read before with what is known of it.
#[derive(Debug)]
pub struct RepeatCheck {
    /// Everything that ends at or below it was read.
    position: Lsn,
    /// Known transactions that must still come.
    expected: VecDeque<CommittedTransaction>,
    /// The last transaction that was read, if it is known: behind it, up to the position, was none.
    last: Option<Lsn>,
    /// Up to where the server's history is known to be the one that was read.
    shared: Lsn,
    is_complete: bool,
    /// What cannot be compared, and why.
    uncompared: Option<String>,
}

impl RepeatCheck {
    /// A check for a reader that has read everything up to `position`, with `recent` as its last transactions, from a slot
    /// that was `confirmed` up to an LSN when the stream began.
    pub fn new(position: Lsn, recent: &RecentTransactions, confirmed: Lsn) -> RepeatCheck {
        let last = recent.last().map(|last| last.commit_lsn);
        let range = format!("from {confirmed}, the slot's confirmed LSN, to {position}");
        let uncompared = match last {
            // The slot itself holds how far it was read.
            _ if confirmed >= position => None,
            None => Some(format!("no transaction is known of what was read {range}")),
            Some(last) if last <= confirmed => {
                Some(format!("no transaction was read {range}; the last one ended at {last}"))
            }
            Some(_) => None,
        };
        RepeatCheck {
            position,
            expected: recent.iter().filter(|known| known.commit_lsn > confirmed).copied().collect(),
            last,
            shared: confirmed.min(position),
            is_complete: confirmed >= position || last.is_none(),
            uncompared,
        }
    }

    /// Why no transaction that was read will be compared; `None` if one will be, or if the slot repeats nothing.
    pub fn uncompared(&self) -> Option<&str> {
        self.uncompared.as_deref()
    }

    /// Whether the server has repeated all that was read: from then on what comes is new, and the position may be confirmed.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Compares a transaction that the server sent.
    ///
    /// # Errors
    /// [`SlotError::SetBack`] if another one was read in its place, or an expected one did not come.
    pub fn receive(&mut self, sent: CommittedTransaction) -> Result<(), SlotError> {
        if self.is_complete {
            return Ok(());
        }
        let at = sent.commit_lsn;
        match self.expected.front() {
            Some(known) if known.commit_lsn < at => {
                return Err(self.set_back(*known, &format!("continues with another one that ends at {at}")));
            }
            Some(known) if *known == sent => {
                self.expected.pop_front();
                self.shared = at;
            }
            Some(known) if known.commit_lsn == at => {
                return Err(self.set_back(*known, &format!("has transaction {} of {} there", sent.xid, time(sent))));
            }
            Some(_) => {}
            None if at <= self.position && self.last.is_some_and(|last| at > last) => {
                let what =
                    format!("transaction {} of {} ends at {at} on the server, and was not there", sent.xid, time(sent));
                return Err(self.error(what));
            }
            None => {}
        }
        self.is_complete = self.expected.is_empty() && at >= self.position;
        Ok(())
    }

    /// Notes that the server has sent every transaction that ends at or below `lsn`.
    ///
    /// # Errors
    /// [`SlotError::SetBack`] if an expected one did not come.
    pub fn pass(&mut self, lsn: Lsn) -> Result<(), SlotError> {
        if self.is_complete {
            return Ok(());
        }
        if let Some(known) = self.expected.front().filter(|known| known.commit_lsn <= lsn) {
            return Err(self.set_back(*known, &format!("sends nothing up to {lsn}")));
        }
        self.is_complete = lsn >= self.position;
        Ok(())
    }

    fn set_back(&self, known: CommittedTransaction, seen: &str) -> SlotError {
        let CommittedTransaction { commit_lsn, xid, .. } = known;
        self.error(format!("transaction {xid} of {} was read up to {commit_lsn}, and the server {seen}", time(known)))
    }

    fn error(&self, seen: String) -> SlotError {
        SlotError::SetBack { seen, shared: self.shared, position: self.position }
    }
}

fn time(transaction: CommittedTransaction) -> String {
    let time = chrono::DateTime::from_timestamp_micros(transaction.commit_time);
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S%.6fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    /// The transaction that ends at an LSN in a history with a number.
    fn transaction(at: i64, history: i64) -> CommittedTransaction {
        CommittedTransaction { commit_lsn: lsn(at), xid: at, commit_time: history }
    }

    /// A check for a reader that has read transactions at 0x10, 0x20, … up to `last` of history 1.
    fn check(position: i64, last: i64, confirmed: i64) -> RepeatCheck {
        let mut recent = RecentTransactions::default();
        for at in (0x10..=last).step_by(0x10) {
            recent.push(transaction(at, 1));
        }
        RepeatCheck::new(lsn(position), &recent, lsn(confirmed))
    }

    #[test]
    fn what_is_repeated_as_it_was_read_completes_the_check() {
        let mut by_transaction = check(0x40, 0x40, 0x10);
        for at in [0x20, 0x28, 0x30, 0x40] {
            assert!(!by_transaction.is_complete());
            // The one at 0x28 was read, but is not among those that are kept.
            by_transaction.receive(transaction(at, 1)).expect("it was read");
        }
        assert!(by_transaction.is_complete());
        by_transaction.receive(transaction(0x44, 2)).expect("it is new");

        let mut by_keepalive = check(0x48, 0x40, 0x30);
        by_keepalive.pass(lsn(0x3F)).expect("nothing is expected before");
        by_keepalive.receive(transaction(0x40, 1)).expect("it was read");
        by_keepalive.pass(lsn(0x47)).expect("all came");
        assert!(!by_keepalive.is_complete(), "another transaction may still come before the position");
        by_keepalive.pass(lsn(0x48)).expect("all came");
        assert!(by_keepalive.is_complete());
    }

    #[test]
    fn another_history_is_refused_with_the_range_behind_the_last_shared_transaction() {
        type Stream = fn(&mut RepeatCheck) -> Result<(), SlotError>;
        let streams: [(Stream, &str); 5] = [
            // The same LSN and number, at another time.
            (|check| check.receive(transaction(0x40, 2)), "0/30 to 0/48"),
            (|check| check.receive(transaction(0x44, 1)), "0/30 to 0/48"),
            (|check| check.receive(transaction(0x50, 1)), "0/30 to 0/48"),
            (|check| check.pass(lsn(0x40)), "0/30 to 0/48"),
            (
                |check| {
                    check.receive(transaction(0x40, 1))?;
                    check.receive(transaction(0x48, 1))
                },
                "0/40 to 0/48",
            ),
        ];
        for (number, (stream, range)) in streams.into_iter().enumerate() {
            let mut check = check(0x48, 0x40, 0x20);
            check.receive(transaction(0x30, 1)).expect("it was read");
            let error = stream(&mut check).expect_err(range);
            assert!(error.is_data_loss() && error.to_string().contains(range), "{number}: {error}");
            assert!(!check.is_complete() && !error.is_retryable());
        }
    }

    #[test]
    fn a_transaction_behind_the_last_one_is_refused_also_if_the_slot_repeats_no_known_one() {
        let mut idle = check(0x80, 0x40, 0x60);
        assert!(idle.uncompared().is_some_and(|why| why.contains("0/40")) && !idle.is_complete());
        assert!(idle.receive(transaction(0x70, 2)).is_err_and(|error| error.to_string().contains("0/60 to 0/80")));
    }

    #[test]
    fn nothing_is_compared_where_nothing_is_known_or_repeated() {
        for (last, confirmed, is_said) in [(0, 0x20, true), (0, 0x40, false), (0x40, 0x40, false), (0x30, 0x40, false)]
        {
            let mut check = check(0x40, last, confirmed);
            assert_eq!((check.is_complete(), check.uncompared().is_some()), (true, is_said), "{last} {confirmed}");
            check.receive(transaction(0x30, 2)).expect("it cannot be compared");
        }
    }
}
