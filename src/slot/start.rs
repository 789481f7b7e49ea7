//! From settings to a slot that is held: nobody else can read it, and where it stands is known.

use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::stream::SlotStream;
use super::{Branch, Server, SlotError, SlotSettings, SlotStatus};
use crate::change::Lsn;
use crate::postgres::{Client, ConnectSettings, PostgresError, Purpose};
use crate::process::Shutdown;

/// How long to wait for a slot that somebody else holds.
const WAIT: Duration = Duration::from_secs(90);
/// How long making a slot may wait for open transactions.
const CREATE: Duration = Duration::from_secs(24 * 3600);
/// How often to try.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// How the session prints values: the same on every server (WIRE: lines depend on the session).
const SESSION: [(&str, &str); 8] = [
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    // Empty: names of types are printed with their schema, whatever the role's own path is.
    ("search_path", ""),
    // A key is a name as it is printed: it must not change with a role's taste.
    ("quote_all_identifiers", "off"),
    // Making a slot waits for transactions.
    ("statement_timeout", "0"),
];

/// A slot that is held by this process.
pub struct Started {
    pub(super) stream: SlotStream,
    /// The way to the server that was met, and to no other.
    pub(super) connect: ConnectSettings,
    /// What was found.
    pub standing: Standing,
}

/// Where a slot stood when it was taken, and on which server.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The server.
    pub server: Server,
    /// Where its history left earlier timelines.
    pub branches: Vec<Branch>,
    /// Up to where the slot was confirmed.
    pub confirmed: Lsn,
}

/// Connects for replication, with the session pinned, and asks the server who it is.
///
/// # Errors
/// [`SlotError`]: not reached, not allowed, or a server that cannot decode.
pub fn open(settings: &SlotSettings) -> Result<(Client, Server), SlotError> {
    let mut client = Client::connect(&settings.connect, Purpose::Replication, &SESSION)?;
    let server = Server::ask(&mut client)?;
    Ok((client, server))
}

/// Makes the slot, one that standbys keep where the server can do that. It waits until all transactions that are open now
/// have ended.
///
/// # Errors
/// [`SlotError::Setup`] for a name that is taken and for whatever has to be set up first.
pub fn create(client: &mut Client, server: &Server, slot: &str) -> Result<(), SlotError> {
    let name = slot.replace('\'', "''");
    let failover = if server.version >= 170_000 { ", failover := true" } else { "" };
    let sql = format!("SELECT pg_catalog.pg_create_logical_replication_slot('{name}', 'test_decoding'{failover})");
    info!(slot, "making the slot, which waits for the transactions that are open now");
    client.query_within(&sql, CREATE).map_err(|error| match error.code() {
        // duplicate_object
        Some("42710") => SlotError::Setup(format!(
            "there is a slot {slot:?} already: look at it with walbook slot status --slot {slot}"
        )),
        // configuration_limit_exceeded
        Some("53400") => {
            SlotError::Setup(format!("{error}: drop a slot that nobody reads, or raise max_replication_slots"))
        }
        _ => plugin_missing(error),
    })?;
    info!(slot, failover = !failover.is_empty(), "made the slot");
    Ok(())
}

/// Drops the slot.
///
/// # Errors
/// [`SlotError::Setup`] while somebody reads it, [`SlotError::NoSlot`].
pub fn drop_slot(client: &mut Client, slot: &str) -> Result<(), SlotError> {
    let held = |pid: Option<String>| {
        let pid = pid.unwrap_or_else(|| "unknown".to_owned());
        SlotError::Setup(format!("slot {slot:?} is read by the server process with pid {pid}: stop its reader first"))
    };
    let status = SlotStatus::look(client, slot)?.ok_or_else(|| SlotError::NoSlot { slot: slot.to_owned() })?;
    if status.active_pid.is_some() {
        return Err(held(status.active_pid));
    }
    let name = slot.replace('\'', "''");
    match client.query(&format!("SELECT pg_catalog.pg_drop_replication_slot('{name}')")) {
        Ok(_) => Ok(()),
        // object_in_use: somebody came in between.
        Err(error) if error.code() == Some("55006") => Err(held(pid_in(&error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

/// Takes the slot, waiting for whoever holds it; `look_around` is called while waiting and may end it.
///
/// # Errors
/// [`SlotError::Held`] after 90 s, and whatever makes the slot unreadable.
pub fn start(
    settings: &SlotSettings,
    shutdown: &Shutdown,
    mut look_around: impl FnMut() -> Result<(), SlotError>,
) -> Result<Started, SlotError> {
    let slot = &settings.slot;
    let begin = Instant::now();
    let mut told = false;
    loop {
        // Anew each time: while it was waited for, another server may have taken its place.
        let (mut client, server) = open(settings)?;
        let status = match SlotStatus::look(&mut client, slot)? {
            Some(status) => status,
            None if settings.create => {
                create(&mut client, &server, slot)?;
                continue;
            }
            None => return Err(SlotError::NoSlot { slot: slot.clone() }),
        };
        status.check(settings.connect.database())?;
        let branches = server.branches(&mut client)?;
        let connect = settings.connect.at(client.server());
        let name = slot.replace('"', "\"\"");
        // At 0/0 the server begins where the slot was confirmed.
        let command = format!("START_REPLICATION SLOT \"{name}\" LOGICAL 0/0 ({})", settings.options.list());
        let error = match client.copy_both(&command) {
            Ok(copy) => {
                // Nobody else moves it from here on.
                let mut asking = Client::connect(&connect, Purpose::Sql, &[])?;
                let held = SlotStatus::look(&mut asking, slot)?.and_then(|status| status.confirmed_flush_lsn);
                let confirmed = held.ok_or_else(|| SlotError::NoSlot { slot: slot.clone() })?;
                // Whoever held it until now may have read beyond the end that was seen before.
                let server = Server { end: Server::ask_end(&mut asking)?, ..server };
                let standing = Standing { server, branches, confirmed };
                return Ok(Started { stream: SlotStream::new(copy), connect, standing });
            }
            Err(error) => error,
        };
        // object_in_use: somebody else holds the slot.
        if error.code() != Some("55006") {
            let mut asking = Client::connect(&connect, Purpose::Sql, &[])?;
            let status = SlotStatus::look(&mut asking, slot)?.unwrap_or(status);
            return Err(explain(error, &status));
        }
        let pid = status.active_pid.or_else(|| pid_in(&error.to_string())).unwrap_or_else(|| "unknown".to_owned());
        if begin.elapsed() >= WAIT {
            return Err(SlotError::Held { slot: slot.clone(), pid, seconds: begin.elapsed().as_secs() });
        }
        if !told {
            told = true;
            warn!(slot, pid, "the slot is held by another server process; waiting up to {} s for it", WAIT.as_secs());
        }
        look_around()?;
        if shutdown.is_requested() || shutdown.has_failed() {
            return Err(SlotError::Stopped);
        }
        thread::sleep(TRY_AGAIN);
    }
}

/// A refusal of the server, with what the slot's status tells about it now.
fn explain(error: PostgresError, status: &SlotStatus) -> SlotError {
    // object_not_in_prerequisite_state; before version 17 the status is the only one that tells apart what it means.
    let words = error.code() == Some("55000") && error.to_string().contains("can no longer");
    match status.lost_reason().or_else(|| words.then(|| error.to_string())) {
        Some(reason) => SlotError::Lost {
            slot: status.name.clone(),
            reason,
            position: status.confirmed_flush_lsn.map_or("its beginning".to_owned(), |lsn| lsn.to_string()),
        },
        None => plugin_missing(error),
    }
}

/// A refusal that may be about the plugin's library (undefined_file).
fn plugin_missing(error: PostgresError) -> SlotError {
    match error.code() {
        Some("58P01") if error.to_string().contains("test_decoding") => SlotError::Setup(format!(
            "the server has no test_decoding ({error}); it is in PostgreSQL's contrib package"
        )),
        _ => error.into(),
    }
}

/// The number in "replication slot … is active for PID 123".
fn pid_in(message: &str) -> Option<String> {
    let rest = message.split("PID ").nth(1)?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}
