//! A slot with its lag, the WAL that it retains, and the cost of decoding it.

use std::time::Duration;

use crate::change::Lsn;
use crate::postgres::{SqlClient, SqlRow};
use crate::replication::{SlotError, SlotStatus};

/// A slot, and what the server measures about it.
#[derive(Clone, Debug)]
pub struct SlotSurvey {
    /// Its row.
    pub status: SlotStatus,
    /// The server's end of WAL; on a standby the end of the replayed WAL.
    pub current_lsn: Lsn,
    /// The server's version, as in 150004.
    pub version: u32,
    /// Its lag in time, as far as it is known.
    pub lag_time: Option<LagTime>,
    /// The time since its reader sent a status.
    pub silence: Option<Duration>,
    /// Transactions that decoding wrote to disk.
    pub spilled: Option<DecodingSpill>,
}

/// The lag of a slot in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagTime {
    /// From writing WAL to its confirmation, as last measured by the server.
    Measured(Duration),
    /// The time since it was last read (17 and newer).
    Unread(Duration),
}

/// Transactions that decoding wrote to disk because `logical_decoding_work_mem` was too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodingSpill {
    /// Transactions.
    pub transactions: i64,
    /// Bytes.
    pub bytes: i64,
}

impl SlotSurvey {
    /// Queries all slots, or one; an empty list when there is none of that name.
    ///
    /// # Errors
    /// Those of the query.
    pub fn query(client: &mut SqlClient, slot: Option<&str>) -> Result<Vec<SlotSurvey>, SlotError> {
        let filter = slot.map(|slot| format!("WHERE s.slot_name = '{}'", slot.replace('\'', "''")));
        // Through JSON, a column that an older server lacks is null.
        let sql = format!(
            "SELECT s.*, pg_catalog.current_setting('server_version_num') AS server_version, \
             CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                  ELSE pg_catalog.pg_current_wal_lsn() END AS current_lsn, \
             extract(epoch FROM r.flush_lag) AS lag_seconds, \
             extract(epoch FROM clock_timestamp() - r.reply_time) AS silent_seconds, \
             extract(epoch FROM clock_timestamp() - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz) AS unread_seconds, \
             d.spill_txns, d.spill_bytes \
             FROM pg_catalog.pg_replication_slots s \
             LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid \
             LEFT JOIN pg_catalog.pg_stat_replication_slots d ON d.slot_name = s.slot_name \
             {} ORDER BY s.slot_name",
            filter.unwrap_or_default()
        );
        client.query(&sql)?.iter().map(SlotSurvey::from_row).collect()
    }

    fn from_row(row: &SqlRow) -> Result<SlotSurvey, SlotError> {
        let seconds = |column: &str| {
            let seconds = row.get(column)?.parse::<f64>().ok()?;
            Duration::try_from_secs_f64(seconds.max(0.0)).ok()
        };
        let number = |column: &str| row.get(column).and_then(|number| number.parse::<i64>().ok());
        let current_lsn = row.get("current_lsn").and_then(|lsn| lsn.parse().ok());
        let mut survey = SlotSurvey {
            status: SlotStatus::from_row(row),
            current_lsn: current_lsn.ok_or_else(|| SlotError::Protocol("no answer to its end of WAL".to_owned()))?,
            version: row.get("server_version").and_then(|version| version.parse().ok()).unwrap_or_default(),
            lag_time: None,
            silence: seconds("silent_seconds"),
            spilled: number("spill_txns")
                .zip(number("spill_bytes"))
                .map(|(transactions, bytes)| DecodingSpill { transactions, bytes }),
        };
        survey.lag_time = match (survey.lag_bytes(), seconds("lag_seconds"), seconds("unread_seconds")) {
            (Some(0), _, _) => Some(LagTime::Measured(Duration::ZERO)),
            (_, Some(measured), _) => Some(LagTime::Measured(measured)),
            (_, None, Some(unread)) => Some(LagTime::Unread(unread)),
            (_, None, None) => None,
        };
        Ok(survey)
    }

    /// Bytes of WAL that are written but not confirmed.
    pub fn lag_bytes(&self) -> Option<i64> {
        self.status.confirmed_flush_lsn.map(|confirmed| self.bytes_since(confirmed))
    }

    /// Bytes of WAL that the server retains for the slot.
    pub fn retained_bytes(&self) -> Option<i64> {
        self.status.restart_lsn.map(|restart| self.bytes_since(restart))
    }

    fn bytes_since(&self, lsn: Lsn) -> i64 {
        (self.current_lsn.as_i64() - lsn.as_i64()).max(0)
    }
}
