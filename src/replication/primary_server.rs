//! The server of a slot: its identity, and whether it can decode changes.

use std::time::Duration;

use super::{Identity, SlotError, TimelineBranch};
use crate::change::Lsn;
use crate::postgres::{ReplicationClient, SqlClient};

/// How long an answer to a query that is repeated may take.
const REPEATED_QUERY_TIMEOUT: Duration = Duration::from_secs(3);

/// A primary that can decode changes.
#[derive(Clone, Debug)]
pub struct PrimaryServer {
    /// The identity of its WAL.
    pub identity: Identity,
    /// Its version, as in 150004.
    pub version: u32,
    /// Where its next WAL record begins: everything committed before the query ends at or below it.
    pub end: Lsn,
}

impl PrimaryServer {
    /// Queries a server on two connections to it, and refuses one that cannot decode.
    ///
    /// # Errors
    /// [`SlotError::Setup`] with what to change.
    pub fn query(replication: &mut ReplicationClient, sql: &mut SqlClient) -> Result<PrimaryServer, SlotError> {
        let (system, timeline) = replication.identify_system()?;
        let identity = Identity { system, timeline };
        let settings = sql.query(
            "SELECT pg_catalog.current_setting('server_version_num') AS version, \
             pg_catalog.current_setting('wal_level') AS wal_level, \
             pg_catalog.current_setting('server_encoding') AS encoding, pg_catalog.pg_is_in_recovery() AS standby, \
             CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.pg_current_wal_insert_lsn() END AS next",
        )?;
        let settings = settings.first().ok_or_else(|| unanswered("its settings"))?;
        let wal_level = settings.get("wal_level").unwrap_or_default();
        if wal_level != "logical" {
            return Err(SlotError::Setup(format!(
                "the server has wal_level = {wal_level}, and decoding needs logical: ALTER SYSTEM SET wal_level = logical, then restart it"
            )));
        }
        let encoding = settings.get("encoding").unwrap_or_default();
        if encoding != "UTF8" {
            return Err(SlotError::Setup(format!(
                "the database's encoding is {encoding}: names and values would be garbled; only UTF8 can be captured"
            )));
        }
        if settings.get("standby") == Some("t") {
            return Err(SlotError::Standby);
        }
        // Not the flushed end: that may lie inside a COMMIT record, whose transaction would be neither before nor after it.
        let end = settings.get("next").and_then(|lsn| lsn.parse().ok());
        Ok(PrimaryServer {
            identity,
            version: settings.get("version").and_then(|version| version.parse().ok()).unwrap_or_default(),
            end: end.ok_or_else(|| unanswered("its end of WAL"))?,
        })
    }

    /// Where the next WAL record of a primary begins now.
    ///
    /// # Errors
    /// Those of the query.
    pub(super) fn query_end(client: &mut SqlClient) -> Result<Lsn, SlotError> {
        let rows = client.query("SELECT pg_catalog.pg_current_wal_insert_lsn() AS next")?;
        let end = rows.first().and_then(|row| row.get("next")).and_then(|lsn| lsn.parse().ok());
        end.ok_or_else(|| unanswered("its end of WAL"))
    }

    /// Where the server's history left each earlier timeline.
    ///
    /// # Errors
    /// Those of the command.
    pub fn branches(&self, client: &mut ReplicationClient) -> Result<Vec<TimelineBranch>, SlotError> {
        if self.identity.timeline == 1 {
            return Ok(Vec::new());
        }
        let content = client.timeline_history(self.identity.timeline)?;
        Ok(branches(&String::from_utf8_lossy(&content)))
    }
}

/// Up to where a primary has flushed its WAL: every transaction acknowledged before ends at or below it.
///
/// Not where the next record begins: at the end of a page that lies after a page header, which is never decoded.
///
/// # Errors
/// Those of the query, and no answer within some seconds.
pub fn flushed_to(client: &mut SqlClient) -> Result<Lsn, SlotError> {
    let rows =
        client.query_within("SELECT pg_catalog.pg_current_wal_flush_lsn() AS flushed", REPEATED_QUERY_TIMEOUT)?;
    let flushed = rows.first().and_then(|row| row.get("flushed")).and_then(|lsn| lsn.parse().ok());
    flushed.ok_or_else(|| unanswered("its end of WAL"))
}

/// Reads a timeline history file: `timeline <tab> LSN <tab> reason` a line (PostgreSQL, `timeline.c`).
fn branches(content: &str) -> Vec<TimelineBranch> {
    let branch = |line: &str| {
        let mut fields = line.split_whitespace();
        Some(TimelineBranch { timeline: fields.next()?.parse().ok()?, at: fields.next()?.parse().ok()? })
    };
    content.lines().filter_map(branch).collect()
}

fn unanswered(question: &str) -> SlotError {
    SlotError::Protocol(format!("no answer to {question}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_file_names_its_branches() {
        let found = branches("1\t0/3000000\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026\n");
        let branch = |timeline, at: &str| TimelineBranch { timeline, at: at.parse().expect("an LSN") };
        assert_eq!(found, [branch(1, "0/3000000"), branch(2, "1/A0")]);
    }
}
