//! The server behind a slot: who it is, and whether it can do what is needed.

use std::time::Duration;

use super::{Branch, Identity, SlotError};
use crate::change::Lsn;
use crate::postgres::Client;

/// How long an answer may take that is asked for again and again.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whose WAL it is.
    pub identity: Identity,
    /// Its version, as in 150004.
    pub version: u32,
    /// Where its next record of WAL begins: everything that was committed before the question ends at or below it.
    pub end: Lsn,
}

impl Server {
    /// Asks a server over a replication connection, and refuses one that cannot decode.
    ///
    /// # Errors
    /// [`SlotError::Setup`] with what to change.
    pub fn ask(client: &mut Client) -> Result<Server, SlotError> {
        let system = client.query("IDENTIFY_SYSTEM")?;
        let system = system.first().ok_or_else(|| unanswered("IDENTIFY_SYSTEM"))?;
        let text = |column: &str| system.get(column).unwrap_or_default().to_owned();
        let timeline = text("timeline").parse().map_err(|_| unanswered("IDENTIFY_SYSTEM"))?;
        let identity = Identity { system: text("systemid"), timeline };
        let settings = client.query(
            "SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level, \
             current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby, \
             CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn() END AS next",
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
                "the database's encoding is {encoding}: names and values would not be what they are; only UTF8 can be captured"
            )));
        }
        if settings.get("standby") == Some("t") {
            return Err(SlotError::Standby);
        }
        // Not where it was flushed to: that may be inside of a record, and a transaction whose COMMIT lies there would be neither
        // before nor behind it.
        let end = settings.get("next").and_then(|lsn| lsn.parse().ok());
        Ok(Server {
            identity,
            version: settings.get("version").and_then(|version| version.parse().ok()).unwrap_or_default(),
            end: end.ok_or_else(|| unanswered("its end of WAL"))?,
        })
    }

    /// Where the next record of WAL of a primary begins now.
    ///
    /// # Errors
    /// What the server says.
    pub(super) fn ask_end(client: &mut Client) -> Result<Lsn, SlotError> {
        let rows = client.query("SELECT pg_catalog.pg_current_wal_insert_lsn() AS next")?;
        let end = rows.first().and_then(|row| row.get("next")).and_then(|lsn| lsn.parse().ok());
        end.ok_or_else(|| unanswered("its end of WAL"))
    }

    /// Where the server's history left each earlier timeline, over a replication connection.
    ///
    /// # Errors
    /// What the server says.
    pub fn branches(&self, client: &mut Client) -> Result<Vec<Branch>, SlotError> {
        if self.identity.timeline == 1 {
            return Ok(Vec::new());
        }
        let rows = client.query(&format!("TIMELINE_HISTORY {}", self.identity.timeline))?;
        let content = rows.first().and_then(|row| row.bytes("content")).unwrap_or_default();
        Ok(branches(&String::from_utf8_lossy(content)))
    }
}

/// Up to where the WAL of a primary is on its disk now: every transaction that was acknowledged before ends at or below it.
///
/// Not where the next record begins: at the end of a page that lies behind a header that nobody will decode.
///
/// # Errors
/// What the server says; or that it did not within some seconds.
pub fn flushed_to(client: &mut Client) -> Result<Lsn, SlotError> {
    let rows = client.query_within("SELECT pg_catalog.pg_current_wal_flush_lsn() AS flushed", PATIENCE)?;
    let flushed = rows.first().and_then(|row| row.get("flushed")).and_then(|lsn| lsn.parse().ok());
    flushed.ok_or_else(|| unanswered("its end of WAL"))
}

/// Reads a timeline history file: `timeline <tab> LSN <tab> reason` a line (PostgreSQL, `timeline.c`).
fn branches(content: &str) -> Vec<Branch> {
    let branch = |line: &str| {
        let mut fields = line.split_whitespace();
        Some(Branch { timeline: fields.next()?.parse().ok()?, at: fields.next()?.parse().ok()? })
    };
    content.lines().filter_map(branch).collect()
}

fn unanswered(what: &str) -> SlotError {
    SlotError::Protocol(format!("no answer to {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_file_names_its_branches() {
        let found = branches("1\t0/3000000\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026\n");
        let branch = |timeline, at: &str| Branch { timeline, at: at.parse().expect("an LSN") };
        assert_eq!(found, [branch(1, "0/3000000"), branch(2, "1/A0")]);
    }
}
