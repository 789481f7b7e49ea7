//! Where the server is and who asks, as libpq's users write it.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::PostgresError;

/// How safe the connection must be (PostgreSQL, libpq-ssl).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only when the server refuses anything else.
    Allow,
    /// TLS when the server has it.
    Prefer,
    /// TLS, whoever the server is.
    Require,
    /// TLS, with a certificate of a trusted authority.
    VerifyCa,
    /// TLS, with such a certificate in the server's name.
    VerifyFull,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an address.
    Name(String, u16),
    /// The folder of a Unix socket.
    Folder(PathBuf, u16),
}

/// What a connection needs to know. The password is never printed.
#[derive(Clone)]
pub struct ConnectSettings {
    hosts: Vec<Host>,
    user: String,
    password: Option<String>,
    database: String,
    pub(super) ssl_mode: SslMode,
    options: Option<String>,
    application_name: String,
    connect_timeout: Duration,
}

impl fmt::Debug for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(|host| self.server(host)).collect();
        write!(f, "{} as {}, database {}", hosts.join(","), self.user, self.database)
    }
}

impl ConnectSettings {
    /// Reads `postgresql://user@host:port/database?key=value`, or `key=value …`.
    ///
    /// # Errors
    /// [`PostgresError::Settings`] with what is wrong; it never holds the password.
    pub fn parse(text: &str) -> Result<ConnectSettings, PostgresError> {
        let wrong = |message: &str| PostgresError::Settings(format!("--postgres: {message}"));
        let rest = text
            .strip_prefix("postgresql://")
            .or_else(|| text.strip_prefix("postgres://"))
            .ok_or_else(|| wrong("not a URL of the form postgresql://user@host:port/database"))?;
        let decode = |part: &str| {
            percent_decode_str(part).decode_utf8().map(|text| text.into_owned()).map_err(|_| wrong("not UTF-8"))
        };
        let rest = rest.split('?').next().unwrap_or_default();
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        let user = match user {
            "" => env::var("PGUSER").or_else(|_| env::var("USER")).unwrap_or_else(|_| "postgres".to_owned()),
            user => decode(user)?,
        };
        let (name, port) = hosts.rsplit_once(':').unwrap_or((hosts, "5432"));
        let port = port.parse().map_err(|_| wrong("the port is no number"))?;
        let database = if database.is_empty() { user.clone() } else { decode(database)? };
        Ok(ConnectSettings {
            hosts: vec![Host::Name(decode(name)?, port)],
            user,
            password: password.map(decode).transpose()?.or_else(|| env::var("PGPASSWORD").ok()),
            database,
            ssl_mode: SslMode::Disable,
            options: None,
            application_name: "walbook".to_owned(),
            connect_timeout: Duration::from_secs(10),
        })
    }

    /// The hosts, to be tried in this order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Who asks.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// `host:port`, for messages.
    pub fn server(&self, host: &Host) -> String {
        match host {
            Host::Name(name, port) => format!("{name}:{port}"),
            Host::Folder(folder, port) => format!("{}:{port}", folder.display()),
        }
    }

    pub(super) fn password(&self, _host: &Host) -> Result<Option<String>, PostgresError> {
        Ok(self.password.clone())
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
}
