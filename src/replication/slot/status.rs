//! The row of a slot in `pg_replication_slots`, and whether the slot can be read.

use crate::change::Lsn;
use crate::postgres::{SqlClient, SqlRow};
use crate::replication::SlotError;

/// A row of `pg_replication_slots`; a column that the server's version lacks is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStatus {
    /// The slot's name.
    pub name: String,
    /// The output plugin; `None` for a physical slot.
    pub plugin: Option<String>,
    /// The database; `None` for a physical slot.
    pub database: Option<String>,
    /// The server process that reads it.
    pub active_pid: Option<String>,
    /// Whether prepared transactions are decoded before they commit.
    pub two_phase: bool,
    /// Whether standbys keep a copy (17 and newer).
    pub failover: Option<bool>,
    /// The oldest WAL that it retains.
    pub restart_lsn: Option<Lsn>,
    /// Up to where it is confirmed.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost` (13 and newer).
    pub wal_status: Option<String>,
    /// Bytes of WAL that can be written before WAL that it needs is removed (13 and newer).
    pub safe_wal_size: Option<i64>,
    /// Why the server invalidated it (17 and newer).
    pub invalidation_reason: Option<String>,
}

impl SlotStatus {
    /// Queries a slot; `None` when there is none of that name.
    ///
    /// # Errors
    /// Those of the query.
    pub fn query(client: &mut SqlClient, slot: &str) -> Result<Option<SlotStatus>, SlotError> {
        let name = slot.replace('\'', "''");
        let rows =
            client.query(&format!("SELECT * FROM pg_catalog.pg_replication_slots WHERE slot_name = '{name}'"))?;
        Ok(rows.first().map(SlotStatus::from_row))
    }

    /// Reads a row.
    pub fn from_row(row: &SqlRow) -> SlotStatus {
        let text = |column: &str| row.get(column).map(str::to_owned);
        let lsn = |column: &str| row.get(column).and_then(|lsn| lsn.parse().ok());
        SlotStatus {
            name: text("slot_name").unwrap_or_default(),
            plugin: text("plugin"),
            database: text("database"),
            active_pid: text("active_pid"),
            two_phase: row.get("two_phase") == Some("t"),
            failover: row.get("failover").map(|value| value == "t"),
            restart_lsn: lsn("restart_lsn"),
            confirmed_flush_lsn: lsn("confirmed_flush_lsn"),
            wal_status: text("wal_status"),
            safe_wal_size: row.get("safe_wal_size").and_then(|size| size.parse().ok()),
            invalidation_reason: text("invalidation_reason"),
        }
    }

    /// Why nothing can be read from it any more.
    pub fn lost_reason(&self) -> Option<String> {
        match (&self.invalidation_reason, self.wal_status.as_deref()) {
            (Some(reason), _) => Some(format!("the server invalidated it: {reason}")),
            (None, Some("lost")) => {
                Some("the server removed WAL that it needs (wal_status = lost, see max_slot_wal_keep_size)".to_owned())
            }
            _ => None,
        }
    }

    /// Refuses a slot that cannot deliver whole transactions of `database` by test_decoding.
    ///
    /// # Errors
    /// [`SlotError::Setup`], or [`SlotError::Lost`].
    pub fn check(&self, database: &str) -> Result<(), SlotError> {
        let name = &self.name;
        let refuse = |message: String| Err(SlotError::Setup(message));
        match self.plugin.as_deref() {
            Some("test_decoding") => {}
            Some(plugin) => {
                return refuse(format!(
                    "slot {name:?} decodes with {plugin}, and test_decoding is needed: create another slot"
                ));
            }
            None => return refuse(format!("slot {name:?} is a physical slot: a logical one is needed")),
        }
        if let Some(own) = self.database.as_deref().filter(|own| *own != database) {
            return refuse(format!("slot {name:?} belongs to database {own:?}, and --postgres names {database:?}"));
        }
        if self.two_phase {
            return refuse(format!(
                "slot {name:?} decodes prepared transactions before they commit (two_phase), and a later rollback would not be seen: create a slot without two_phase"
            ));
        }
        if let Some(reason) = self.lost_reason() {
            let position = self.confirmed_flush_lsn.map_or("its start".to_owned(), |lsn| lsn.to_string());
            return Err(SlotError::Lost { slot: name.clone(), reason, position });
        }
        Ok(())
    }
}
