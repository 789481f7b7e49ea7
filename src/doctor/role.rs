//! The role: whether the server lets it connect for replication and read a slot. And the plugin, which only a role that may
//! create a slot can try.

use std::process;
use std::time::Duration;

use super::Finding;
use crate::postgres::{ConnectSettings, PostgresError, ReplicationClient, SqlClient};

const SUBJECT: &str = "role";
/// How long trying the plugin may wait for open transactions, in milliseconds.
const TRY_TIMEOUT_MS: u64 = 5_000;

/// Tries a connection for replication; when that fails, finds out whether the role is the reason.
pub(super) fn check(client: &mut SqlClient, settings: &ConnectSettings) -> Finding {
    let user = settings.user();
    // The server's answer decides, not the attribute: managed services accept roles without it.
    let Err(error) = ReplicationClient::connect(settings, &[]) else {
        return Finding::ok(SUBJECT, "replication", format!("{user:?} may connect for replication"));
    };
    let rows = client.query(
        "SELECT rolreplication OR rolsuper AS may_replicate FROM pg_catalog.pg_roles WHERE rolname = current_user",
    );
    let may = rows.is_ok_and(|rows| rows.first().and_then(|row| row.get("may_replicate")) == Some("t"));
    if may {
        return Finding::problem(
            SUBJECT,
            "replication",
            format!("{user:?} could not connect for replication: {error}"),
        )
        .fix("add a line for it to pg_hba.conf; then SELECT pg_reload_conf();");
    }
    let quoted = user.replace('"', "\"\"");
    Finding::problem(SUBJECT, "replication", format!("{user:?} may not create or read a slot: {error}"))
        .fix(format!("ALTER ROLE \"{quoted}\" REPLICATION;  -- on Amazon RDS: GRANT rds_replication TO \"{quoted}\";"))
}

/// Tries test_decoding with a slot that lives as long as the connection; the role must be allowed to create one.
pub(super) fn try_plugin(settings: &ConnectSettings) -> Finding {
    // A session of its own: the slot and the timeout end with it.
    let timeout = TRY_TIMEOUT_MS.to_string();
    let mut client = match SqlClient::connect(settings, &[("statement_timeout", &timeout)]) {
        Ok(client) => client,
        Err(error) => return Finding::problem("server", "test_decoding", error.to_string()),
    };
    let name = format!("walbook_doctor_{}", process::id());
    let sql =
        format!("SELECT pg_catalog.pg_create_logical_replication_slot('{name}', 'test_decoding', temporary => true)");
    judge_plugin(client.query_within(&sql, Duration::from_millis(2 * TRY_TIMEOUT_MS)).map(|_| ()))
}

fn judge_plugin(tried: Result<(), PostgresError>) -> Finding {
    let Err(error) = tried else { return Finding::ok("server", "test_decoding", "it is installed") };
    match error.code() {
        // query_canceled: the plugin was loaded, and its slot waits for transactions that are open now.
        Some("57014") => Finding::warning(
            "server",
            "test_decoding",
            "it is installed, but creating a slot waits for an open transaction: \
             look for the oldest xact_start in pg_stat_activity",
        )
        .fix("SELECT pid, xact_start, query FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start;"),
        // undefined_file
        Some("58P01") => Finding::problem("server", "test_decoding", format!("it is not installed: {error}"))
            .fix("install PostgreSQL's contrib package on the server, as in: apt-get install postgresql-contrib"),
        _ => Finding::problem("server", "test_decoding", format!("it could not be tried: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    #[test]
    fn a_plugin_that_loads_is_installed_even_if_its_slot_must_wait() {
        let refused = |code: &str| PostgresError::Server {
            code: code.to_owned(),
            message: "could not access file \"test_decoding\"".to_owned(),
            detail: String::new(),
            hint: String::new(),
            ends_session: false,
        };
        assert_eq!(judge_plugin(Ok(())).state, Severity::Ok);
        assert_eq!(judge_plugin(Err(refused("57014"))).state, Severity::Warning);
        assert!(judge_plugin(Err(refused("58P01"))).seen.contains("not installed"));
        assert_eq!(judge_plugin(Err(refused("42501"))).state, Severity::Problem);
    }
}
