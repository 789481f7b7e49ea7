//! Deliveries of a slot → Kafka transactions; their positions → what the slot may confirm.

use std::thread;
use std::time::{Duration, Instant};

use super::shutdown_deadline::ShutdownDeadline;
use super::topic_watch::TopicWatch;
use super::{CaptureError, CaptureProgress, Partial, Position, RecordWriter};
use crate::change::{CommittedTransaction, Lsn};
use crate::replication::{Changes, Delivery, PumpContext, RepeatCheck, SlotError, Transaction};
use crate::store::SpillSettings;

/// How long a Kafka transaction accepts changes …
const MAX_OPEN: Duration = Duration::from_millis(100);
/// … how long it stays open if no more arrive …
const MAX_IDLE: Duration = Duration::from_millis(10);
/// … how many bytes of values it accepts …
const MAX_BYTES: u64 = 64 << 20;
/// … and how many records.
const MAX_RECORDS: u64 = 100_000;
/// How much larger a record is than its line, about.
const RECORD_OVERHEAD: u64 = 200;
/// How long to let further deliveries arrive: a wake-up for each costs more than publishing it.
const COALESCE: Duration = Duration::from_millis(1);
/// How long to wait for a delivery while no Kafka transaction is open.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// Where a flow writes: records and a position become visible together.
pub(super) trait TransactionSink {
    /// Begins a Kafka transaction.
    fn begin(&mut self) -> Result<(), CaptureError>;
    /// Adds a record to it.
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) -> Result<(), CaptureError>;
    /// Completes it with a position.
    fn commit(&mut self, position: &Position) -> Result<(), CaptureError>;
    /// Discards it.
    fn abort(&mut self);
}

/// Publishes deliveries and advances the position of a topic.
pub(super) struct Flow<'a, S> {
    sink: S,
    deadline: &'a ShutdownDeadline,
    progress: &'a CaptureProgress,
    /// Where deliveries come from, and positions are confirmed.
    context: &'a PumpContext,
    /// Where large transactions are, for messages.
    spill: &'a SpillSettings,
    writer: RecordWriter,
    /// Up to where everything was produced, including what the open Kafka transaction holds.
    position: Position,
    /// Compares what the slot repeats with the position.
    repeat_check: RepeatCheck,
    open: Option<OpenKafkaTransaction>,
    /// When the newest transaction of the open Kafka transaction was committed.
    commit_time: Option<i64>,
    /// The newest transaction that was published whole since the position was written last.
    newest: Option<CommittedTransaction>,
}

/// A Kafka transaction that is not committed yet.
struct OpenKafkaTransaction {
    since: Instant,
    records: u64,
    bytes: u64,
}

/// How a flow ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowEnd {
    /// The end that the settings name was reached.
    Reached,
    /// The end was requested.
    Stopped,
    /// The slot delivers nothing any more.
    NoDeliveries,
}

impl<'a, S: TransactionSink> Flow<'a, S> {
    /// Claims the topic: writes `position` again as this process's own. From then on it may be confirmed, if the slot repeats
    /// what it stands for.
    pub(super) fn claim(
        sink: S,
        deadline: &'a ShutdownDeadline,
        progress: &'a CaptureProgress,
        context: &'a PumpContext,
        spill: &'a SpillSettings,
        position: Position,
        repeat_check: RepeatCheck,
    ) -> Result<Flow<'a, S>, CaptureError> {
        let writer = RecordWriter::default();
        let mut flow = Flow {
            sink,
            deadline,
            progress,
            context,
            spill,
            writer,
            position,
            repeat_check,
            open: None,
            commit_time: None,
            newest: None,
        };
        flow.begin()?;
        flow.commit()?;
        Ok(flow)
    }

    /// Publishes deliveries until the end; `has_ended` returns whether the slot delivers nothing any more.
    pub(super) fn run(&mut self, watch: &TopicWatch, has_ended: impl Fn() -> bool) -> Result<FlowEnd, CaptureError> {
        loop {
            if self.deadline.is_requested() {
                self.commit()?;
                return Ok(FlowEnd::Stopped);
            }
            watch.check()?;
            // Read before polling, so that everything that was delivered before the end is polled.
            let is_last = has_ended();
            match self.poll_delivery() {
                Some(Delivery::Transaction(transaction)) => self.publish(transaction)?,
                Some(Delivery::Idle(lsn)) => self.advance(lsn)?,
                Some(Delivery::End(lsn)) => {
                    self.advance(lsn)?;
                    self.commit()?;
                    return Ok(FlowEnd::Reached);
                }
                None => {
                    self.commit()?;
                    if is_last {
                        return Ok(FlowEnd::NoDeliveries);
                    }
                }
            }
            if self.open.as_ref().is_some_and(|open| open.since.elapsed() >= MAX_OPEN || open.records == 0) {
                self.commit()?;
            }
        }
    }

    /// Discards an open Kafka transaction.
    pub(super) fn abort(&mut self) {
        if self.open.take().is_some() && !self.deadline.has_passed() {
            self.sink.abort();
        }
    }

    /// The next delivery, if it arrives before the open Kafka transaction should be committed.
    fn poll_delivery(&self) -> Option<Delivery> {
        let deliveries = self.context.deliveries();
        let Some(open) = &self.open else { return deliveries.poll(POLL_TIMEOUT) };
        deliveries.poll(Duration::ZERO).or_else(|| {
            thread::sleep(COALESCE);
            deliveries.poll(MAX_IDLE.min(MAX_OPEN.saturating_sub(open.since.elapsed())))
        })
    }

    fn publish(&mut self, transaction: Transaction) -> Result<(), CaptureError> {
        let identity = transaction.identity();
        let CommittedTransaction { commit_lsn, xid, commit_time } = identity;
        self.check_repeated(|check| check.receive(identity))?;
        if commit_lsn <= self.position.lsn {
            // The server repeats what was not confirmed.
            return Ok(());
        }
        let published = self.published(commit_lsn)?;
        self.make_room(&transaction)?;
        self.writer.begin(&transaction);
        let mut changes = Changes::new(transaction, self.spill);
        while let Some((seq, line)) = changes.next_change()? {
            if seq < published {
                continue;
            }
            if self.deadline.is_requested() {
                // The position records how much of the transaction was published.
                return Ok(());
            }
            if self.open.as_ref().is_some_and(|open| open.records >= MAX_RECORDS || open.bytes >= MAX_BYTES) {
                self.commit()?;
            }
            if self.open.is_none() {
                self.begin()?;
            }
            let value = self.writer.record(line.lsn(), seq, line.text);
            if let Some(open) = &mut self.open {
                open.records += 1;
                open.bytes += value.len() as u64;
            }
            self.sink.send(line.name, value)?;
            let xid_and_time = Some((xid, commit_time));
            self.position.partial = Some(Partial { commit_lsn, next_seq: seq + 1, xid_and_time });
        }
        let count = changes.next_seq();
        if count < published {
            let seen = format!("sent it again with {count} changes only");
            return Err(CaptureError::NotRepeated { commit_lsn, published, seen });
        }
        (self.position.lsn, self.position.partial, self.position.is_assumed) = (commit_lsn, None, false);
        (self.commit_time, self.newest) = (Some(commit_time), Some(identity));
        if self.open.is_none() {
            // All of it was in the topic already, but not the position.
            self.begin()?;
        }
        Ok(())
    }

    /// The number of changes of the transaction that ends at `commit_lsn` that are in the topic already.
    fn published(&self, commit_lsn: Lsn) -> Result<u64, CaptureError> {
        let Some(partial) = self.position.partial else { return Ok(0) };
        if partial.commit_lsn != commit_lsn {
            let seen = format!("continues with the one that ends at {commit_lsn}");
            let (commit_lsn, published) = (partial.commit_lsn, partial.next_seq);
            return Err(CaptureError::NotRepeated { commit_lsn, published, seen });
        }
        Ok(partial.next_seq)
    }

    /// Commits the open Kafka transaction if the transaction would not fit into it, but may fit into one of its own.
    fn make_room(&mut self, transaction: &Transaction) -> Result<(), CaptureError> {
        let Some(open) = &self.open else { return Ok(()) };
        let (records, bytes) = (transaction.lines.count(), transaction.lines.bytes());
        if open.records + records > MAX_RECORDS || open.bytes + bytes + records * RECORD_OVERHEAD > MAX_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// Advances the position to `lsn`: everything committed up to it was delivered.
    fn advance(&mut self, lsn: Lsn) -> Result<(), CaptureError> {
        self.check_repeated(|check| check.pass(lsn))?;
        if let Some(partial) = self.position.partial {
            let (commit_lsn, published) = (partial.commit_lsn, partial.next_seq);
            let seen = format!("sends nothing before {lsn}");
            // An LSN inside the transaction is below its end, and shows nothing about it.
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

    /// Compares what the slot repeats; the position that was claimed may be confirmed as soon as all of it has come.
    fn check_repeated(
        &mut self,
        compare: impl FnOnce(&mut RepeatCheck) -> Result<(), SlotError>,
    ) -> Result<(), CaptureError> {
        if !self.repeat_check.is_complete() {
            compare(&mut self.repeat_check)?;
            self.confirm();
        }
        Ok(())
    }

    /// Lets the slot confirm the position, which is in the topic. Not before the check: a slot that was confirmed would not
    /// repeat what shows that the server was set back.
    fn confirm(&self) {
        if self.repeat_check.is_complete() && !self.position.is_assumed {
            self.context.confirm(self.position.lsn);
        }
    }

    fn begin(&mut self) -> Result<(), CaptureError> {
        self.sink.begin()?;
        self.open = Some(OpenKafkaTransaction { since: Instant::now(), records: 0, bytes: 0 });
        Ok(())
    }

    /// Commits the open Kafka transaction, if there is one, and lets the slot confirm its position.
    fn commit(&mut self) -> Result<(), CaptureError> {
        let Some(open) = &self.open else { return Ok(()) };
        let (records, bytes) = (open.records, open.bytes);
        if let Some(newest) = self.newest.take() {
            self.position.recent.push(newest);
        }
        self.sink.commit(&self.position)?;
        self.open = None;
        self.confirm();
        self.progress.record_commit(records, bytes, self.position.lsn, self.commit_time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::change::{Classified, RecentTransactions};
    use crate::control::{Shutdown, SourceProgress};
    use crate::replication::Identity;

    /// Remembers how many records were committed with which position.
    #[derive(Default)]
    struct Memory {
        open: usize,
        commits: Vec<(usize, i64, Option<u64>)>,
    }

    impl TransactionSink for &mut Memory {
        fn begin(&mut self) -> Result<(), CaptureError> {
            self.open = 0;
            Ok(())
        }

        fn send(&mut self, _key: Option<&[u8]>, _value: &[u8]) -> Result<(), CaptureError> {
            self.open += 1;
            Ok(())
        }

        fn commit(&mut self, position: &Position) -> Result<(), CaptureError> {
            self.commits.push((self.open, position.lsn.as_i64(), position.partial.map(|partial| partial.next_seq)));
            Ok(())
        }

        fn abort(&mut self) {
            self.open = 0;
        }
    }

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    /// Publishes transactions of so many changes, of which the last has lost one; returns the commits and the error.
    fn publish(counts: &[u64]) -> (Vec<(usize, i64, Option<u64>)>, CaptureError) {
        let (deadline, progress, spill) =
            (ShutdownDeadline::new(Shutdown::new()), CaptureProgress::new(), SpillSettings::default());
        let context = PumpContext::new(
            lsn(0),
            RecentTransactions::default(),
            1 << 20,
            SourceProgress::default(),
            Arc::new(|| {}),
        );
        let position = Position {
            lsn: lsn(0),
            partial: None,
            is_assumed: false,
            recent: RecentTransactions::default(),
            plugin_options: None,
            ends: Vec::new(),
            identity: Identity { system: "7".to_owned(), timeline: 1 },
            slot: "s".to_owned(),
            database: "d".to_owned(),
            topic_id: String::new(),
            writer: "w".to_owned(),
        };
        let mut memory = Memory::default();
        let check = position.repeat_check(lsn(0));
        let mut flow =
            Flow::claim(&mut memory, &deadline, &progress, &context, &spill, position, check).expect("nothing fails");
        let (last, whole) = counts.split_last().expect("a transaction");
        for (at, count) in (1..).zip(whole) {
            flow.publish(Transaction::of_inserts(lsn(at * 10), *count)).expect("it is whole");
        }
        flow.commit().expect("nothing fails");
        let mut short = Transaction::of_inserts(lsn(1000), *last);
        short.lines.next_line().expect("it is in memory");
        let error = flow.publish(short).expect_err("a change is missing");
        flow.abort();
        drop(flow);
        (memory.commits, error)
    }

    #[test]
    fn a_transaction_with_fewer_changes_than_counted_never_moves_the_position() {
        let (commits, error) = publish(&[2, 3, 4]);
        assert_eq!(commits, [(0, 0, None), (5, 20, None)]);
        assert!(error.to_string().contains("after 3 of 4 changes"), "{error}");
        assert!(!error.is_retryable() && !error.is_data_loss());
    }
}
