//! What a PostgreSQL server, or the way to it, can refuse.

use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;

use super::verify::explain;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection settings make no sense.
    #[error("{0}")]
    Settings(String),
    /// The server could not be reached.
    #[error("could not connect to PostgreSQL at {server}: {message}")]
    Connect {
        /// Where it was looked for.
        server: String,
        /// What was seen.
        message: String,
    },
    /// The connection was not made safe as asked for.
    #[error("could not make a TLS connection to PostgreSQL at {server}: {message}")]
    Tls {
        /// The server.
        server: String,
        /// What was seen.
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
    },
    /// The connection broke.
    #[error("the connection to PostgreSQL at {server} broke: {message}")]
    Broken {
        /// The server.
        server: String,
        /// What was seen.
        message: String,
    },
}

fn server_error(message: &str, detail: &str, hint: &str, code: &str) -> String {
    let mut text = format!("PostgreSQL says: {message}");
    for more in [detail, hint] {
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
        let [mut code, mut message, mut detail, mut hint] = [const { String::new() }; 4];
        // A field that cannot be read ends the list; what came before still says something.
        while let Ok(Some(field)) = fields.next() {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => code = text(),
                b'M' => message = text(),
                b'D' => detail = text(),
                b'H' => hint = text(),
                _ => {}
            }
        }
        PostgresError::Server { code, message, detail, hint }
    }

    /// A connection that broke with `error`.
    pub(super) fn broken(server: &str, error: &io::Error) -> PostgresError {
        let server = server.to_owned();
        match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            // With TLS 1.3 a client's certificate is judged after the handshake.
            Some(cause @ rustls::Error::AlertReceived(_)) => PostgresError::Tls { server, message: explain(cause) },
            _ => PostgresError::Broken { server, message: error.to_string() },
        }
    }

    /// The SQLSTATE, if the server answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            PostgresError::Server { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether another host of the list may do better: this one cannot be reached, starts or stops.
    pub(super) fn is_of_this_host(&self) -> bool {
        match self {
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => true,
            PostgresError::Server { code, .. } => code.starts_with("57P"),
            PostgresError::Settings(_) | PostgresError::Tls { .. } => false,
        }
    }

    /// Whether the server might let us in with TLS, or without: its rules differ for the two.
    pub(super) fn may_depend_on_tls(&self) -> bool {
        match self {
            PostgresError::Tls { .. } => true,
            PostgresError::Server { code, .. } => code == "28000",
            PostgresError::Settings(_) | PostgresError::Connect { .. } | PostgresError::Broken { .. } => false,
        }
    }

    /// Whether the same try may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Somebody has to change what was typed, or the server's certificate.
            PostgresError::Settings(_) | PostgresError::Tls { .. } => false,
            // A server that starts, stops or cannot be reached just now.
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => true,
            PostgresError::Server { code, .. } => match code.get(..2).unwrap_or_default() {
                // Connection exceptions; resources that are short now; an operator's intervention; a system error.
                "08" | "53" | "57" | "58" => true,
                _ => false,
            },
        }
    }

    /// Whether the command was given wrong settings, or the role may not do what it needs: exit code 2.
    pub fn is_usage(&self) -> bool {
        match self {
            PostgresError::Settings(_) | PostgresError::Tls { .. } => true,
            PostgresError::Connect { .. } | PostgresError::Broken { .. } => false,
            // Wrong password or role, no such database, no privilege, a feature or parameter that is not there.
            PostgresError::Server { code, .. } => {
                matches!(code.get(..2).unwrap_or_default(), "28" | "3D" | "42" | "0A" | "22")
            }
        }
    }
}
