//! The connection keys of libpq, their variables, and which of them walbook supports (PostgreSQL, libpq-connect).

/// How far walbook supports a key.
enum Support {
    /// As libpq does.
    Full,
    /// Only these values, which match what walbook does anyway.
    Only(&'static [&'static str]),
    /// Not at all.
    No,
}

use Support::{Full, No, Only};

/// Key, its variable (empty: none), and how far it is supported.
const KEYS: [(&str, &str, Support); 54] = [
    ("host", "PGHOST", Full),
    ("hostaddr", "PGHOSTADDR", Full),
    ("port", "PGPORT", Full),
    ("dbname", "PGDATABASE", Full),
    ("user", "PGUSER", Full),
    ("password", "PGPASSWORD", Full),
    ("passfile", "PGPASSFILE", Full),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Full),
    ("options", "PGOPTIONS", Full),
    ("application_name", "PGAPPNAME", Full),
    ("fallback_application_name", "", Full),
    ("channel_binding", "PGCHANNELBINDING", Full),
    ("sslmode", "PGSSLMODE", Full),
    ("sslrootcert", "PGSSLROOTCERT", Full),
    ("sslcert", "PGSSLCERT", Full),
    ("sslkey", "PGSSLKEY", Full),
    ("sslsni", "PGSSLSNI", Full),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Full),
    ("client_encoding", "PGCLIENTENCODING", Only(&["auto", "UTF8", "utf8", "UTF-8", "utf-8"])),
    ("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
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
    KEYS.iter().find(|(name, ..)| *name == key).map(|(_, variable, _)| *variable).filter(|name| !name.is_empty())
}

/// Refuses a key that does not exist, and one whose value asks for something unsupported. `place` says where the key is.
///
/// The error never holds `value`, and `key` only where it is almost a known one: it may be the rest of a password.
pub(super) fn check(key: &str, value: &str, place: &str) -> Result<(), String> {
    match KEYS.iter().find(|(name, ..)| *name == key) {
        None => Err(match known_key_near(key) {
            Some(known) => format!("there is no connection key {key:?}; a similar one is {known:?}"),
            None => format!("there is no connection key like that of {place}"),
        }),
        Some((.., support)) => support.check(key, value),
    }
}

/// The known key that differs from `key` in at most one of four letters.
fn known_key_near(key: &str) -> Option<&'static str> {
    let distance = |name: &str| strsim::damerau_levenshtein(name, key);
    let (name, ..) = KEYS.iter().min_by_key(|(name, ..)| distance(name))?;
    (distance(name) * 4 <= name.len()).then_some(*name)
}

/// Refuses variables that ask for something unsupported.
pub(super) fn check_variables(environment: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    for (_, variable, support) in KEYS.iter().filter(|(_, variable, _)| !variable.is_empty()) {
        if let Some(value) = environment(variable) {
            support.check(variable, &value)?;
        }
    }
    Ok(())
}

impl Support {
    fn check(&self, key: &str, value: &str) -> Result<(), String> {
        match self {
            _ if value.is_empty() => Ok(()),
            Full => Ok(()),
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
    fn an_unknown_or_unsupported_key_is_refused() {
        let check = |key: &str, value: &str| super::check(key, value, "word 2");
        assert!(check("host", "h").is_ok() && check("gssencmode", "prefer").is_ok() && check("service", "").is_ok());
        assert!(check("channel_binding", "require").is_ok());
        let typo = check("hots", "h").expect_err("a typo");
        assert_eq!(typo, "there is no connection key \"hots\"; a similar one is \"host\"");
        let unknown = check("topsecret", "h").expect_err("it may be the rest of a password");
        assert_eq!(unknown, "there is no connection key like that of word 2");
        assert!(check("gssencmode", "require").expect_err("it is unsupported").contains("supports only"));
        assert!(check("sslcrl", "file").expect_err("it is unsupported").contains("not supported"));
        let environment = |name: &str| (name == "PGREQUIREAUTH").then(|| "scram-sha-256".to_owned());
        assert!(check_variables(&environment).expect_err("it is unsupported").contains("PGREQUIREAUTH"));
    }
}
