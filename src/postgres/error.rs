//! Why a connection to a PostgreSQL server, or a query there, failed.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use tokio_postgres::error::Severity;

use super::tls::verify::explain;
use crate::change::{Classified, FailureKind};

/// Why a connection or a query failed.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection settings are wrong, or do not allow the login that the server demands.
    #[error("{0}")]
    Settings(String),
    /// The server could not be reached.
    #[error("could not connect to PostgreSQL at {server}: {message}")]
    Connect {
        /// The host, or the hosts.
        server: String,
        /// The reason.
        message: String,
    },
    /// The connection could not be encrypted as `sslmode` demands.
    #[error("could not make a TLS connection to PostgreSQL at {server}: {message}")]
    Tls {
        /// The server.
        server: String,
        /// The reason.
        message: String,
    },
    /// The server answered with an error.
    #[error("{}", server_error(.message, .detail, .hint, .code))]
    Server {
        /// The SQLSTATE.
        code: String,
        /// Its message.
        message: String,
        /// Its detail; may be empty.
        detail: String,
        /// Its hint; may be empty.
        hint: String,
        /// Whether the server ended an established session with it: another session may succeed.
        ends_session: bool,
    },
    /// The connection broke.
    #[error("the connection to PostgreSQL at {server} broke: {message}")]
    Broken {
        /// The server.
        server: String,
        /// The reason.
        message: String,
    },
}

/// The setting of the server that ends a session after a while in one transaction. A retry would decode the same
/// transaction, and end in the same way.
fn transaction_limit(code: &str) -> Option<&'static str> {
    match code {
        "25P03" => Some("idle_in_transaction_session_timeout"),
        "25P04" => Some("transaction_timeout"),
        _ => None,
    }
}

fn server_error(message: &str, detail: &str, hint: &str, code: &str) -> String {
    let mut text = format!("PostgreSQL reported: {message}");
    let limit = transaction_limit(code)
        .map(|setting| format!("a retry would end in the same way: ALTER ROLE … SET {setting} = 0"));
    for more in [detail, hint, limit.as_deref().unwrap_or_default()] {
        if !more.is_empty() {
            text.push_str("; ");
            text.push_str(more);
        }
    }
    format!("{text} (SQLSTATE {code})")
}

impl PostgresError {
    /// Reads the fields of an ErrorResponse.
    pub(super) fn from_fields(mut fields: ErrorFields<'_>) -> PostgresError {
        let [mut severity, mut code, mut message, mut detail, mut hint] = [const { String::new() }; 5];
        // A field that cannot be read ends the list; the fields before it are still useful.
        while let Ok(Some(field)) = fields.next() {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                // The severity in English; `S` is in the server's language.
                b'V' => severity = text(),
                b'C' => code = text(),
                b'M' => message = text(),
                b'D' => detail = text(),
                b'H' => hint = text(),
                _ => {}
            }
        }
        let ends_session = matches!(severity.as_str(), "FATAL" | "PANIC");
        PostgresError::Server { code, message, detail, hint, ends_session }
    }

    /// An error of `tokio-postgres`.
    pub(super) fn from_tokio(server: &str, error: &tokio_postgres::Error) -> PostgresError {
        if let Some(error) = error.as_db_error() {
            return PostgresError::Server {
                code: error.code().code().to_owned(),
                message: error.message().to_owned(),
                detail: error.detail().unwrap_or_default().to_owned(),
                hint: error.hint().unwrap_or_default().to_owned(),
                ends_session: matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic)),
            };
        }
        let cause = std::error::Error::source(error);
        match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            Some(cause) => PostgresError::broken(server, cause),
            None if error.is_closed() => {
                PostgresError::broken(server, &io::Error::other("the server closed the connection"))
            }
            None => {
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                PostgresError::broken(server, &io::Error::other(format!("{error}{cause}")))
            }
        }
    }

    /// A connection that broke with `error`.
    pub(super) fn broken(server: &str, error: &io::Error) -> PostgresError {
        let server = server.to_owned();
        match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            // With TLS 1.3 the server verifies a client's certificate after the handshake.
            Some(cause @ rustls::Error::AlertReceived(_)) => PostgresError::Tls { server, message: explain(cause) },
            _ => PostgresError::Broken { server, message: error.to_string() },
        }
    }

    /// An error of the login: its severity is always FATAL, and does not mean that another session may succeed.
    pub(super) fn of_login(self) -> PostgresError {
        match self {
            PostgresError::Server { code, message, detail, hint, .. } => {
                PostgresError::Server { code, message, detail, hint, ends_session: false }
            }
            error => error,
        }
    }

    /// The SQLSTATE, if the server answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            PostgresError::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether another host of the list may succeed: this one cannot be reached, starts or stops.
    pub(super) fn is_of_this_host(&self) -> bool {
        match self {
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => true,
            PostgresError::Server { code, .. } => code.starts_with("57P"),
            PostgresError::Settings(_) | PostgresError::Tls { .. } => false,
        }
    }

    /// Whether the login may succeed with TLS, or without: the server has rules for each.
    pub(super) fn may_depend_on_tls(&self) -> bool {
        match self {
            PostgresError::Tls { .. } => true,
            PostgresError::Server { code, .. } => code == "28000",
            PostgresError::Settings(_) | PostgresError::Connect { .. } | PostgresError::Broken { .. } => false,
        }
    }

    /// Whether a retry may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            // The settings or the server's certificate must change first.
            PostgresError::Settings(_) | PostgresError::Tls { .. } => false,
            // The server starts, stops or cannot be reached.
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => true,
            PostgresError::Server { code, .. } if transaction_limit(code).is_some() => false,
            PostgresError::Server { ends_session: true, .. } => true,
            PostgresError::Server { code, .. } => match code.get(..2).unwrap_or_default() {
                // Connection exceptions; insufficient resources; an operator's intervention; a system error.
                "08" | "53" | "57" | "58" => true,
                _ => false,
            },
        }
    }
}

impl Classified for PostgresError {
    fn kind(&self) -> FailureKind {
        match self {
            PostgresError::Settings(_) | PostgresError::Tls { .. } => FailureKind::Usage,
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => FailureKind::Other,
            PostgresError::Server { code, .. } => match code.get(..2).unwrap_or_default() {
                _ if transaction_limit(code).is_some() => FailureKind::Usage,
                // Wrong password or role, no such database, no privilege, an unsupported feature or parameter.
                "28" | "3D" | "42" | "0A" | "22" => FailureKind::Usage,
                _ => FailureKind::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use postgres_protocol::message::backend::Message;

    use super::*;

    fn reported(severity: &str, code: &str) -> PostgresError {
        let fields = format!("SFATAL-IN-ITS-LANGUAGE\0V{severity}\0C{code}\0Mthe reason\0\0");
        let length = u32::try_from(fields.len() + 4).expect("a short message");
        let mut bytes = bytes::BytesMut::from(&b"E"[..]);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(fields.as_bytes());
        match Message::parse(&mut bytes) {
            Ok(Some(Message::ErrorResponse(body))) => PostgresError::from_fields(body.fields()),
            _ => panic!("not an ErrorResponse"),
        }
    }

    #[test]
    fn an_error_that_ends_the_session_is_worth_another_one() {
        let conflict = reported("FATAL", "40001");
        assert!(conflict.is_retryable() && conflict.to_string().contains("the reason (SQLSTATE 40001)"), "{conflict}");
        assert!(!reported("ERROR", "40001").is_retryable());
        assert!(reported("PANIC", "XX000").is_retryable());
        assert!(!reported("FATAL", "28P01").of_login().is_retryable());
    }

    #[test]
    fn a_limit_on_transactions_is_not_retried_but_named() {
        for (code, setting) in [("25P03", "idle_in_transaction_session_timeout"), ("25P04", " transaction_timeout")] {
            let error = reported("FATAL", code);
            assert!(!error.is_retryable() && error.is_usage() && error.to_string().contains(setting), "{error}");
        }
        assert!(reported("FATAL", "57P05").is_retryable(), "idle_session_timeout: the session had no work");
    }
}
