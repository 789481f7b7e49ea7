//! The changes of a transaction one by one: all of them, or an error.

use std::io;

use super::lines::TransactionLine;
use super::transaction::Transaction;
use crate::replication::SlotError;
use crate::store::SpillSettings;

/// Numbers the changes of a transaction while they are read.
#[derive(Debug)]
pub struct Changes {
    transaction: Transaction,
    next_seq: u64,
    spill_folder: String,
}

impl Changes {
    /// The changes of `transaction`, which may have been spilled.
    pub fn new(transaction: Transaction, spill: &SpillSettings) -> Changes {
        Changes { transaction, next_seq: 0, spill_folder: spill.folder.display().to_string() }
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The number of changes that were read, and the number of the next one.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Whether all changes were read.
    pub fn is_complete(&self) -> bool {
        self.next_seq == self.transaction.lines.count()
    }

    /// The next change with its number; `None` after the last.
    ///
    /// # Errors
    /// [`SlotError::Spill`] if a change cannot be read, or if the file ends before the last one.
    pub fn next_change(&mut self) -> Result<Option<(u64, TransactionLine<'_>)>, SlotError> {
        if self.is_complete() {
            return Ok(None);
        }
        let (seq, count) = (self.next_seq, self.transaction.lines.count());
        let Some(line) = self.transaction.lines.next_line()? else {
            let message = format!("the file ends after {seq} of {count} changes");
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, message);
            return Err(SlotError::Spill { folder: self.spill_folder.clone(), source });
        };
        self.next_seq += 1;
        Ok(Some((seq, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Lsn;

    #[test]
    fn changes_come_all_or_end_with_an_error() {
        for lost in [0, 1] {
            let mut transaction = Transaction::of_inserts(Lsn::from_i64(7).expect("an LSN"), 3);
            for _ in 0..lost {
                transaction.lines.next_line().expect("it is in memory");
            }
            let mut changes = Changes::new(transaction, &SpillSettings::default());
            for expected in 0..3 - lost {
                assert!(!changes.is_complete());
                let (seq, _) = changes.next_change().expect("it is in memory").expect("it is not the last");
                assert_eq!(seq, expected);
            }
            let ended = changes.next_change().map(|change| change.is_none());
            match lost {
                0 => assert!(changes.is_complete() && ended.is_ok_and(|ended| ended)),
                _ => assert!(ended.is_err_and(|error| error.to_string().contains("after 2 of 3 changes"))),
            }
        }
    }
}
