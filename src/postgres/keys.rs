//! The keys that libpq knows, their variables, and which of them walbook heeds (PostgreSQL, libpq-connect).

/// What walbook makes of a key.
enum Heed {
    /// It does what libpq does.
    Yes,
    /// Only these values, which ask for nothing that walbook does not do.
    Only(&'static [&'static str]),
    /// What it asks for is not there.
    No,
}

use Heed::{No, Only, Yes};

/// Key, its variable (empty: none), and what is made of it.
const KEYS: [(&str, &str, Heed); 54] = [
    ("host", "PGHOST", Yes),
    ("hostaddr", "PGHOSTADDR", Yes),
    ("port", "PGPORT", Yes),
    ("dbname", "PGDATABASE", Yes),
    ("user", "PGUSER", Yes),
    ("password", "PGPASSWORD", Yes),
    ("passfile", "PGPASSFILE", Yes),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Yes),
    ("options", "PGOPTIONS", Yes),
    ("application_name", "PGAPPNAME", Yes),
    ("fallback_application_name", "", Yes),
    ("sslmode", "PGSSLMODE", Yes),
    ("sslrootcert", "PGSSLROOTCERT", Yes),
    ("sslcert", "PGSSLCERT", Yes),
    ("sslkey", "PGSSLKEY", Yes),
    ("sslsni", "PGSSLSNI", Yes),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Yes),
    // Asked for what is so anyway.
    ("client_encoding", "PGCLIENTENCODING", Only(&["auto", "UTF8", "utf8", "UTF-8", "utf-8"])),
    ("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
    ("channel_binding", "PGCHANNELBINDING", Only(&["disable", "prefer"])),
    ("sslcompression", "PGSSLCOMPRESSION", Only(&["0"])),
    ("sslnegotiation", "PGSSLNEGOTIATION", Only(&["postgres"])),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Only(&["TLSv1.3"])),
    ("sslcertmode", "PGSSLCERTMODE", Only(&["allow"])),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Only(&["disable"])),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Only(&["3.0"])),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Only(&["3.0", "3.2", "latest"])),
    ("requirepeer", "PGREQUIREPEER", No),
    ("require_auth", "PGREQUIREAUTH", No),
    ("service", "PGSERVICE", No),
    ("servicefile", "", No),
    ("sslpassword", "", No),
    ("sslcrl", "PGSSLCRL", No),
    ("sslcrldir", "PGSSLCRLDIR", No),
    ("sslkeylogfile", "", No),
    ("krbsrvname", "PGKRBSRVNAME", No),
    ("gsslib", "PGGSSLIB", No),
    ("gssdelegation", "PGGSSDELEGATION", Only(&["0"])),
    ("replication", "", No),
    ("keepalives", "", No),
    ("keepalives_idle", "", No),
    ("keepalives_interval", "", No),
    ("keepalives_count", "", No),
    ("tcp_user_timeout", "", No),
    ("scram_client_key", "", No),
    ("scram_server_key", "", No),
    ("oauth_issuer", "", No),
    ("oauth_client_id", "", No),
    ("oauth_client_secret", "", No),
    ("oauth_scope", "", No),
    ("authtype", "", No),
    ("tty", "", No),
    ("requiressl", "PGREQUIRESSL", No),
];

/// The variable of a key.
pub(super) fn variable(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|known| known.0 == key).map(|known| known.1).filter(|variable| !variable.is_empty())
}

/// Refuses a key that does not exist, and one that asks for what is not there. `value` is never told.
pub(super) fn check(key: &str, value: &str) -> Result<(), String> {
    match KEYS.iter().find(|known| known.0 == key) {
        None => Err(format!("there is no connection key {key:?}")),
        Some((.., heed)) => heed.check(key, value),
    }
}

/// Refuses what variables ask for and is not there.
pub(super) fn check_variables(look: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    for (_, variable, heed) in KEYS.iter().filter(|known| !known.1.is_empty()) {
        if let Some(value) = look(variable) {
            heed.check(variable, &value)?;
        }
    }
    Ok(())
}

impl Heed {
    fn check(&self, key: &str, value: &str) -> Result<(), String> {
        match self {
            _ if value.is_empty() => Ok(()),
            Yes => Ok(()),
            Only(values) if values.contains(&value) => Ok(()),
            Only(values) => Err(format!("of {key} walbook supports only {}; leave it out", values.join(", "))),
            No => Err(format!("libpq's {key} is not supported by walbook; leave it out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_refused() {
        assert!(check("host", "h").is_ok() && check("gssencmode", "prefer").is_ok() && check("service", "").is_ok());
        assert!(check("hots", "h").expect_err("a typo").contains("no connection key"));
        assert!(check("channel_binding", "require").expect_err("it is not done").contains("supports only"));
        assert!(check("sslcrl", "file").expect_err("it is not done").contains("not supported"));
        let look = |name: &str| (name == "PGREQUIREAUTH").then(|| "scram-sha-256".to_owned());
        assert!(check_variables(&look).expect_err("it is not done").contains("PGREQUIREAUTH"));
    }
}
