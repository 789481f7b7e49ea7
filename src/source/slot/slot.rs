//! A slot as the worker sees it that reads it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::plan::position;
use super::reader::ReaderThread;
use super::records::{SlotChange, SlotRecords};
use crate::change::{CommittedTransaction, Failure, Lsn, PartitionStart, PolledBatch, RecentTransactions};
use crate::control::{Deadline, Shutdown, SourceProgress};
use crate::replication::{Changes, Delivery, Identity, PumpContext, SlotError, SlotSettings};
use crate::source::{Accepted, Cursors, Source, Waker};

/// Bytes of transactions that wait for the worker.
const QUEUE_BYTES: usize = 32 << 20;
/// How long to wait at the end for the thread to confirm what is durable …
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);
/// … and how often to look whether it has.
const FINISH_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of lines in one batch, about.
const BATCH_BYTES: usize = 4 << 20;
/// The changes that a transaction may have: they are numbered in 32 bits. Tests need fewer.
const MOST_CHANGES: u64 = if cfg!(test) { 10_000 } else { i32::MAX as u64 };

/// Reads a slot; only the worker that the slot is assigned to connects.
pub struct SlotSource {
    settings: SlotSettings,
    /// Whose WAL the book continues, if that is known.
    identity: Option<Identity>,
    shutdown: Shutdown,
    source_progress: SourceProgress,
    waker: Waker,
    cursors: Cursors,
    reader: Option<Reader>,
    /// The transaction that is being polled.
    current: Option<Changes>,
    /// Why the transaction after the last batch cannot be read.
    unreadable: Option<SlotError>,
}

/// The thread that reads the slot, and what is shared with it.
struct Reader {
    context: Arc<PumpContext>,
    failure: Arc<Mutex<Option<SlotError>>>,
    thread: JoinHandle<()>,
}

impl SlotSource {
    /// A source that has not connected yet; it keeps `source_progress` up to date.
    pub fn new(
        settings: SlotSettings,
        identity: Option<Identity>,
        shutdown: Shutdown,
        source_progress: SourceProgress,
    ) -> SlotSource {
        SlotSource {
            settings,
            identity,
            shutdown,
            source_progress,
            waker: Arc::new(|| {}),
            cursors: Cursors::default(),
            reader: None,
            current: None,
            unreadable: None,
        }
    }

    fn context(&self, from: Lsn, recent: RecentTransactions) -> PumpContext {
        PumpContext::new(from, recent, QUEUE_BYTES, self.source_progress.clone(), Arc::clone(&self.waker))
    }

    /// Moves lines of the current transaction, or of the next ones, into `records` until there are `limit` or none is available.
    ///
    /// If a transaction was current at the start, the batch ends with it, so that an epoch can end there: at least every second
    /// batch ends between two transactions, except inside a large one.
    fn fill(&mut self, records: &mut SlotRecords, limit: usize) -> Result<(), SlotError> {
        let Some(reader) = &self.reader else { return Ok(()) };
        let was_current = self.current.is_some();
        while records.changes.len() < limit && records.bytes.len() < BATCH_BYTES {
            let Some(changes) = &mut self.current else {
                match reader.context.deliveries().poll(Duration::ZERO) {
                    None => return Ok(()),
                    Some(Delivery::Idle(lsn)) => self.cursors.pass(0, lsn.as_i64() + 1),
                    Some(Delivery::End(lsn)) => {
                        self.cursors.end_at(0, lsn.as_i64() + 1);
                        self.cursors.pass(0, lsn.as_i64() + 1);
                    }
                    Some(Delivery::Transaction(transaction)) => {
                        check_count(transaction.lines.count(), transaction.commit_lsn)?;
                        self.current = Some(Changes::new(transaction, &self.settings.spill));
                    }
                }
                continue;
            };
            let identity = changes.transaction().identity();
            let CommittedTransaction { commit_lsn, xid, commit_time } = identity;
            let offset = commit_lsn.as_i64();
            if let Some((seq, line)) = changes.next_change()? {
                records.bytes.extend_from_slice(line.text);
                records.changes.push(SlotChange {
                    end: records.bytes.len(),
                    offset,
                    seq: i32::try_from(seq).expect("the count was checked"),
                    lsn: line.position,
                    xid,
                    commit_time,
                });
            }
            if changes.is_complete() {
                let accepted = self.cursors.accept(0, offset);
                debug_assert_eq!(accepted, Accepted::New, "known transactions and those past the end are left out");
                self.cursors.end_transaction(0, identity);
                self.current = None;
                if was_current {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Refuses a transaction whose changes cannot be numbered.
fn check_count(count: u64, commit_lsn: Lsn) -> Result<(), SlotError> {
    if count <= MOST_CHANGES { Ok(()) } else { Err(SlotError::TooManyChanges { commit_lsn, count }) }
}

impl Source for SlotSource {
    fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), Failure> {
        for start in partitions {
            assert!(self.reader.is_none(), "a slot is one partition");
            self.cursors.add(start);
            let context = Arc::new(self.context(position(start.from), start.recent.clone()));
            let failure = Arc::new(Mutex::new(None));
            let (identity, shutdown) = (self.identity.clone(), self.shutdown.clone());
            let reader = ReaderThread::new(&self.settings, start, identity, Arc::clone(&context), shutdown);
            let (failed, wake) = (Arc::clone(&failure), Arc::clone(&self.waker));
            let read = move || {
                if let Err(error) = reader.run() {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    wake();
                }
            };
            let thread = thread::Builder::new().name("slot".to_owned()).spawn(read);
            self.reader = Some(Reader { context, failure, thread: thread? });
        }
        Ok(())
    }

    fn poll_batch(&mut self, limit: usize) -> Result<Option<PolledBatch>, Failure> {
        // A transaction that cannot be read is never passed over: nothing is polled after this.
        if let Some(error) = self.unreadable.take() {
            return Err(error.into());
        }
        let Some(reader) = &self.reader else { return Ok(None) };
        let failures = Arc::clone(&reader.failure);
        let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before polling: what was delivered before the failure is polled first.
        let failure = failures().take();
        let partition = Arc::clone(self.cursors.partition(0));
        let mut records = SlotRecords { partition, bytes: Vec::new(), changes: Vec::new() };
        let filled = self.fill(&mut records, limit);
        self.source_progress.set_polled(self.current.as_ref().map(Changes::next_seq));
        let count = records.changes.len();
        match (filled, failure) {
            (Err(error), _) if count == 0 => return Err(error.into()),
            (Err(error), _) => self.unreadable = Some(error),
            (Ok(()), Some(error)) if count == 0 => return Err(error.into()),
            // Deliveries may be left: the next call reads them first.
            (Ok(()), Some(error)) => *failures() = Some(error),
            (Ok(()), None) if count == 0 => return Ok(None),
            (Ok(()), None) => {}
        }
        Ok(Some(PolledBatch { records: Box::new(records), count }))
    }

    fn take_failure(&mut self) -> Option<Failure> {
        self.unreadable.take().map(Failure::from)
    }

    fn at_transaction_boundary(&self) -> bool {
        self.current.is_none()
    }

    fn confirm_durable(&mut self, next_offsets: &[i64]) {
        if let (Some(reader), Some(next)) = (&self.reader, next_offsets.first()) {
            reader.context.confirm(position(*next));
        }
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        // The number of changes in the WAL is known only after decoding it, and only the server knows where the WAL ends.
        None
    }
}

impl Drop for SlotSource {
    fn drop(&mut self) {
        let Some(reader) = &self.reader else { return };
        reader.context.stop();
        // The thread confirms what is durable and ends the stream. An unreachable server is not waited for, nor anything after
        // a failure.
        let is_over = || self.shutdown.has_failed() || reader.thread.is_finished();
        Deadline::after(FINISH_TIMEOUT).wait_until(FINISH_INTERVAL, is_over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Partition;
    use crate::control::InFlight;
    use crate::postgres::ConnectSettings;
    use crate::replication::{PluginOptions, Transaction};
    use crate::store::SpillSettings;

    const LIMIT: usize = 10;

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    /// A source to which these transactions were delivered.
    fn source_of(transactions: Vec<Transaction>) -> SlotSource {
        let settings = SlotSettings {
            connect: ConnectSettings::parse("postgresql://u@localhost/d").expect("a connection string"),
            slot: "s".to_owned(),
            options: PluginOptions::default(),
            create: false,
            spill: SpillSettings::default(),
        };
        let mut source = SlotSource::new(settings, None, Shutdown::default(), SourceProgress::default());
        let partition = Partition { topic: "s".to_owned(), number: 0 };
        source.cursors.add(&PartitionStart::new(partition, 0, None));
        let context = Arc::new(source.context(lsn(0), RecentTransactions::default()));
        for transaction in transactions {
            let offered = context.deliveries().offer(Delivery::Transaction(transaction), 1, Duration::ZERO);
            assert!(offered.is_ok(), "there is room");
        }
        let (failure, thread) = (Arc::new(Mutex::new(None)), thread::spawn(|| {}));
        source.reader = Some(Reader { context, failure, thread });
        source
    }

    /// The same with transactions of so many changes each.
    fn source(counts: &[u64]) -> SlotSource {
        source_of((1..).zip(counts).map(|(at, count)| Transaction::of_inserts(lsn(at), *count)).collect())
    }

    /// The number of records of each batch, and whether it ends between two transactions.
    fn batches(mut source: SlotSource) -> Vec<(usize, bool)> {
        let mut batches = Vec::new();
        while let Some(batch) = source.poll_batch(LIMIT).expect("nothing fails") {
            batches.push((batch.count, source.at_transaction_boundary()));
        }
        batches
    }

    #[test]
    fn many_small_transactions_are_polled_whole_in_one_batch() {
        // The fourth does not fit; the next batch ends with it, so that an epoch can end there.
        assert_eq!(batches(source(&[3, 3, 3, 3, 3, 3])), [(10, false), (2, true), (6, true)]);
        assert_eq!(batches(source(&[5, 5, 5])), [(10, true), (5, true)]);
    }

    #[test]
    fn only_a_transaction_of_several_batches_keeps_an_epoch_from_ending() {
        assert_eq!(batches(source(&[25, 1, 1])), [(10, false), (10, false), (5, true), (2, true)]);
        assert_eq!(batches(source(&[0, 1])), [(1, true)]);
    }

    #[test]
    fn the_progress_of_a_large_transaction_can_be_observed() {
        let mut source = source(&[1, 1_000]);
        let mut polled = Vec::new();
        while source.poll_batch(LIMIT).expect("lines are available").is_some() {
            polled.push(source.source_progress.in_flight()[1]);
        }
        let (last, parts) = polled.split_last().expect("something was polled");
        assert_eq!(last.amount, 0);
        let grows = |pair: &[InFlight]| pair[0].number == pair[1].number && pair[0].amount < pair[1].amount;
        assert!(parts.len() > 50 && parts.windows(2).all(grows), "{polled:?}");
    }

    #[test]
    fn a_transaction_with_fewer_changes_than_counted_is_an_error() {
        let mut transaction = Transaction::of_inserts(lsn(1), 3);
        transaction.lines.next_line().expect("it is in memory");
        let mut source = source_of(vec![transaction]);
        let batch = source.poll_batch(LIMIT).expect("two changes come first");
        assert_eq!(batch.map(|batch| batch.count), Some(2));
        let error = source.poll_batch(LIMIT).map(|_| ()).expect_err("a change is missing");
        assert!(error.to_string().contains("after 2 of 3 changes"), "{error}");
        assert!(!source.at_transaction_boundary(), "an epoch must not end behind it");
    }

    #[test]
    fn a_transaction_whose_changes_cannot_be_numbered_is_an_error() {
        assert!(check_count(MOST_CHANGES + 1, lsn(1)).is_err());
        assert!(check_count(MOST_CHANGES, lsn(1)).is_ok());
    }

    #[test]
    fn a_transaction_that_cannot_be_read_is_not_passed_over() {
        let mut source = source(&[2, MOST_CHANGES + 1, 3]);
        let batch = source.poll_batch(LIMIT).expect("two changes come first");
        assert_eq!(batch.map(|batch| batch.count), Some(2));
        assert!(source.poll_batch(LIMIT).is_err(), "the second transaction has too many changes");
        assert_eq!(source.cursors.next_offsets(), [2], "nothing behind it was read");
    }
}
