//! From a held slot to transactions in a queue: the thread that never lets the server wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tracing::debug;

use super::stream::{Message, SlotStream};
use super::transaction::{Assembly, Completed};
use super::{Handoff, SlotError, SlotSettings, Started, Transaction};
use crate::change::Lsn;
use crate::postgres::{Client, ConnectSettings, Purpose};
use crate::process::Quiet;

/// How often the server is told what is confirmed, whatever else happens; well within `wal_sender_timeout`.
const TELL: Duration = Duration::from_secs(1);
/// How long to wait for a message: also how late a new confirmation is told.
const LISTEN: Duration = Duration::from_millis(50);
/// How long to let lines come together that are not here yet: the server sends them one by one, and waking for each costs
/// both sides more than the line.
const GATHER: Duration = Duration::from_micros(500);
/// How often an LSN without transactions is worth a position of its own …
const IDLE: Duration = Duration::from_secs(10);
/// … and after how many bytes of WAL it is worth one before that.
const IDLE_BYTES: i64 = 4 << 20;
/// How soon after another a keepalive that asks for an answer is worth a position: a server that shuts down waits for it.
const IDLE_ASKED: Duration = Duration::from_secs(1);
/// After what silence a run with an end makes the server write something, so that its WAL passes the end.
const SILENCE: Duration = Duration::from_millis(200);
/// How long the polite end may take.
const FINISH: Duration = Duration::from_millis(500);

/// What comes out of a slot.
#[derive(Debug)]
pub enum Delivery {
    /// A transaction above the known LSN.
    Transaction(Transaction),
    /// Everything committed up to this LSN was delivered.
    Idle(Lsn),
    /// The asked end is reached, and everything committed up to it was delivered; up to this LSN that may be confirmed.
    End(Lsn),
}

/// What the pump and whoever takes its deliveries share.
pub struct Duty {
    /// Where deliveries go.
    pub deliveries: Arc<Handoff<Delivery>>,
    /// The LSN up to which everything was delivered.
    pub delivered: AtomicI64,
    /// The LSN that may be confirmed.
    pub confirmed: Arc<AtomicI64>,
    /// What is known to be empty behind the last delivery, and what is arriving there.
    pub quiet: Quiet,
    /// Set when the pump shall end.
    pub stop: Arc<AtomicBool>,
    /// Called after each delivery.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// Delivers what was committed after `known` until it is stopped, or until `until` is reached; answers the server meanwhile.
///
/// # Errors
/// [`SlotError`]; some are worth another start.
pub fn pump(
    started: Started,
    settings: &SlotSettings,
    known: Lsn,
    until: Option<Lsn>,
    duty: &Duty,
) -> Result<(), SlotError> {
    let now = Instant::now();
    let mut pump = Pump {
        stream: started.stream,
        duty,
        known,
        until,
        received: started.standing.confirmed,
        told_at: now,
        told: Lsn::from_i64(0).expect("zero is an LSN"),
        idle_at: now.checked_sub(IDLE).unwrap_or(now),
        ended: false,
    };
    let mut assembly = Assembly::new(settings.spill.clone());
    // What a connection before had brought of one comes again.
    duty.quiet.arrived();
    let mut nudge = Nudge { connect: Some(started.connect), silent_since: now };
    pump.tell(true)?;
    let mut flowing = false;
    while !duty.stop.load(Ordering::Acquire) && !pump.ended {
        if flowing && !pump.stream.has_message() {
            thread::sleep(GATHER);
            flowing = false;
        }
        let completed = match pump.stream.receive(LISTEN)? {
            Message::Line(lsn, line) => {
                flowing = true;
                pump.received = pump.received.max(lsn);
                nudge.silent_since = Instant::now();
                duty.quiet.arrives(line.len());
                assembly.add(lsn, line)?
            }
            Message::Keepalive(lsn, asks) => {
                pump.received = pump.received.max(lsn);
                if lsn < pump.known {
                    // It begins with the oldest transaction that was open when the slot was confirmed, which may be far back.
                    duty.quiet.repeats(lsn.as_i64());
                }
                if assembly.is_between() {
                    pump.idle(lsn, asks)?;
                }
                if asks {
                    pump.tell(false)?;
                }
                Completed::Nothing
            }
            Message::Nothing => {
                if pump.until.is_some() && assembly.is_between() {
                    // Only the server knows whether this is all.
                    pump.tell(true)?;
                    nudge.now_and_then();
                }
                Completed::Nothing
            }
            Message::Ended => {
                return Err(SlotError::Postgres(pump.broken(settings, "the server ended the stream".to_owned())));
            }
        };
        match completed {
            Completed::Nothing => {}
            Completed::Empty(lsn) => {
                duty.quiet.arrived();
                pump.idle(lsn, false)?;
            }
            Completed::Transaction(transaction) => {
                duty.quiet.arrived();
                pump.transaction(transaction)?;
            }
        }
        pump.tell_now_and_then()?;
    }
    // What became safe meanwhile.
    while pump.ended && !duty.stop.load(Ordering::Acquire) {
        thread::sleep(LISTEN);
        pump.tell_now_and_then()?;
    }
    pump.tell(false)?;
    pump.stream.finish(FINISH);
    Ok(())
}

struct Pump<'a> {
    stream: SlotStream,
    duty: &'a Duty,
    /// Everything committed up to here was delivered, or was known before.
    known: Lsn,
    until: Option<Lsn>,
    /// The newest LSN that was heard of.
    received: Lsn,
    told_at: Instant,
    told: Lsn,
    idle_at: Instant,
    ended: bool,
}

impl Pump<'_> {
    fn transaction(&mut self, transaction: Transaction) -> Result<(), SlotError> {
        let commit_lsn = transaction.commit_lsn;
        if commit_lsn <= self.known {
            debug!(%commit_lsn, known = %self.known, "left out: known already");
            return Ok(());
        }
        if self.until.is_some_and(|until| commit_lsn > until) {
            // Transactions come in the order of their ends. The end that was asked for may lie inside of this one's COMMIT:
            // were it confirmed, the server would leave the transaction out for ever.
            return self.end(self.known);
        }
        self.known = commit_lsn;
        let bytes = transaction.lines.weight();
        self.deliver(Delivery::Transaction(transaction), bytes)?;
        if self.until == Some(commit_lsn) { self.end(commit_lsn) } else { Ok(()) }
    }

    /// Everything committed up to `lsn` was delivered.
    fn idle(&mut self, lsn: Lsn, asked: bool) -> Result<(), SlotError> {
        let lsn = lsn.max(self.known);
        self.duty.quiet.note(self.known.as_i64() + 1, lsn.as_i64() + 1);
        if self.until.is_some_and(|until| lsn >= until) {
            self.known = lsn;
            return self.end(lsn);
        }
        let since = self.idle_at.elapsed();
        let far = lsn.as_i64() - self.known.as_i64() >= IDLE_BYTES;
        let due = since >= IDLE || (far || asked) && since >= IDLE_ASKED;
        if lsn > self.known && due {
            self.known = lsn;
            self.idle_at = Instant::now();
            self.deliver(Delivery::Idle(lsn), 1)?;
        }
        Ok(())
    }

    fn end(&mut self, lsn: Lsn) -> Result<(), SlotError> {
        self.ended = true;
        self.deliver(Delivery::End(lsn), 1)
    }

    /// Waits for room, and tells the server meanwhile that somebody is there.
    fn deliver(&mut self, delivery: Delivery, bytes: usize) -> Result<(), SlotError> {
        let mut delivery = delivery;
        while let Err(back) = self.duty.deliveries.offer(delivery, bytes, LISTEN) {
            if self.duty.stop.load(Ordering::Acquire) {
                return Ok(());
            }
            delivery = back;
            self.tell_now_and_then()?;
        }
        self.duty.delivered.store(self.known.as_i64(), Ordering::Release);
        (self.duty.wake)();
        Ok(())
    }

    fn tell_now_and_then(&mut self) -> Result<(), SlotError> {
        let since = self.told_at.elapsed();
        if since >= TELL || (since >= LISTEN && self.confirmed() > self.told) {
            self.tell(since >= TELL)
        } else {
            Ok(())
        }
    }

    fn tell(&mut self, ask: bool) -> Result<(), SlotError> {
        let confirmed = self.confirmed();
        self.stream.tell(self.received.max(confirmed), confirmed, ask)?;
        (self.told, self.told_at) = (confirmed, Instant::now());
        Ok(())
    }

    fn confirmed(&self) -> Lsn {
        Lsn::from_i64(self.duty.confirmed.load(Ordering::Acquire)).expect("only LSNs are confirmed")
    }

    fn broken(&self, settings: &SlotSettings, message: String) -> crate::postgres::PostgresError {
        crate::postgres::PostgresError::Broken { server: settings.connect.to_string(), message }
    }
}

/// Makes an idle server write WAL beyond its end: the last record before it may not be decoded otherwise.
struct Nudge {
    /// The way to the server, until it was nudged.
    connect: Option<ConnectSettings>,
    silent_since: Instant,
}

impl Nudge {
    fn now_and_then(&mut self) {
        if self.silent_since.elapsed() < SILENCE {
            return;
        }
        let Some(connect) = self.connect.take() else { return };
        let ask = move || {
            // The server's own records will do as well, some seconds later.
            let asked = Client::connect(&connect, Purpose::Sql, &[("synchronous_commit", "local")])
                .and_then(|mut client| client.query("SELECT pg_catalog.pg_logical_emit_message(true, 'walbook', '')"));
            if let Err(error) = asked {
                debug!(%error, "could not make the server write");
            }
        };
        // On a thread of its own: the server must be answered meanwhile.
        if let Err(error) = thread::Builder::new().name("nudge".to_owned()).spawn(ask) {
            debug!(%error, "could not make the server write");
        }
    }
}
