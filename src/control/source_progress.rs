//! What a source knows beyond its last record: a range without records, and how much has arrived of the next transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the reader of a source knows about the range after its last record; cheap to clone. The server reads it.
///
/// *Why* beside the positions: those move only with records and once in a while. The WAL that other databases of a server write
/// holds nothing for a slot, and a reader that has read everything before it has no lag.
#[derive(Clone, Debug, Default)]
pub struct SourceProgress(Arc<Mutex<Ahead>>);

#[derive(Debug, Default)]
struct Ahead {
    /// Offsets at which no record begins.
    empty: (i64, i64),
    received: InFlight,
    polled: InFlight,
    replayed: InFlight,
}

/// Work of which nothing can be committed before it is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Distinguishes it from the one before and the one after it.
    pub number: u64,
    /// How much of it is done; 0 if it has not begun.
    pub amount: u64,
}

impl InFlight {
    fn end(&mut self) {
        *self = InFlight { number: self.number + 1, amount: 0 };
    }
}

impl SourceProgress {
    /// Records that no record begins in `from..to`, and that all records before `from` were delivered.
    pub fn record_empty(&self, from: i64, to: i64) {
        let empty = &mut self.ahead().empty;
        // A range that continues the known one extends it.
        let from = if (empty.0..=empty.1).contains(&from) { empty.0 } else { from };
        *empty = (from, to.max(from));
    }

    /// The first offset at or after `next` that may hold a record, where `next` is the first offset that was not read.
    pub fn skip_empty(&self, next: i64) -> i64 {
        let (from, to) = self.ahead().empty;
        if next < from { next } else { next.max(to) }
    }

    /// Adds bytes that were received of the current transaction.
    pub fn add_received(&self, bytes: usize) {
        self.ahead().received.amount += bytes as u64;
    }

    /// Records that the transaction was received completely, or will be sent again from its beginning.
    pub fn end_received(&self) {
        self.ahead().received.end();
    }

    /// Sets how many records were polled of the transaction that is being polled; `None` between transactions.
    pub fn set_polled(&self, records: Option<u64>) {
        let polled = &mut self.ahead().polled;
        match records {
            Some(records) => polled.amount = records,
            None => polled.end(),
        }
    }

    /// Sets the offset up to which the source has replayed what was read before.
    pub fn set_replayed(&self, to: i64) {
        self.ahead().replayed.amount = to.unsigned_abs();
    }

    /// The transaction that is being received, the one that is being polled, and the replay.
    pub fn in_flight(&self) -> [InFlight; 3] {
        let ahead = self.ahead();
        [ahead.received, ahead.polled, ahead.replayed]
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_range_is_skipped_only_by_a_reader_that_has_read_all_before_it() {
        let source_progress = SourceProgress::default();
        assert_eq!(source_progress.skip_empty(7), 7);
        source_progress.record_empty(10, 50);
        assert_eq!([9, 10, 20, 60].map(|next| source_progress.skip_empty(next)), [9, 50, 50, 60]);
        source_progress.record_empty(50, 70);
        assert_eq!([9, 10, 50, 80].map(|next| source_progress.skip_empty(next)), [9, 70, 70, 80]);
        // A record lies between.
        source_progress.record_empty(72, 20);
        assert_eq!([10, 72].map(|next| source_progress.skip_empty(next)), [10, 72]);
    }

    #[test]
    fn received_bytes_belong_to_one_transaction_until_it_ends() {
        let source_progress = SourceProgress::default();
        source_progress.add_received(10);
        source_progress.add_received(5);
        source_progress.set_polled(Some(7));
        let in_flight = |number, amount| InFlight { number, amount };
        source_progress.set_replayed(9);
        assert_eq!(source_progress.in_flight(), [in_flight(0, 15), in_flight(0, 7), in_flight(0, 9)]);
        source_progress.end_received();
        source_progress.set_polled(None);
        assert_eq!(source_progress.in_flight(), [in_flight(1, 0), in_flight(1, 0), in_flight(0, 9)]);
    }
}
