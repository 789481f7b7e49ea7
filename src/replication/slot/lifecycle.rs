//! Creating and dropping a slot.

use std::time::Duration;

use tracing::info;

use crate::postgres::{PostgresError, SqlClient};
use crate::replication::{PrimaryServer, SlotError, SlotStatus};

/// How long the creation may wait for open transactions.
const CREATE_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Creates the slot, as a failover slot if the server can do that. The server waits until all transactions that are open now
/// have ended.
///
/// # Errors
/// [`SlotError::Setup`] if the name is in use or the server must be set up first.
pub fn create(client: &mut SqlClient, server: &PrimaryServer, slot: &str) -> Result<(), SlotError> {
    let name = slot.replace('\'', "''");
    let failover = if server.version >= 170_000 { ", failover := true" } else { "" };
    let sql = format!("SELECT pg_catalog.pg_create_logical_replication_slot('{name}', 'test_decoding'{failover})");
    info!(slot, "creating the slot; the server waits for the transactions that are open now");
    client.query_within(&sql, CREATE_TIMEOUT).map_err(|error| match error.code() {
        // duplicate_object
        Some("42710") => SlotError::Setup(format!(
            "there is a slot {slot:?} already: look at it with walbook slot status --slot {slot}"
        )),
        // configuration_limit_exceeded
        Some("53400") => {
            SlotError::Setup(format!("{error}: drop a slot that nothing reads, or raise max_replication_slots"))
        }
        _ => plugin_missing(error),
    })?;
    info!(slot, failover = !failover.is_empty(), "created the slot");
    Ok(())
}

/// Drops the slot.
///
/// # Errors
/// [`SlotError::Setup`] while the slot is being read, [`SlotError::NoSlot`].
pub fn drop_slot(client: &mut SqlClient, slot: &str) -> Result<(), SlotError> {
    let in_use = |pid: Option<String>| {
        let pid = pid.unwrap_or_else(|| "unknown".to_owned());
        SlotError::Setup(format!("slot {slot:?} is read by the server process with pid {pid}: stop its reader first"))
    };
    let status = SlotStatus::query(client, slot)?.ok_or_else(|| SlotError::NoSlot { slot: slot.to_owned() })?;
    if status.active_pid.is_some() {
        return Err(in_use(status.active_pid));
    }
    let name = slot.replace('\'', "''");
    match client.query(&format!("SELECT pg_catalog.pg_drop_replication_slot('{name}')")) {
        Ok(_) => Ok(()),
        // object_in_use: a reader started after the status was read.
        Err(error) if error.code() == Some("55006") => Err(in_use(pid_in(&error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

/// The refusal of a command that loads the plugin, which may be missing (undefined_file).
pub(in crate::replication) fn plugin_missing(error: PostgresError) -> SlotError {
    match error.code() {
        Some("58P01") if error.to_string().contains("test_decoding") => SlotError::Setup(format!(
            "the server has no test_decoding ({error}); it is in PostgreSQL's contrib package"
        )),
        _ => error.into(),
    }
}

/// The number in "replication slot … is active for PID 123".
pub(in crate::replication) fn pid_in(message: &str) -> Option<String> {
    let rest = message.split("PID ").nth(1)?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}
