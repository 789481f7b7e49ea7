//! From a session to deliveries in a queue: the loop that never lets the server wait for a status.

use std::thread;
use std::time::{Duration, Instant};

use tracing::{debug, info};

use super::silence::Silence;
use super::stream::{SlotStream, StreamMessage};
use super::transactions::transaction::{Completed, SlotAssembler};
use super::{Delivery, PumpContext, RepeatCheck, SlotError, SlotSettings, Transaction};
use crate::change::Lsn;
use crate::postgres::{ConnectSettings, PostgresError, SqlClient};

/// How often a status is sent, whatever else happens; well within `wal_sender_timeout`.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait for a message: also the delay until a new confirmation is sent.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(50);
/// How long to let further lines arrive: the server sends them one by one, and a wake-up for each costs both sides more than
/// the line.
const COALESCE: Duration = Duration::from_micros(500);
/// How often an LSN without transactions is delivered …
const IDLE_INTERVAL: Duration = Duration::from_secs(10);
/// … after how many bytes of WAL it is delivered before that …
const IDLE_BYTES: i64 = 4 << 20;
/// … and how often at most then, or if the server requests a status: a server that shuts down waits for its confirmation.
const IDLE_MIN_INTERVAL: Duration = Duration::from_secs(1);
/// How long a stream with an end may be silent before the server is made to write WAL beyond that end.
const FORCE_WAL_AFTER: Duration = Duration::from_millis(200);
/// How long the end of the stream may take.
const FINISH_TIMEOUT: Duration = Duration::from_millis(500);

/// Delivers what was committed after `known` until it is stopped or `until` is reached, and sends the server its status
/// meanwhile; the slot was `confirmed` up to an LSN when the session started.
///
/// # Errors
/// [`SlotError`].
pub(super) fn pump(
    stream: SlotStream,
    connect: ConnectSettings,
    settings: &SlotSettings,
    (known, confirmed): (Lsn, Lsn),
    until: Option<Lsn>,
    context: &PumpContext,
) -> Result<(), SlotError> {
    let now = Instant::now();
    let mut pump = Pump {
        stream,
        context,
        known,
        repeat_check: RepeatCheck::new(known, &context.recent(), confirmed),
        silence: Silence::new(context.silence_limit().clone()),
        until,
        received: confirmed,
        last_status_at: now,
        last_confirmed: Lsn::ZERO,
        last_idle_at: now.checked_sub(IDLE_INTERVAL).unwrap_or(now),
        ended: false,
        wal_server: Some(connect),
        last_line_at: now,
    };
    let is_first = context.begin_first_session();
    if let Some(why) = pump.repeat_check.uncompared().filter(|_| is_first) {
        info!("whether the server was set back to an older state is not compared: {why}");
    }
    let mut assembler = SlotAssembler::new(settings.spill.clone());
    // A transaction that the connection before this one had received in part is sent again.
    context.source_progress.end_received();
    pump.send_status(true)?;
    let mut has_flow = false;
    while !context.is_stopped() && !pump.ended {
        if has_flow && !pump.stream.has_message() {
            thread::sleep(COALESCE);
            has_flow = false;
        }
        let completed = match pump.stream.receive(RECEIVE_TIMEOUT)? {
            StreamMessage::Line(lsn, line) => {
                has_flow = true;
                pump.silence.end(false);
                pump.received = pump.received.max(lsn);
                pump.last_line_at = Instant::now();
                context.source_progress.add_received(line.len());
                assembler.add(lsn, line)?
            }
            StreamMessage::Keepalive(lsn, requests_status) => {
                pump.silence.end(false);
                pump.received = pump.received.max(lsn);
                if lsn < pump.known {
                    // The server starts at the oldest transaction that was open at the confirmed LSN, maybe far before it.
                    context.source_progress.set_replayed(lsn.as_i64());
                }
                if assembler.at_transaction_boundary() {
                    pump.advance(lsn, requests_status)?;
                }
                if requests_status {
                    pump.send_status(false)?;
                }
                Completed::Nothing
            }
            StreamMessage::Timeout => {
                if let Some(silent) = pump.silence.add(RECEIVE_TIMEOUT, pump.stream.received()) {
                    let message = format!(
                        "it has sent nothing for {} s, although its answer was requested every second: its process hangs, or the link is cut",
                        silent.as_secs()
                    );
                    return Err(PostgresError::Broken { server: settings.connect.to_string(), message }.into());
                }
                if pump.until.is_some() && assembler.at_transaction_boundary() {
                    // Only a keepalive shows that no transaction is left before the end.
                    pump.send_status(true)?;
                    pump.force_wal_if_silent();
                }
                Completed::Nothing
            }
            StreamMessage::Ended => {
                let (server, message) = (settings.connect.to_string(), "the server ended the stream".to_owned());
                return Err(SlotError::Postgres(PostgresError::Broken { server, message }));
            }
        };
        match completed {
            Completed::Nothing => {}
            Completed::Empty(lsn) => {
                context.source_progress.end_received();
                pump.advance(lsn, false)?;
            }
            Completed::Transaction(transaction) => {
                context.source_progress.end_received();
                pump.deliver_transaction(transaction)?;
            }
        }
        pump.send_status_if_due()?;
    }
    // After the end, confirm what becomes durable until the consumer stops.
    while pump.ended && !context.is_stopped() {
        thread::sleep(RECEIVE_TIMEOUT);
        pump.send_status_if_due()?;
    }
    pump.send_status(false)?;
    pump.stream.finish(FINISH_TIMEOUT);
    Ok(())
}

struct Pump<'a> {
    stream: SlotStream,
    context: &'a PumpContext,
    /// Everything committed up to here was delivered, or was known before.
    known: Lsn,
    /// Compares what the server repeats with what was delivered before.
    repeat_check: RepeatCheck,
    silence: Silence,
    until: Option<Lsn>,
    /// The newest LSN that the server has sent.
    received: Lsn,
    last_status_at: Instant,
    /// The confirmed LSN of the last status.
    last_confirmed: Lsn,
    last_idle_at: Instant,
    ended: bool,
    /// The server that can be made to write WAL, until that was done once.
    wal_server: Option<ConnectSettings>,
    last_line_at: Instant,
}

impl Pump<'_> {
    fn deliver_transaction(&mut self, transaction: Transaction) -> Result<(), SlotError> {
        let identity = transaction.identity();
        let commit_lsn = identity.commit_lsn;
        self.repeat_check.receive(identity)?;
        if commit_lsn <= self.known {
            debug!(%commit_lsn, known = %self.known, "skipped a transaction that is known already");
            return Ok(());
        }
        if self.until.is_some_and(|until| commit_lsn > until) {
            // Transactions come in the order of their ends. The requested end may lie inside of this one's COMMIT record: if
            // it were confirmed, the server would never send the transaction again.
            return self.deliver_end(self.known);
        }
        self.known = commit_lsn;
        let bytes = transaction.lines.weight();
        self.deliver(Delivery::Transaction(transaction), bytes)?;
        self.context.set_newest(identity);
        if self.until == Some(commit_lsn) { self.deliver_end(commit_lsn) } else { Ok(()) }
    }

    /// Notes that everything committed up to `lsn` was delivered, and delivers that if it is due.
    fn advance(&mut self, lsn: Lsn, requests_status: bool) -> Result<(), SlotError> {
        self.repeat_check.pass(lsn)?;
        let lsn = lsn.max(self.known);
        self.context.source_progress.record_empty(self.known.as_i64() + 1, lsn.as_i64() + 1);
        if self.until.is_some_and(|until| lsn >= until) {
            self.known = lsn;
            return self.deliver_end(lsn);
        }
        let since = self.last_idle_at.elapsed();
        let is_far = lsn.as_i64() - self.known.as_i64() >= IDLE_BYTES;
        let is_due = since >= IDLE_INTERVAL || (is_far || requests_status) && since >= IDLE_MIN_INTERVAL;
        if lsn > self.known && is_due {
            self.known = lsn;
            self.last_idle_at = Instant::now();
            self.deliver(Delivery::Idle(lsn), 1)?;
        }
        Ok(())
    }

    fn deliver_end(&mut self, lsn: Lsn) -> Result<(), SlotError> {
        self.ended = true;
        self.deliver(Delivery::End(lsn), 1)
    }

    /// Waits for room in the queue, and sends the server its status meanwhile.
    fn deliver(&mut self, mut delivery: Delivery, bytes: usize) -> Result<(), SlotError> {
        while let Err(refused) = self.context.deliveries.offer(delivery, bytes, RECEIVE_TIMEOUT) {
            if self.context.is_stopped() {
                return Ok(());
            }
            delivery = refused;
            self.send_status_if_due()?;
        }
        self.context.set_delivered(self.known);
        self.silence.end(true);
        Ok(())
    }

    fn send_status_if_due(&mut self) -> Result<(), SlotError> {
        let since = self.last_status_at.elapsed();
        let is_new = since >= RECEIVE_TIMEOUT && self.may_confirm() > self.last_confirmed;
        if since >= STATUS_INTERVAL || is_new { self.send_status(since >= STATUS_INTERVAL) } else { Ok(()) }
    }

    fn send_status(&mut self, request_reply: bool) -> Result<(), SlotError> {
        let confirmed = self.may_confirm();
        self.stream.send_status(self.received.max(confirmed), confirmed, request_reply)?;
        (self.last_confirmed, self.last_status_at) = (confirmed, Instant::now());
        Ok(())
    }

    /// The LSN to confirm. None before the server has repeated what was read: a slot that was confirmed would not repeat what
    /// shows that the server was set back.
    fn may_confirm(&self) -> Lsn {
        if self.repeat_check.is_complete() { self.context.confirmed() } else { Lsn::ZERO }
    }

    /// Makes an idle server write WAL beyond the end, once: the last record before it may not be decoded otherwise.
    fn force_wal_if_silent(&mut self) {
        if self.last_line_at.elapsed() < FORCE_WAL_AFTER {
            return;
        }
        let Some(connect) = self.wal_server.take() else { return };
        let force = move || {
            let emitted = SqlClient::connect(&connect, &[("synchronous_commit", "local")])
                .and_then(|mut client| client.query("SELECT pg_catalog.pg_logical_emit_message(true, 'walbook', '')"));
            if let Err(error) = emitted {
                // The server's own periodic records serve as well, some seconds later.
                debug!(%error, "could not make the server write WAL");
            }
        };
        // On a thread of its own, because the server needs its status meanwhile.
        if let Err(error) = thread::Builder::new().name("force_wal".to_owned()).spawn(force) {
            debug!(%error, "could not make the server write WAL");
        }
    }
}
