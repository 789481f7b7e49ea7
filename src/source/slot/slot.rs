//! A slot as the worker that reads it sees it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::records::{Change, SlotRecords};
use super::session;
use crate::change::{PartitionStart, Taken};
use crate::process::{Quiet, Shutdown};
use crate::slot::{Delivery, Duty, Handoff, Identity, SlotError, SlotSettings, Transaction};
use crate::source::{Accepted, Cursors, Source, SourceError, Waker};

/// Bytes of transactions that wait for the worker.
const QUEUE_BYTES: usize = 32 << 20;
/// How long the end may take in which the server hears what is durable.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes of lines that are taken at once.
const BATCH_BYTES: usize = 4 << 20;

/// Reads a slot; only the worker that the slot is assigned to connects.
pub struct SlotSource {
    settings: SlotSettings,
    /// Whose WAL the book goes on with, where that is known.
    known: Option<Identity>,
    shutdown: Shutdown,
    quiet: Quiet,
    waker: Waker,
    cursors: Cursors,
    reading: Option<Reading>,
    /// The transaction that is being taken, and the number of its next change.
    open: Option<(Transaction, i32)>,
}

/// The thread, and what is shared with it.
struct Reading {
    deliveries: Arc<Handoff<Delivery>>,
    confirmed: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<SlotError>>>,
    thread: JoinHandle<()>,
}

impl SlotSource {
    /// A source that has not connected yet; it tells `quiet` what it knows to be empty.
    pub fn new(settings: SlotSettings, known: Option<Identity>, shutdown: Shutdown, quiet: Quiet) -> SlotSource {
        SlotSource {
            settings,
            known,
            shutdown,
            quiet,
            waker: Arc::new(|| {}),
            cursors: Cursors::default(),
            reading: None,
            open: None,
        }
    }

    /// Moves lines of the open transaction, or of the next ones, into `records` until there are `limit` or nothing is at hand.
    ///
    /// At least every second time it ends between two transactions, unless one is larger: after the one that was open before.
    fn fill(&mut self, records: &mut SlotRecords, limit: usize) -> Result<(), SlotError> {
        let Some(reading) = &self.reading else { return Ok(()) };
        let resumed = self.open.is_some();
        loop {
            let is_full = records.changes.len() >= limit || records.bytes.len() >= BATCH_BYTES;
            if self.open.is_none() {
                if is_full {
                    return Ok(());
                }
                match reading.deliveries.take(Duration::ZERO) {
                    None => return Ok(()),
                    Some(Delivery::Idle(lsn)) => self.cursors.pass(0, lsn.as_i64() + 1),
                    Some(Delivery::End(lsn)) => {
                        self.cursors.end_at(0, lsn.as_i64() + 1);
                        self.cursors.pass(0, lsn.as_i64() + 1);
                    }
                    Some(Delivery::Transaction(transaction)) => self.open = Some((transaction, 0)),
                }
                continue;
            }
            if is_full {
                return Ok(());
            }
            let Some((transaction, seq)) = &mut self.open else { continue };
            let offset = transaction.commit_lsn.as_i64();
            let line = transaction.lines.next_line().map_err(|source| SlotError::Spill {
                folder: self.settings.spill.folder.display().to_string(),
                source,
            })?;
            if let Some(line) = line {
                records.bytes.extend_from_slice(line.text);
                records.changes.push(Change {
                    end: records.bytes.len(),
                    offset,
                    seq: *seq,
                    lsn: line.lsn.as_i64(),
                    xid: transaction.xid,
                    commit_time: transaction.commit_time,
                });
                *seq += 1;
            }
            if u64::try_from(*seq) == Ok(transaction.lines.count()) {
                let accepted = self.cursors.accept(0, offset);
                debug_assert_eq!(accepted, Accepted::New, "known transactions and those past the end are left out");
                self.open = None;
                if resumed {
                    return Ok(());
                }
            }
        }
    }
}

impl Source for SlotSource {
    fn wake_with(&mut self, waker: Waker) {
        self.waker = waker;
    }

    fn assign(&mut self, partitions: &[PartitionStart]) -> Result<(), SourceError> {
        for start in partitions {
            assert!(self.reading.is_none(), "a slot is one partition");
            self.cursors.add(start);
            let first = super::plan::position(start.from).as_i64();
            let deliveries = Arc::new(Handoff::new(QUEUE_BYTES));
            let (confirmed, stop) = (Arc::new(AtomicI64::new(first)), Arc::new(AtomicBool::new(false)));
            let failure = Arc::new(Mutex::new(None));
            let duty = Duty {
                deliveries: Arc::clone(&deliveries),
                delivered: AtomicI64::new(first),
                confirmed: Arc::clone(&confirmed),
                quiet: self.quiet.clone(),
                stop: Arc::clone(&stop),
                wake: Arc::clone(&self.waker),
            };
            let (settings, known, shutdown) = (self.settings.clone(), self.known.clone(), self.shutdown.clone());
            let (start, failed, wake) = (start.clone(), Arc::clone(&failure), Arc::clone(&self.waker));
            let hold = move || {
                if let Err(error) = session::hold(&settings, &start, known, &duty, &shutdown) {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    wake();
                }
            };
            let thread = thread::Builder::new().name("slot".to_owned()).spawn(hold);
            let thread = thread.map_err(|error| SourceError::Other(Box::new(error)))?;
            self.reading = Some(Reading { deliveries, confirmed, stop, failure, thread });
        }
        Ok(())
    }

    fn take(&mut self, limit: usize) -> Result<Option<Taken>, SourceError> {
        let Some(reading) = &self.reading else { return Ok(None) };
        let failure = reading.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let partition = Arc::clone(self.cursors.partition(0));
        let mut records = SlotRecords { partition, bytes: Vec::new(), changes: Vec::new() };
        self.fill(&mut records, limit)?;
        self.quiet.taken(self.open.as_ref().map(|(_, seq)| u64::try_from(*seq).unwrap_or(0)));
        if records.changes.is_empty() {
            // What was delivered before it failed is whole.
            return failure.map_or(Ok(None), |error| Err(error.into()));
        }
        if let (Some(error), Some(reading)) = (failure, &self.reading) {
            *reading.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        let count = records.changes.len();
        Ok(Some(Taken { records: Box::new(records), count }))
    }

    fn is_between(&self) -> bool {
        self.open.is_none()
    }

    fn committed(&mut self, next_offsets: &[i64]) {
        if let (Some(reading), Some(next)) = (&self.reading, next_offsets.first()) {
            reading.confirmed.store(super::plan::position(*next).as_i64(), Ordering::Release);
        }
    }

    fn cursors(&mut self) -> &mut Cursors {
        &mut self.cursors
    }

    fn lag(&mut self) -> Option<i64> {
        // How many changes the WAL holds is seen when it is decoded, and only its server knows where it ends.
        None
    }
}

impl Drop for SlotSource {
    fn drop(&mut self) {
        let Some(reading) = &mut self.reading else { return };
        reading.stop.store(true, Ordering::Release);
        // It tells the server what is durable, and lets the slot go; a server that cannot be reached is not waited for, and a
        // failed run waits for nobody.
        let until = Instant::now() + FAREWELL;
        while !self.shutdown.has_failed() && !reading.thread.is_finished() && Instant::now() < until {
            thread::sleep(FAREWELL / 100);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Lsn, Partition};
    use crate::postgres::ConnectSettings;
    use crate::process::Underway;
    use crate::slot::{PluginOptions, Spill};

    const LIMIT: usize = 10;

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    /// A source before which these transactions lie, by the numbers of their changes.
    fn source(transactions: &[u64]) -> SlotSource {
        let settings = SlotSettings {
            connect: ConnectSettings::parse("postgresql://u@localhost/d").expect("a connection string"),
            slot: "s".to_owned(),
            options: PluginOptions::default(),
            create: false,
            spill: Spill::default(),
        };
        let mut source = SlotSource::new(settings, None, Shutdown::default(), Quiet::default());
        let partition = Partition { topic: "s".to_owned(), number: 0 };
        source.cursors.add(&PartitionStart { partition, from: 0, until: None });
        let deliveries = Arc::new(Handoff::new(QUEUE_BYTES));
        for (place, count) in (1..).zip(transactions) {
            let transaction = Transaction::of_inserts(lsn(place), *count);
            let offered = deliveries.offer(Delivery::Transaction(transaction), 1, Duration::ZERO);
            assert!(offered.is_ok(), "there is room");
        }
        source.reading = Some(Reading {
            deliveries,
            confirmed: Arc::new(AtomicI64::new(0)),
            stop: Arc::new(AtomicBool::new(false)),
            failure: Arc::new(Mutex::new(None)),
            thread: thread::spawn(|| {}),
        });
        source
    }

    /// How many records each taking gives, and whether it ends between two transactions.
    fn takings(mut source: SlotSource) -> Vec<(usize, bool)> {
        let mut takings = Vec::new();
        while let Some(taken) = source.take(LIMIT).expect("nothing fails") {
            takings.push((taken.count, source.is_between()));
        }
        takings
    }

    #[test]
    fn a_backlog_of_small_transactions_is_taken_whole_and_many_at_once() {
        // The fourth does not fit; what is taken next ends with it, so that an epoch can end there.
        assert_eq!(takings(source(&[3, 3, 3, 3, 3, 3])), [(10, false), (2, true), (6, true)]);
        assert_eq!(takings(source(&[5, 5, 5])), [(10, true), (5, true)]);
    }

    #[test]
    fn only_a_transaction_of_many_takings_keeps_an_epoch_from_ending() {
        assert_eq!(takings(source(&[25, 1, 1])), [(10, false), (10, false), (5, true), (2, true)]);
        assert_eq!(takings(source(&[0, 1])), [(1, true)]);
    }

    #[test]
    fn whoever_asks_sees_a_large_transaction_being_taken() {
        let mut source = source(&[1, 1_000]);
        let mut taken = Vec::new();
        while source.take(LIMIT).expect("lines are at hand").is_some() {
            taken.push(source.quiet.underway()[1]);
        }
        let (last, parts) = taken.split_last().expect("something was taken");
        assert_eq!(last.so_far, 0);
        let grows = |pair: &[Underway]| pair[0].number == pair[1].number && pair[0].so_far < pair[1].so_far;
        assert!(parts.len() > 50 && parts.windows(2).all(grows), "{taken:?}");
    }
}
