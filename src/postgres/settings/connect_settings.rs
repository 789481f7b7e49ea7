//! The settings of a connection: from the connection text, then the variables, then libpq's defaults.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conninfo::{Pair, pairs};
use super::host::Host;
use super::{keys, passfile};
use crate::postgres::tls::tls_settings::{ChannelBindingMode, RootCertificates, SslMode, TlsSettings};
use crate::postgres::{PostgresError, ReplicationClient};

/// The default of `connect_timeout`; libpq's is as long as the kernel tries.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The meaning of `connect_timeout=0`, which is "no limit" in libpq.
const LONGEST_CONNECT_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// Which of several servers is acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum TargetSession {
    Any,
    /// One that accepts writes.
    ReadWrite,
    /// One that is not a standby.
    Primary,
}

/// The settings of a connection. The password is never printed.
#[derive(Clone)]
pub struct ConnectSettings {
    hosts: Vec<Host>,
    user: String,
    password: Option<String>,
    passfile: Option<PathBuf>,
    database: String,
    tls: TlsSettings,
    options: Option<String>,
    application_name: String,
    connect_timeout: Duration,
    target_session: TargetSession,
}

/// A password and its source.
pub(in crate::postgres) struct Password {
    pub(in crate::postgres) text: String,
    pub(in crate::postgres) source: String,
}

impl fmt::Debug for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        write!(f, "{} as {}, database {}", hosts.join(","), self.user, self.database)
    }
}

impl ConnectSettings {
    /// Reads `postgresql://user@host:port/database?key=value` or `key=value …`; keys that it leaves out come from the
    /// environment's `PG…` variables and the files in the user's home, as for `psql`.
    ///
    /// # Errors
    /// [`PostgresError::Settings`]; it never holds the password.
    pub fn parse(text: &str) -> Result<ConnectSettings, PostgresError> {
        ConnectSettings::read(text, &|name| env::var(name).ok())
    }

    /// [`ConnectSettings::parse`] with another environment.
    fn read(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<ConnectSettings, PostgresError> {
        let wrong = |message: String| PostgresError::Settings(format!("--postgres: {message}"));
        let pairs = pairs(text).map_err(wrong)?;
        keys::check_variables(environment).map_err(wrong)?;
        SettingsReader { pairs, environment }.settings().map_err(wrong)
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The role that logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The same settings for only the server that `client` is connected to, by its address: a name may have several, and
    /// another one of them next time.
    #[must_use]
    pub fn at(&self, client: &ReplicationClient) -> ConnectSettings {
        ConnectSettings { hosts: vec![client.host().clone()], ..self.clone() }
    }

    /// The hosts, in the order in which they are tried; never empty.
    pub(in crate::postgres) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The password for this host: from the text, PGPASSWORD, or the password file.
    pub(in crate::postgres) fn password(&self, host: &Host) -> Option<Password> {
        if let Some(text) = &self.password {
            return Some(Password { text: text.clone(), source: "--postgres or PGPASSWORD".to_owned() });
        }
        let path = self.passfile.as_deref()?;
        let names = host.names();
        let query =
            passfile::PasswordQuery { hosts: &names, port: host.port, database: &self.database, user: &self.user };
        Some(Password { text: passfile::look_up(path, &query)?, source: path.display().to_string() })
    }

    pub(in crate::postgres) fn tls(&self) -> &TlsSettings {
        &self.tls
    }

    pub(in crate::postgres) fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    pub(in crate::postgres) fn application_name(&self) -> &str {
        &self.application_name
    }

    pub(in crate::postgres) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(in crate::postgres) fn target_session(&self) -> TargetSession {
        self.target_session
    }
}

/// The connection text over the environment.
struct SettingsReader<'a> {
    pairs: Vec<Pair>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl SettingsReader<'_> {
    /// The value of a key: the last one in the text, else its variable's. An empty value counts as none.
    fn value(&self, key: &str) -> Option<String> {
        let written = self.pairs.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let value = written.or_else(|| keys::variable(key).and_then(|variable| (self.environment)(variable)));
        value.filter(|value| !value.is_empty())
    }

    /// A file in the user's home.
    fn in_home(&self, name: &str) -> Option<PathBuf> {
        (self.environment)("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(name))
    }

    fn settings(&self) -> Result<ConnectSettings, String> {
        let list = |key| self.value(key).unwrap_or_default();
        let user = self.value("user").or_else(|| (self.environment)("USER")).or_else(|| (self.environment)("LOGNAME"));
        let user =
            user.ok_or("no user is named: write one into the URL, as in postgresql://user@host, or set PGUSER")?;
        let connect_timeout = match self.value("connect_timeout").map(|text| text.trim().parse::<i64>()) {
            None => CONNECT_TIMEOUT,
            // As in libpq: one second is too short for the lookup, the connection and the login.
            Some(Ok(seconds)) if seconds > 0 => Duration::from_secs(seconds.max(2).unsigned_abs()),
            Some(Ok(_)) => LONGEST_CONNECT_TIMEOUT,
            Some(Err(_)) => return Err("connect_timeout is not a number of seconds".to_owned()),
        };
        let target_session = match self.value("target_session_attrs").as_deref() {
            None | Some("any") => TargetSession::Any,
            Some("read-write") => TargetSession::ReadWrite,
            Some("primary") => TargetSession::Primary,
            Some(other) => {
                return Err(format!("target_session_attrs={other}: walbook supports any, read-write and primary"));
            }
        };
        let name = self.value("application_name").or_else(|| self.value("fallback_application_name"));
        Ok(ConnectSettings {
            hosts: Host::list(&list("host"), &list("hostaddr"), &list("port"))?,
            password: self.value("password"),
            passfile: self.value("passfile").map(PathBuf::from).or_else(|| self.in_home(".pgpass")),
            database: self.value("dbname").unwrap_or_else(|| user.clone()),
            user,
            tls: self.tls()?,
            options: self.value("options"),
            application_name: name.unwrap_or_else(|| "walbook".to_owned()),
            connect_timeout: connect_timeout.min(LONGEST_CONNECT_TIMEOUT),
            target_session,
        })
    }

    fn tls(&self) -> Result<TlsSettings, String> {
        let roots = match self.value("sslrootcert").as_deref() {
            Some("system") => RootCertificates::System,
            Some(file) => RootCertificates::File(PathBuf::from(file)),
            None => self.in_home(".postgresql/root.crt").map_or(RootCertificates::None, RootCertificates::File),
        };
        let mode = match (self.value("sslmode").as_deref(), &roots) {
            (None, RootCertificates::System) => SslMode::VerifyFull,
            (None, _) => SslMode::Prefer,
            (Some(text), _) => SslMode::parse(text)?,
        };
        if matches!(roots, RootCertificates::System) && mode != SslMode::VerifyFull {
            return Err("sslrootcert=system needs sslmode=verify-full: anyone can obtain a certificate from those \
                        authorities"
                .to_owned());
        }
        let sni = match self.value("sslsni").as_deref() {
            None | Some("1") => true,
            Some("0") => false,
            Some(_) => return Err("sslsni is 0 or 1".to_owned()),
        };
        let channel_binding = match self.value("channel_binding").as_deref() {
            None | Some("prefer") => ChannelBindingMode::Prefer,
            Some("disable") => ChannelBindingMode::Disable,
            Some("require") => ChannelBindingMode::Require,
            Some(_) => return Err("channel_binding is disable, prefer or require".to_owned()),
        };
        let given = |key: &str| self.value(key).map(PathBuf::from);
        let (certificate, key) = match given("sslcert") {
            Some(certificate) => (Some(certificate), given("sslkey")),
            // The default file is optional.
            None => (self.in_home(".postgresql/postgresql.crt").filter(|path| path.exists()), given("sslkey")),
        };
        let key = key.or_else(|| self.in_home(".postgresql/postgresql.key"));
        Ok(TlsSettings { mode, roots, certificate, key, sni, channel_binding })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<ConnectSettings, String> {
        let environment =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        ConnectSettings::read(text, &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_text_wins_over_the_variables() {
        let variables = [
            ("PGHOST", "envhost"),
            ("PGPORT", "7"),
            ("PGUSER", "envuser"),
            ("PGDATABASE", "envdb"),
            ("PGPASSWORD", "envpw"),
            ("PGSSLMODE", "disable"),
            ("PGAPPNAME", "envapp"),
            ("PGOPTIONS", "-c a=b"),
            ("PGCONNECT_TIMEOUT", "1"),
        ];
        let all = read("", &variables).expect("valid settings");
        assert_eq!(all.to_string(), "envhost:7 as envuser, database envdb");
        assert_eq!((all.password.as_deref(), all.tls.mode), (Some("envpw"), SslMode::Disable));
        assert_eq!((all.application_name.as_str(), all.options.as_deref()), ("envapp", Some("-c a=b")));
        assert_eq!(all.connect_timeout, Duration::from_secs(2));

        let url = "postgresql://u:pw@h:8/d?sslmode=require&application_name=a&connect_timeout=0";
        let written = read(url, &variables).expect("valid settings");
        assert_eq!(written.to_string(), "h:8 as u, database d");
        assert_eq!((written.password.as_deref(), written.tls.mode), (Some("pw"), SslMode::Require));
        assert_eq!((written.application_name.as_str(), written.connect_timeout), ("a", LONGEST_CONNECT_TIMEOUT));
    }

    #[test]
    fn the_defaults_are_those_of_libpq() {
        let least = read("postgresql://", &[("USER", "me")]).expect("valid settings");
        assert!(least.to_string().ends_with("as me, database me"), "{least}");
        assert_eq!((least.tls.mode, least.target_session), (SslMode::Prefer, TargetSession::Any));
        assert!(read("postgresql://h", &[]).expect_err("there is no user").contains("no user is named"));
        let home = read("user=u", &[("HOME", "/nowhere")]).expect("valid settings");
        assert_eq!(home.passfile.as_deref(), Some(Path::new("/nowhere/.pgpass")));
        assert!(
            matches!(&home.tls.roots, RootCertificates::File(path) if path == Path::new("/nowhere/.postgresql/root.crt"))
        );
        assert_eq!(home.tls.certificate, None);
        let system = read("user=u sslrootcert=system", &[]).expect("valid settings");
        assert_eq!(system.tls.mode, SslMode::VerifyFull);
    }

    #[test]
    fn unsupported_values_are_refused() {
        for (text, words) in [
            ("user=u sslmode=maybe", "sslmode"),
            ("user=u sslrootcert=system sslmode=require", "verify-full"),
            ("user=u target_session_attrs=standby", "any, read-write and primary"),
            ("user=u connect_timeout=soon", "connect_timeout"),
            ("user=u port=0", "port"),
            ("user=u channel_binding=maybe", "disable, prefer or require"),
            ("user=u service=x", "service is not supported"),
            ("user=u colour=red", "no connection key like that of word 2"),
        ] {
            let error = read(text, &[]).expect_err(text);
            assert!(error.starts_with("--postgres: ") && error.contains(words), "{error}");
        }
        assert!(read("user=u", &[("PGSERVICE", "x")]).expect_err("a service").contains("PGSERVICE"));
    }

    #[test]
    fn the_password_is_never_printed() {
        let settings = read("postgresql://u:secret@h", &[("PGPASSWORD", "secret")]).expect("valid settings");
        assert!(!format!("{settings} {settings:?}").contains("secret"));
    }
}
