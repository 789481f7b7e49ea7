//! Deliveries of a slot → Kafka transactions, and what they make safe → back to the slot.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::patience::Patience;
use super::publisher::Publisher;
use super::watch::Watch;
use super::{CaptureError, Partial, Position, RecordWriter, Traffic};
use crate::change::Lsn;
use crate::slot::{Delivery, Handoff, Transaction};

/// How long a Kafka transaction takes changes …
const LONGEST: Duration = Duration::from_millis(100);
/// … how long it stays open when no more come …
const QUIET: Duration = Duration::from_millis(10);
/// … how many bytes of values it takes …
const MOST_BYTES: u64 = 64 << 20;
/// … and how many records.
const MOST_RECORDS: u64 = 100_000;
/// About what a record is larger than its line.
const AROUND_A_LINE: u64 = 200;
/// How long to let deliveries come together while more are likely to come: waking for each costs more than publishing it.
const GATHER: Duration = Duration::from_millis(1);
/// How long to wait for a delivery when nothing is open.
const LISTEN: Duration = Duration::from_millis(50);

/// Moves the position of a topic on.
pub(super) struct Flow<'a> {
    pub(super) publisher: Publisher<'a>,
    pub(super) patience: &'a Patience,
    pub(super) traffic: &'a Traffic,
    /// What may be confirmed to the slot.
    pub(super) confirmed: &'a AtomicI64,
    /// Where the spilled transactions are, for messages.
    pub(super) spill_folder: String,
    writer: RecordWriter,
    /// Up to where everything was produced; what the open Kafka transaction holds is in it.
    position: Position,
    open: Option<Open>,
    /// When the newest transaction of the open Kafka transaction was committed.
    commit_time: Option<i64>,
}

/// A Kafka transaction that is not committed yet.
struct Open {
    since: Instant,
    records: u64,
    bytes: u64,
}

/// How a flow ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The end was reached.
    AtEnd,
    /// It was asked to end.
    Stopped,
    /// The slot gives nothing any more.
    NothingComes,
}

impl<'a> Flow<'a> {
    /// Claims the topic: writes `position` again as this process's own. From then on it may be confirmed.
    pub(super) fn claim(
        publisher: Publisher<'a>,
        patience: &'a Patience,
        traffic: &'a Traffic,
        confirmed: &'a AtomicI64,
        position: Position,
        spill_folder: String,
    ) -> Result<Flow<'a>, CaptureError> {
        let writer = RecordWriter::default();
        let (open, commit_time) = (None, None);
        let mut flow =
            Flow { publisher, patience, traffic, confirmed, spill_folder, writer, position, open, commit_time };
        flow.begin()?;
        flow.commit()?;
        Ok(flow)
    }

    /// Publishes what is delivered until the end; `nothing_comes` tells that there will be no further delivery.
    pub(super) fn run(
        &mut self,
        deliveries: &Handoff<Delivery>,
        watch: &Watch,
        nothing_comes: impl Fn() -> bool,
    ) -> Result<Ended, CaptureError> {
        loop {
            if self.patience.is_asked() {
                self.commit()?;
                return Ok(Ended::Stopped);
            }
            if watch.has_changed() {
                // The next session tells what it is now.
                let message = "it is not the topic any more that was claimed".to_owned();
                return Err(CaptureError::Transaction { what: "write to the topic", message });
            }
            // Asked before taking: what was delivered before it came to an end is taken.
            let last = nothing_comes();
            match self.take(deliveries) {
                Some(Delivery::Transaction(transaction)) => self.publish(transaction)?,
                Some(Delivery::Idle(lsn)) => self.advance(lsn)?,
                Some(Delivery::End(lsn)) => {
                    self.advance(lsn)?;
                    self.commit()?;
                    return Ok(Ended::AtEnd);
                }
                None => {
                    self.commit()?;
                    if last {
                        return Ok(Ended::NothingComes);
                    }
                }
            }
            if self.open.as_ref().is_some_and(|open| open.since.elapsed() >= LONGEST || open.records == 0) {
                self.commit()?;
            }
        }
    }

    /// Takes an open Kafka transaction back.
    pub(super) fn give_up(&mut self) {
        if self.open.take().is_some() && !self.patience.is_over() {
            self.publisher.abort();
        }
    }

    /// The next delivery, if it comes before the open Kafka transaction should be committed.
    fn take(&self, deliveries: &Handoff<Delivery>) -> Option<Delivery> {
        let Some(open) = &self.open else { return deliveries.take(LISTEN) };
        deliveries.take(Duration::ZERO).or_else(|| {
            thread::sleep(GATHER);
            deliveries.take(QUIET.min(LONGEST.saturating_sub(open.since.elapsed())))
        })
    }

    fn publish(&mut self, transaction: Transaction) -> Result<(), CaptureError> {
        let Transaction { commit_lsn, commit_time, .. } = transaction;
        if commit_lsn <= self.position.lsn {
            // The server repeats what was not confirmed.
            return Ok(());
        }
        let published = self.published(commit_lsn)?;
        self.make_room(&transaction)?;
        self.writer.begin(&transaction);
        let (mut lines, mut seq) = (transaction.lines, 0);
        loop {
            let line = lines.next_line().map_err(|source| {
                let folder = self.spill_folder.clone();
                CaptureError::Spilled { folder, source }
            })?;
            let Some(line) = line else { break };
            if seq >= published {
                if self.patience.is_asked() {
                    // The position says how far the transaction got.
                    return Ok(());
                }
                if self.open.as_ref().is_some_and(|open| open.records >= MOST_RECORDS || open.bytes >= MOST_BYTES) {
                    self.commit()?;
                }
                if self.open.is_none() {
                    self.begin()?;
                }
                let value = self.writer.record(line.lsn, seq, line.text);
                if let Some(open) = &mut self.open {
                    open.records += 1;
                    open.bytes += value.len() as u64;
                }
                self.publisher.send(line.name, value)?;
                self.position.partial = Some(Partial { commit_lsn, next_seq: seq + 1 });
            }
            seq += 1;
        }
        if seq < published {
            let seen = format!("sent it again with {seq} changes only");
            return Err(CaptureError::NotRepeated { commit_lsn, published, seen });
        }
        (self.position.lsn, self.position.partial, self.position.is_assumed) = (commit_lsn, None, false);
        self.commit_time = Some(commit_time);
        if self.open.is_none() {
            // All of it was there already; the position was not.
            self.begin()?;
        }
        Ok(())
    }

    /// How many changes of the transaction that ends at `commit_lsn` are in the topic already.
    fn published(&self, commit_lsn: Lsn) -> Result<u64, CaptureError> {
        let Some(partial) = self.position.partial else { return Ok(0) };
        if partial.commit_lsn != commit_lsn {
            let seen = format!("goes on with the one that ends at {commit_lsn}");
            let (commit_lsn, published) = (partial.commit_lsn, partial.next_seq);
            return Err(CaptureError::NotRepeated { commit_lsn, published, seen });
        }
        Ok(partial.next_seq)
    }

    /// Lets a transaction begin a Kafka transaction of its own rather than be torn by the end of another's.
    fn make_room(&mut self, transaction: &Transaction) -> Result<(), CaptureError> {
        let Some(open) = &self.open else { return Ok(()) };
        let (records, bytes) = (transaction.lines.count(), transaction.lines.bytes());
        if open.records + records > MOST_RECORDS || open.bytes + bytes + records * AROUND_A_LINE > MOST_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// Everything committed up to `lsn` was delivered.
    fn advance(&mut self, lsn: Lsn) -> Result<(), CaptureError> {
        if let Some(partial) = self.position.partial {
            let (commit_lsn, published) = (partial.commit_lsn, partial.next_seq);
            let seen = format!("says that nothing comes before {lsn}");
            // What is below its end is said of every place inside the transaction.
            return if lsn < commit_lsn {
                Ok(())
            } else {
                Err(CaptureError::NotRepeated { commit_lsn, published, seen })
            };
        }
        if lsn > self.position.lsn {
            (self.position.lsn, self.position.is_assumed) = (lsn, false);
            if self.open.is_none() {
                self.begin()?;
                self.commit_time = None;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), CaptureError> {
        self.publisher.begin()?;
        self.open = Some(Open { since: Instant::now(), records: 0, bytes: 0 });
        Ok(())
    }

    /// Commits the open Kafka transaction, if there is one, and lets the slot confirm what it holds.
    fn commit(&mut self) -> Result<(), CaptureError> {
        let Some(open) = &self.open else { return Ok(()) };
        let (records, bytes) = (open.records, open.bytes);
        self.publisher.commit(&self.position)?;
        self.open = None;
        if !self.position.is_assumed {
            self.confirmed.store(self.position.lsn.as_i64(), Ordering::Release);
        }
        self.traffic.committed(records, bytes, self.position.lsn, self.commit_time);
        Ok(())
    }
}
