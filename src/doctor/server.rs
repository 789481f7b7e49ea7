//! The PostgreSQL server: whether it can decode, and how its settings affect slots.

use bytesize::ByteSize;

use super::Finding;
use crate::postgres::{PostgresError, SqlClient};

const SUBJECT: &str = "server";
/// The versions that walbook is tested with.
const TESTED: std::ops::RangeInclusive<u32> = 14..=18;
/// One busy hour can reach a limit below this.
const LITTLE_WAL: i64 = 1 << 30;
/// A reader replies every few seconds.
const SHORT_TIMEOUT: i64 = 5_000;

/// The server's version, settings and limits.
#[derive(Clone, Debug)]
pub(super) struct ServerFacts {
    pub(super) version: u32,
    pub(super) is_standby: bool,
    wal_level: String,
    encoding: String,
    max_slots: i64,
    slots: i64,
    max_senders: i64,
    senders: i64,
    /// Bytes; −1 for no limit.
    max_slot_wal_keep_size: i64,
    /// Milliseconds.
    wal_sender_timeout: i64,
    /// Seconds (18 and newer).
    idle_timeout: i64,
}

impl ServerFacts {
    /// Queries the server.
    pub(super) fn query(client: &mut SqlClient) -> Result<ServerFacts, PostgresError> {
        // pg_settings has sizes in the unit of the setting; current_setting() converts them for people.
        let rows = client.query(
            "SELECT current_setting('server_version_num') AS version, pg_is_in_recovery() AS standby, \
             current_setting('wal_level') AS wal_level, current_setting('server_encoding') AS encoding, \
             current_setting('max_replication_slots') AS max_slots, \
             (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots, \
             current_setting('max_wal_senders') AS max_senders, \
             (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders, \
             (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size') AS keep_megabytes, \
             (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout') AS sender_timeout, \
             (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'idle_replication_slot_timeout') AS idle_timeout",
        )?;
        let row = rows.first();
        let text = |column: &str| row.and_then(|row| row.get(column)).unwrap_or_default().to_owned();
        let number = |column: &str| text(column).parse::<i64>().unwrap_or_default();
        let keep = number("keep_megabytes");
        Ok(ServerFacts {
            version: text("version").parse().unwrap_or_default(),
            is_standby: text("standby") == "t",
            wal_level: text("wal_level"),
            encoding: text("encoding"),
            max_slots: number("max_slots"),
            slots: number("slots"),
            max_senders: number("max_senders"),
            senders: number("senders"),
            max_slot_wal_keep_size: if keep < 0 { keep } else { keep << 20 },
            wal_sender_timeout: number("sender_timeout"),
            idle_timeout: number("idle_timeout"),
        })
    }

    /// Whether the server can decode at all.
    pub(super) fn can_decode(&self) -> bool {
        self.wal_level == "logical" && !self.is_standby
    }

    /// Whether a slot could be created.
    pub(super) fn has_a_free_slot(&self) -> bool {
        self.slots < self.max_slots
    }

    /// The findings that follow; `has_slot`: the slot exists already, `is_read`: it is being read.
    pub(super) fn judge(&self, has_slot: bool, is_read: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let major = self.version / 10_000;
        findings.push(match TESTED.contains(&major) {
            true => Finding::ok(SUBJECT, "version", format!("PostgreSQL {major}")),
            false => {
                Finding::warning(SUBJECT, "version", format!("PostgreSQL {major}; walbook is tested with 14 to 18"))
            }
        });
        findings.push(match self.wal_level.as_str() {
            "logical" => Finding::ok(SUBJECT, "wal_level", "logical"),
            level => Finding::problem(SUBJECT, "wal_level", format!("{level}: changes cannot be decoded from the log"))
                .fix("ALTER SYSTEM SET wal_level = logical;  -- then restart PostgreSQL; a managed service has a setting of its own"),
        });
        if self.is_standby {
            let seen = "this is a standby, and capture and run read slots of a primary only: connect to the primary";
            findings.push(
                Finding::problem(SUBJECT, "standby", seen)
                    .fix("name all hosts, and add target_session_attrs=primary to --postgres"),
            );
        }
        findings.push(match self.encoding.as_str() {
            "UTF8" => Finding::ok(SUBJECT, "encoding", "UTF8"),
            other => Finding::problem(
                SUBJECT,
                "encoding",
                format!("the database's encoding is {other}: names and values would be wrong; capture refuses it"),
            )
            .fix("CREATE DATABASE new_name ENCODING 'UTF8' TEMPLATE template0;  -- then dump and restore into it"),
        });
        let raise = |name: &str, by: i64| format!("ALTER SYSTEM SET {name} = {by};  -- then restart PostgreSQL");
        let slots = format!("{} of {} are in use", self.slots, self.max_slots);
        findings.push(match self.has_a_free_slot() || has_slot {
            true => Finding::ok(SUBJECT, "max_replication_slots", slots),
            false => Finding::problem(SUBJECT, "max_replication_slots", format!("{slots}: a slot cannot be created"))
                .fix(raise("max_replication_slots", self.max_slots + 4)),
        });
        let senders = format!("{} of {} are in use", self.senders, self.max_senders);
        findings.push(match self.senders < self.max_senders || is_read {
            true => Finding::ok(SUBJECT, "max_wal_senders", senders),
            false => Finding::problem(SUBJECT, "max_wal_senders", format!("{senders}: a slot cannot be read"))
                .fix(raise("max_wal_senders", self.max_senders + 4)),
        });
        let limit = ByteSize::b(self.max_slot_wal_keep_size.max(0).unsigned_abs());
        let reload =
            "ALTER SYSTEM SET max_slot_wal_keep_size = '100GB'; SELECT pg_reload_conf();  -- what the disk can spare";
        findings.push(match self.max_slot_wal_keep_size {
            ..0 => Finding::warning(
                SUBJECT,
                "max_slot_wal_keep_size",
                "no limit: a slot without a reader retains WAL until the disk is full",
            )
            .fix(reload),
            0..LITTLE_WAL => Finding::warning(
                SUBJECT,
                "max_slot_wal_keep_size",
                format!("{limit}: a slot that falls this far behind is lost"),
            )
            .fix(reload),
            _ => Finding::ok(SUBJECT, "max_slot_wal_keep_size", format!("{limit}: beyond it a slot is lost")),
        });
        if (1..SHORT_TIMEOUT).contains(&self.wal_sender_timeout) {
            let seen = format!("{} ms: a reader that is busy for this long is disconnected", self.wal_sender_timeout);
            findings.push(
                Finding::warning(SUBJECT, "wal_sender_timeout", seen)
                    .fix("ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();"),
            );
        }
        if self.idle_timeout > 0 {
            let seen = format!("a slot without a reader for {} s is lost", self.idle_timeout);
            findings.push(
                Finding::warning(SUBJECT, "idle_replication_slot_timeout", seen)
                    .fix("ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();"),
            );
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    fn judge(change: impl FnOnce(&mut ServerFacts)) -> Vec<(Severity, String)> {
        let mut facts = ServerFacts {
            version: 170_002,
            is_standby: false,
            wal_level: "logical".to_owned(),
            encoding: "UTF8".to_owned(),
            max_slots: 10,
            slots: 3,
            max_senders: 10,
            senders: 1,
            max_slot_wal_keep_size: 100 << 30,
            wal_sender_timeout: 60_000,
            idle_timeout: 0,
        };
        change(&mut facts);
        let findings = facts.judge(false, false);
        findings.into_iter().filter(|finding| finding.state > Severity::Ok).map(|f| (f.state, f.check)).collect()
    }

    #[test]
    fn each_harmful_setting_is_found() {
        let one = |level, check: &str| vec![(level, check.to_owned())];
        assert_eq!(judge(|_| ()), vec![]);
        assert_eq!(judge(|f| f.wal_level = "replica".to_owned()), one(Severity::Problem, "wal_level"));
        assert_eq!(judge(|f| f.encoding = "SQL_ASCII".to_owned()), one(Severity::Problem, "encoding"));
        assert_eq!(judge(|f| f.slots = 10), one(Severity::Problem, "max_replication_slots"));
        assert_eq!(judge(|f| f.senders = 10), one(Severity::Problem, "max_wal_senders"));
        assert_eq!(judge(|f| f.max_slot_wal_keep_size = -1), one(Severity::Warning, "max_slot_wal_keep_size"));
        assert_eq!(judge(|f| f.max_slot_wal_keep_size = 1 << 20), one(Severity::Warning, "max_slot_wal_keep_size"));
        assert_eq!(judge(|f| f.wal_sender_timeout = 1000), one(Severity::Warning, "wal_sender_timeout"));
        assert_eq!(judge(|f| f.idle_timeout = 60), one(Severity::Warning, "idle_replication_slot_timeout"));
        assert_eq!(judge(|f| f.version = 120_000), one(Severity::Warning, "version"));
        assert_eq!(judge(|f| f.is_standby = true), one(Severity::Problem, "standby"));
    }
}
