//! One session with a slot: this process alone reads it, and its state was compared with what was read before.

use std::time::Duration;

use tracing::warn;

use super::pump::pump;
use super::slot::lifecycle::{create, pid_in, plugin_missing};
use super::stream::SlotStream;
use super::{
    Identity, PrimaryServer, PumpContext, SlotError, SlotSettings, SlotStatus, TimelineBranch, check_history,
    check_not_ahead,
};
use crate::change::Lsn;
use crate::control::{Backoff, Deadline, Shutdown};
use crate::postgres::{ConnectSettings, PostgresError, ReplicationClient, SqlClient};

/// How long to wait for a slot that another process reads.
const HELD_SLOT_TIMEOUT: Duration = Duration::from_secs(90);
/// How often to try to get it.
const HELD_SLOT_INTERVAL: Duration = Duration::from_millis(500);

/// How the session prints values: the same on every server, because the text of a change depends on it.
const SESSION: [(&str, &str); 7] = [
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    // Empty: names of types are printed with their schema, whatever the role's own path is.
    ("search_path", ""),
    // A record's key is the table's name as it is printed: it must not depend on the role's settings.
    ("quote_all_identifiers", "off"),
];

/// Two connections to one server that can decode.
pub struct PrimarySession {
    /// For replication commands, with fixed session settings.
    pub replication: ReplicationClient,
    /// For SQL.
    pub sql: SqlClient,
    /// The settings that reach this server, and no other of the hosts or of their addresses.
    pub connect: ConnectSettings,
    /// The server.
    pub server: PrimaryServer,
}

/// Connects to a server and queries its identity.
///
/// # Errors
/// [`SlotError`]: not reached, not allowed, or a server that cannot decode.
pub fn open(settings: &SlotSettings) -> Result<PrimarySession, SlotError> {
    let mut replication = ReplicationClient::connect(&settings.connect, &SESSION)?;
    let connect = settings.connect.at(&replication);
    // Creating a slot waits for transactions.
    let mut sql = SqlClient::connect(&connect, &[("statement_timeout", "0")])?;
    let server = PrimaryServer::query(&mut replication, &mut sql)?;
    Ok(PrimarySession { replication, sql, connect, server })
}

/// The state of a slot, and the server it is on.
#[derive(Clone, Debug)]
pub struct SlotState {
    /// The server.
    pub server: PrimaryServer,
    /// Where its history left earlier timelines.
    pub branches: Vec<TimelineBranch>,
    /// The LSN up to which the slot was confirmed.
    pub confirmed: Lsn,
}

impl SlotState {
    /// Checks that a reader that has everything up to `position` from `identity`, and parts up to `reach`, can continue here.
    ///
    /// # Errors
    /// [`SlotError::OtherHistory`], [`SlotError::RanAhead`].
    pub fn check_continues(&self, slot: &str, position: Lsn, reach: Lsn, identity: &Identity) -> Result<(), SlotError> {
        check_history(reach, identity, &self.server.identity, &self.branches, self.server.end)?;
        check_not_ahead(slot, position, self.confirmed)
    }
}

/// A slot that this process reads: no other process can, until this is dropped.
pub struct SlotSession {
    settings: SlotSettings,
    stream: SlotStream,
    /// How to reach the server of the stream, and no other.
    connect: ConnectSettings,
    state: SlotState,
}

impl SlotSession {
    /// Starts to read the slot. While another process reads it, `while_waiting` is called before each further try.
    ///
    /// # Errors
    /// [`SlotError::Held`] after 90 s, those of `while_waiting`, and all that makes the slot unreadable.
    pub fn start(
        settings: SlotSettings,
        shutdown: &Shutdown,
        mut while_waiting: impl FnMut() -> Result<(), SlotError>,
    ) -> Result<SlotSession, SlotError> {
        let slot = settings.slot.clone();
        let mut wait = HeldSlotWait::start();
        loop {
            // Anew each time: another server may have become the primary in the meantime.
            let PrimarySession { mut replication, mut sql, connect, server } = open(&settings)?;
            let status = match SlotStatus::query(&mut sql, &slot)? {
                Some(status) => status,
                None if settings.create => {
                    create(&mut sql, &server, &slot)?;
                    continue;
                }
                None => return Err(SlotError::NoSlot { slot }),
            };
            status.check(settings.connect.database())?;
            let branches = server.branches(&mut replication)?;
            let name = slot.replace('"', "\"\"");
            // At 0/0 the server starts at the confirmed LSN.
            let command = format!("START_REPLICATION SLOT \"{name}\" LOGICAL 0/0 ({})", settings.options.list());
            let error = match replication.copy_both(&command) {
                Ok(copy) => {
                    // Queried again: only now no other process can move the slot, and the one that read it until now may have
                    // read beyond the end of WAL that was seen before.
                    let status = SlotStatus::query(&mut sql, &slot)?;
                    let confirmed = status.and_then(|status| status.confirmed_flush_lsn);
                    let confirmed = confirmed.ok_or(SlotError::NoSlot { slot })?;
                    let server = PrimaryServer { end: PrimaryServer::query_end(&mut sql)?, ..server };
                    let state = SlotState { server, branches, confirmed };
                    return Ok(SlotSession { settings, stream: SlotStream::new(copy), connect, state });
                }
                Err(error) => error,
            };
            // object_in_use
            if error.code() != Some("55006") {
                let status = SlotStatus::query(&mut sql, &slot)?.unwrap_or(status);
                return Err(refused(error, &status));
            }
            let pid = status.active_pid.or_else(|| pid_in(&error.to_string())).unwrap_or_else(|| "unknown".to_owned());
            while_waiting()?;
            wait.pause(&slot, &pid, shutdown)?;
        }
    }

    /// The slot's state when the session started.
    pub fn state(&self) -> &SlotState {
        &self.state
    }

    /// Delivers what was committed after `known`, until it is stopped or `until` is reached; keeps the connection alive.
    ///
    /// # Errors
    /// [`SlotError`]; after a retryable one another session may continue.
    pub fn pump(self, known: Lsn, until: Option<Lsn>, context: &PumpContext) -> Result<(), SlotError> {
        let SlotSession { settings, stream, connect, state } = self;
        pump(stream, connect, &settings, (known, state.confirmed), until, context)
    }
}

/// The wait for a slot that another process reads.
pub struct HeldSlotWait {
    deadline: Deadline,
    backoff: Backoff,
    is_logged: bool,
}

impl HeldSlotWait {
    /// Starts the wait.
    pub fn start() -> HeldSlotWait {
        let (deadline, backoff) = (Deadline::after(HELD_SLOT_TIMEOUT), Backoff::constant(HELD_SLOT_INTERVAL));
        HeldSlotWait { deadline, backoff, is_logged: false }
    }

    /// Pauses before the next look at `slot`, which the server process `pid` reads.
    ///
    /// # Errors
    /// [`SlotError::Held`] when the time is over, [`SlotError::Stopped`] when the end was requested.
    pub fn pause(&mut self, slot: &str, pid: &str, shutdown: &Shutdown) -> Result<(), SlotError> {
        if self.deadline.has_passed() {
            let (slot, pid, seconds) = (slot.to_owned(), pid.to_owned(), self.deadline.elapsed().as_secs());
            return Err(SlotError::Held { slot, pid, seconds });
        }
        if !self.is_logged {
            self.is_logged = true;
            let seconds = self.deadline.timeout().as_secs();
            warn!(slot, pid, "the slot is read by another server process; waiting up to {seconds} s for it");
        }
        match self.backoff.pause(|| shutdown.is_requested() || shutdown.has_failed()) {
            true => Ok(()),
            false => Err(SlotError::Stopped),
        }
    }
}

/// The server's refusal to start, explained with the slot's status.
fn refused(error: PostgresError, status: &SlotStatus) -> SlotError {
    // object_not_in_prerequisite_state; before version 17 only the text of the message distinguishes a lost slot.
    let is_lost = error.code() == Some("55000") && error.to_string().contains("can no longer");
    match status.lost_reason().or_else(|| is_lost.then(|| error.to_string())) {
        Some(reason) => SlotError::Lost {
            slot: status.name.clone(),
            reason,
            position: status.confirmed_flush_lsn.map_or("its beginning".to_owned(), |lsn| lsn.to_string()),
        },
        None => plugin_missing(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    #[test]
    fn a_wait_for_a_held_slot_ends_with_the_shutdown_or_at_its_deadline() {
        let shutdown = Shutdown::new();
        shutdown.fail(std::io::Error::other("another thread failed"));
        let mut wait = HeldSlotWait::start();
        assert!(matches!(wait.pause("s", "7", &shutdown), Err(SlotError::Stopped)));
        wait.deadline = Deadline::after(Duration::ZERO);
        let error = wait.pause("s", "7", &shutdown).expect_err("the time is over");
        assert!(error.is_usage() && error.to_string().contains("pid 7"), "{error}");
    }
}
