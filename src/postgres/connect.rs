//! From settings to a socket: which hosts are tried, with TLS or without, and which kind of server is accepted.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::PostgresError;
use super::dial::dial;
use super::settings::{ConnectSettings, Host, TargetSession};
use super::socket::PlainSocket;
use super::tls::tls_settings::{ChannelBindingMode, SslMode, TlsFailure};

/// Asks a server for the properties that [`check_target_session`] judges.
pub(super) const TARGET_SESSION_QUERY: &str = "SELECT pg_catalog.pg_is_in_recovery() AS standby, \
     pg_catalog.current_setting('transaction_read_only') AS read_only";

/// How one attempt to connect uses TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    /// TLS, or plain if the server has none.
    IfOffered,
    Required,
}

/// Connects with `attempt` to the first host that can be reached, and as its TLS settings allow.
pub(super) fn connect_to_any<T>(
    settings: &ConnectSettings,
    attempt: impl Fn(&Host, Encryption) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    let mut failures = Vec::new();
    for host in settings.hosts() {
        match connect_to_host(settings, host, &attempt) {
            // The next host may be reachable, ready, or of the wanted kind.
            Err(error) if error.is_of_this_host() => failures.push(error),
            other => return other,
        }
    }
    if failures.len() > 1 {
        let messages: Vec<String> = failures.iter().map(PostgresError::to_string).collect();
        return Err(PostgresError::Connect { server: "any of its hosts".to_owned(), message: messages.join("; ") });
    }
    Err(failures.pop().expect("a list of hosts is never empty"))
}

fn connect_to_host<T>(
    settings: &ConnectSettings,
    host: &Host,
    attempt: &impl Fn(&Host, Encryption) -> Result<T, PostgresError>,
) -> Result<T, PostgresError> {
    let mut refused = None;
    for encryption in attempts(settings, host) {
        match attempt(host, *encryption) {
            Err(error) if error.may_depend_on_tls() => {
                // The refusal with TLS is the more useful one.
                if refused.is_none() || *encryption != Encryption::None {
                    refused = Some(error);
                }
            }
            other => return other,
        }
    }
    Err(refused.expect("there is at least one attempt"))
}

fn attempts(settings: &ConnectSettings, host: &Host) -> &'static [Encryption] {
    match settings.tls().mode {
        // As in libpq: a Unix socket never uses TLS.
        _ if host.name().is_none() => &[Encryption::None],
        SslMode::Disable => &[Encryption::None],
        // An attempt without TLS cannot succeed, and its error would hide why the one with TLS failed.
        _ if settings.tls().channel_binding == ChannelBindingMode::Require => &[Encryption::Required],
        SslMode::Allow => &[Encryption::None, Encryption::Required],
        SslMode::Prefer => &[Encryption::IfOffered, Encryption::None],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Encryption::Required],
    }
}

/// Opens a socket; returns it with the server's name if a TLS handshake comes next.
pub(super) fn open<'a>(
    settings: &ConnectSettings,
    host: &'a Host,
    encryption: Encryption,
) -> Result<(PlainSocket, Option<&'a str>), PostgresError> {
    let failed = |error: io::Error| connect_error(host, &error);
    let mut socket = dial(host, settings.connect_timeout()).map_err(failed)?;
    let Some(name) = host.name().filter(|_| encryption != Encryption::None) else { return Ok((socket, None)) };
    match request_tls(&mut socket).map_err(failed)? {
        b'S' => Ok((socket, Some(name))),
        b'N' if encryption == Encryption::IfOffered => Ok((socket, None)),
        b'N' => {
            let message = match settings.tls().channel_binding {
                ChannelBindingMode::Require => {
                    "the server has no TLS, which channel_binding=require needs: set ssl = on there"
                }
                _ => "the server has no TLS: set ssl = on there, or use sslmode=prefer",
            };
            Err(tls_error(host, TlsFailure::Refused(message.to_owned())))
        }
        _ => Err(failed(io::Error::other("the server refused to start a session, or is not PostgreSQL"))),
    }
}

/// The one byte with which the server answers a request for TLS. Not a byte more is read: an attacker's plain text after it
/// must not count as part of the encrypted session.
fn request_tls(socket: &mut PlainSocket) -> io::Result<u8> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.write_all(&request)?;
    let mut answer = [0];
    socket.read_exact(&mut answer)?;
    Ok(answer[0])
}

pub(super) fn connect_error(host: &Host, error: &io::Error) -> PostgresError {
    let message = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer within connect_timeout".to_owned(),
        _ => error.to_string(),
    };
    PostgresError::Connect { server: host.to_string(), message }
}

pub(super) fn tls_error(host: &Host, failure: TlsFailure) -> PostgresError {
    match failure {
        TlsFailure::Refused(message) => PostgresError::Tls { server: host.to_string(), message },
        TlsFailure::Broken(error) => connect_error(host, &error),
    }
}

/// Refuses a server that `target_session_attrs` excludes, from its answer to [`TARGET_SESSION_QUERY`].
pub(super) fn check_target_session(
    wanted: TargetSession,
    host: &Host,
    standby: Option<&str>,
    read_only: Option<&str>,
) -> Result<(), PostgresError> {
    let (found, wanted) = match wanted {
        TargetSession::Primary if standby == Some("t") => ("a standby", "primary"),
        TargetSession::ReadWrite if standby == Some("t") || read_only == Some("on") => ("read-only", "read-write"),
        _ => return Ok(()),
    };
    Err(PostgresError::Connect {
        server: host.to_string(),
        message: format!("the server is {found}, but the settings demand target_session_attrs={wanted}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_channel_binding_is_tried_with_tls_only() {
        use Encryption::{IfOffered, None, Required};
        for (more, expected) in [
            ("host=h sslmode=allow", &[None, Required][..]),
            ("host=h sslmode=prefer", &[IfOffered, None]),
            ("host=h sslmode=allow channel_binding=require", &[Required]),
            ("host=h sslmode=prefer channel_binding=require", &[Required]),
            ("host=h sslmode=disable channel_binding=require", &[None]),
            ("host=/tmp sslmode=prefer channel_binding=require", &[None]),
        ] {
            let settings = ConnectSettings::parse(&format!("user=u {more}")).expect("valid settings");
            assert_eq!(attempts(&settings, &settings.hosts()[0]), expected, "{more}");
        }
    }
}
