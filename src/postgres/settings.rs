//! Where the server is and who asks: what was written, then the variables, then libpq's defaults.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conninfo::{Pair, pairs};
use super::host::Host;
use super::tls::{Roots, SslMode, TlsSettings};
use super::{PostgresError, keys, passfile};

/// How long to wait for a server when nothing is said; libpq would wait as long as the kernel does.
const CONNECT: Duration = Duration::from_secs(10);
/// What zero means.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// Which of several servers is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Any,
    /// One that accepts writes.
    ReadWrite,
    /// One that is no standby.
    Primary,
}

/// What a connection needs to know. The password is never printed.
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
    session: Session,
}

/// A password and where it was found.
pub(super) struct Password {
    pub(super) text: String,
    pub(super) from: String,
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
    /// Reads `postgresql://user@host:port/database?key=value` or `key=value …`; what it leaves open comes from the
    /// environment's `PG…` variables and the files in the user's home, as for `psql`.
    ///
    /// # Errors
    /// [`PostgresError::Settings`] with what is wrong; it never holds the password.
    pub fn parse(text: &str) -> Result<ConnectSettings, PostgresError> {
        ConnectSettings::read(text, &|name| env::var(name).ok())
    }

    /// [`ConnectSettings::parse`] with another environment.
    fn read(text: &str, look: &dyn Fn(&str) -> Option<String>) -> Result<ConnectSettings, PostgresError> {
        let wrong = |message: String| PostgresError::Settings(format!("--postgres: {message}"));
        let pairs = pairs(text).map_err(wrong)?;
        for (key, value) in &pairs {
            keys::check(key, value).map_err(wrong)?;
        }
        keys::check_variables(look).map_err(wrong)?;
        Asked { pairs, look }.settings().map_err(wrong)
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Who asks.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The way to one of the hosts only, as [`Client::server`](super::Client::server) names it.
    #[must_use]
    pub fn at(&self, server: &str) -> ConnectSettings {
        let hosts = self.hosts.iter().filter(|host| host.to_string() == server).cloned().collect();
        ConnectSettings { hosts, ..self.clone() }
    }

    /// The hosts, to be tried in this order.
    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What was written, what PGPASSWORD holds, or what the password file says for this host.
    pub(super) fn password(&self, host: &Host) -> Option<Password> {
        if let Some(text) = &self.password {
            return Some(Password { text: text.clone(), from: "--postgres or PGPASSWORD".to_owned() });
        }
        let path = self.passfile.as_deref()?;
        let names = host.names();
        let wanted = passfile::Wanted { hosts: &names, port: host.port, database: &self.database, user: &self.user };
        Some(Password { text: passfile::look_up(path, &wanted)?, from: path.display().to_string() })
    }

    pub(super) fn tls(&self) -> &TlsSettings {
        &self.tls
    }

    pub(super) fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    pub(super) fn application_name(&self) -> &str {
        &self.application_name
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(super) fn session(&self) -> Session {
        self.session
    }
}

/// What was written, over the environment.
struct Asked<'a> {
    pairs: Vec<Pair>,
    look: &'a dyn Fn(&str) -> Option<String>,
}

impl Asked<'_> {
    /// The value of a key: the last one written, else its variable's. An empty one is none.
    fn value(&self, key: &str) -> Option<String> {
        let written = self.pairs.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        let value = written.or_else(|| keys::variable(key).and_then(|variable| (self.look)(variable)));
        value.filter(|value| !value.is_empty())
    }

    /// A file in the user's home.
    fn in_home(&self, name: &str) -> Option<PathBuf> {
        (self.look)("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(name))
    }

    fn settings(&self) -> Result<ConnectSettings, String> {
        let list = |key| self.value(key).unwrap_or_default();
        let user = self.value("user").or_else(|| (self.look)("USER")).or_else(|| (self.look)("LOGNAME"));
        let user =
            user.ok_or("no user is named: write one into the URL, as in postgresql://user@host, or set PGUSER")?;
        let connect_timeout = match self.value("connect_timeout").map(|text| text.trim().parse::<i64>()) {
            None => CONNECT,
            // One second is too little for the name, the connection and the login, says libpq.
            Some(Ok(seconds)) if seconds > 0 => Duration::from_secs(seconds.max(2).unsigned_abs()),
            Some(Ok(_)) => FOR_EVER,
            Some(Err(_)) => return Err("connect_timeout is no number of seconds".to_owned()),
        };
        let session = match self.value("target_session_attrs").as_deref() {
            None | Some("any") => Session::Any,
            Some("read-write") => Session::ReadWrite,
            Some("primary") => Session::Primary,
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
            connect_timeout: connect_timeout.min(FOR_EVER),
            session,
        })
    }

    fn tls(&self) -> Result<TlsSettings, String> {
        let roots = match self.value("sslrootcert").as_deref() {
            Some("system") => Roots::System,
            Some(file) => Roots::File(PathBuf::from(file)),
            None => self.in_home(".postgresql/root.crt").map_or(Roots::None, Roots::File),
        };
        let mode = match (self.value("sslmode").as_deref(), &roots) {
            (None, Roots::System) => SslMode::VerifyFull,
            (None, _) => SslMode::Prefer,
            (Some(text), _) => SslMode::parse(text)?,
        };
        if matches!(roots, Roots::System) && mode != SslMode::VerifyFull {
            return Err("sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of those".into());
        }
        let sni = match self.value("sslsni").as_deref() {
            None | Some("1") => true,
            Some("0") => false,
            Some(_) => return Err("sslsni is 0 or 1".to_owned()),
        };
        let given = |key: &str| self.value(key).map(PathBuf::from);
        let (certificate, key) = match given("sslcert") {
            Some(certificate) => (Some(certificate), given("sslkey")),
            // The default one only counts where it is there.
            None => (self.in_home(".postgresql/postgresql.crt").filter(|path| path.exists()), given("sslkey")),
        };
        let key = key.or_else(|| self.in_home(".postgresql/postgresql.key"));
        Ok(TlsSettings { mode, roots, certificate, key, sni })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<ConnectSettings, String> {
        let look =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ConnectSettings::read(text, &look).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_wins_over_the_variables() {
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
        assert_eq!((written.application_name.as_str(), written.connect_timeout), ("a", FOR_EVER));
    }

    #[test]
    fn the_rest_is_as_in_libpq() {
        let least = read("postgresql://", &[("USER", "me")]).expect("valid settings");
        assert!(least.to_string().ends_with("as me, database me"), "{least}");
        assert_eq!((least.tls.mode, least.session), (SslMode::Prefer, Session::Any));
        assert!(read("postgresql://h", &[]).expect_err("nobody asks").contains("no user is named"));
        let home = read("user=u", &[("HOME", "/nowhere")]).expect("valid settings");
        assert_eq!(home.passfile.as_deref(), Some(Path::new("/nowhere/.pgpass")));
        assert!(matches!(&home.tls.roots, Roots::File(path) if path == Path::new("/nowhere/.postgresql/root.crt")));
        assert_eq!(home.tls.certificate, None);
        let system = read("user=u sslrootcert=system", &[]).expect("valid settings");
        assert_eq!(system.tls.mode, SslMode::VerifyFull);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for (text, said) in [
            ("user=u sslmode=maybe", "sslmode"),
            ("user=u sslrootcert=system sslmode=require", "verify-full"),
            ("user=u target_session_attrs=standby", "any, read-write and primary"),
            ("user=u connect_timeout=soon", "connect_timeout"),
            ("user=u port=0", "port"),
            ("user=u service=x", "service is not supported"),
            ("user=u colour=red", "no connection key \"colour\""),
        ] {
            let error = read(text, &[]).expect_err(text);
            assert!(error.starts_with("--postgres: ") && error.contains(said), "{error}");
        }
        assert!(read("user=u", &[("PGSERVICE", "x")]).expect_err("a service").contains("PGSERVICE"));
    }

    #[test]
    fn the_password_is_never_printed() {
        let settings = read("postgresql://u:secret@h", &[("PGPASSWORD", "secret")]).expect("valid settings");
        assert!(!format!("{settings} {settings:?}").contains("secret"));
    }
}
