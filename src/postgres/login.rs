//! From a socket to a session of our own client: startup and authentication.

use std::io;
use std::time::Duration;

use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::PostgresError;
use super::settings::Password;
use super::tls::tls_settings::ChannelBindingMode;
use super::wire::Wire;

/// How long the server may take for one step of a login.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The SQLSTATE of a wrong password.
const WRONG_PASSWORD: &str = "28P01";

/// The role that logs in, and how.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Password>,
    /// The parameters of the startup message, the user included.
    pub(super) parameters: Vec<(&'a str, &'a str)>,
    pub(super) channel_binding: ChannelBindingMode,
    /// The server's end of a TLS connection, where the login can be bound to it.
    pub(super) server_end_point: Option<Vec<u8>>,
}

/// Logs in, and returns the number of the server's process.
pub(super) fn log_in(wire: &mut Wire, login: &Login<'_>) -> Result<i32, PostgresError> {
    wire.send(|message| frontend::startup_message(login.parameters.iter().copied(), message))?;
    authenticate(wire, login).map_err(|error| with_password_source(error.of_login(), login.password))?;
    let mut process = 0;
    loop {
        match wire.message(LOGIN_TIMEOUT).map_err(PostgresError::of_login)? {
            Message::BackendKeyData(body) => process = body.process_id(),
            Message::ReadyForQuery(_) => {
                wire.complete_login();
                return Ok(process);
            }
            _ => return Err(unexpected(wire)),
        }
    }
}

fn authenticate(wire: &mut Wire, login: &Login<'_>) -> Result<(), PostgresError> {
    let server = wire.server().to_owned();
    let password =
        || login.password.map(|password| password.text.as_str()).ok_or_else(|| password_missing(&server, login.user));
    let unbound = || match login.channel_binding {
        ChannelBindingMode::Require => Err(not_bound(&server)),
        ChannelBindingMode::Disable | ChannelBindingMode::Prefer => Ok(()),
    };
    let mut bound = false;
    loop {
        match wire.message(LOGIN_TIMEOUT)? {
            Message::AuthenticationOk => return if bound { Ok(()) } else { unbound() },
            Message::AuthenticationCleartextPassword => {
                unbound()?;
                let password = password()?;
                wire.send(|message| frontend::password_message(password.as_bytes(), message))?;
            }
            Message::AuthenticationMd5Password(body) => {
                unbound()?;
                let hash = md5_hash(login.user.as_bytes(), password()?.as_bytes(), body.salt());
                wire.send(|message| frontend::password_message(hash.as_bytes(), message))?;
            }
            Message::AuthenticationSasl(body) => {
                let offered: Vec<&str> = body.mechanisms().collect().map_err(|error| wire.broken(&error))?;
                let (mechanism, binding) = choose_scram(login, &offered).ok_or_else(|| unsupported_method(&server))?;
                bound = mechanism == SCRAM_SHA_256_PLUS;
                if !bound {
                    unbound()?;
                }
                scram(wire, mechanism, ScramSha256::new(password()?.as_bytes(), binding))?;
            }
            Message::AuthenticationGss | Message::AuthenticationSspi | Message::AuthenticationKerberosV5 => {
                return Err(unsupported_method(&server));
            }
            _ => return Err(unexpected(wire)),
        }
    }
}

/// The mechanism and the channel binding to use of those that the server offers.
fn choose_scram(login: &Login<'_>, offered: &[&str]) -> Option<(&'static str, ChannelBinding)> {
    let end_point = login.server_end_point.clone().filter(|_| login.channel_binding != ChannelBindingMode::Disable);
    match end_point {
        Some(end_point) if offered.contains(&SCRAM_SHA_256_PLUS) => {
            Some((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(end_point)))
        }
        _ if !offered.contains(&SCRAM_SHA_256) => None,
        // The server learns that binding would have been possible: it refuses if it has offered it.
        Some(_) => Some((SCRAM_SHA_256, ChannelBinding::unrequested())),
        None => Some((SCRAM_SHA_256, ChannelBinding::unsupported())),
    }
}

fn scram(wire: &mut Wire, mechanism: &str, mut scram: ScramSha256) -> Result<(), PostgresError> {
    wire.send(|message| frontend::sasl_initial_response(mechanism, scram.message(), message))?;
    match wire.message(LOGIN_TIMEOUT)? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data()).map_err(|error| wire.broken(&error))?,
        _ => return Err(unexpected(wire)),
    }
    wire.send(|message| frontend::sasl_response(scram.message(), message))?;
    match wire.message(LOGIN_TIMEOUT)? {
        Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(|error| wire.broken(&error)),
        _ => Err(unexpected(wire)),
    }
}

fn unexpected(wire: &Wire) -> PostgresError {
    wire.broken(&io::Error::other("the server sent an unexpected message during the login"))
}

/// Adds where the password came from to the server's refusal of it.
pub(super) fn with_password_source(error: PostgresError, password: Option<&Password>) -> PostgresError {
    match (error, password) {
        (PostgresError::Server { code, message, detail, hint, ends_session }, Some(password))
            if code == WRONG_PASSWORD =>
        {
            let separator = if hint.is_empty() { "" } else { "; " };
            let hint = format!("{hint}{separator}the password came from {}", password.source);
            PostgresError::Server { code, message, detail, hint, ends_session }
        }
        (error, _) => error,
    }
}

pub(super) fn password_missing(server: &str, user: &str) -> PostgresError {
    PostgresError::Settings(format!(
        "PostgreSQL at {server} asks for the password of {user:?}: give it in PGPASSWORD, ~/.pgpass or the URL"
    ))
}

pub(super) fn unsupported_method(server: &str) -> PostgresError {
    PostgresError::Settings(format!(
        "PostgreSQL at {server} asks for an authentication method that walbook does not support, such as GSSAPI: use \
         scram-sha-256 for this role in pg_hba.conf"
    ))
}

pub(super) fn not_bound(server: &str) -> PostgresError {
    PostgresError::Settings(format!(
        "the settings demand channel_binding=require, but PostgreSQL at {server} cannot bind the login to the \
         connection: that needs TLS, scram-sha-256 in pg_hba.conf, and a certificate of X.509 \
         version 3 that is not signed with Ed25519"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_bound_to_tls_where_both_sides_can() {
        let both = [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
        for (mode, is_tls, offered, chosen) in [
            (ChannelBindingMode::Prefer, true, &both[..], Some((SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,"))),
            (ChannelBindingMode::Require, true, &both, Some((SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,"))),
            (ChannelBindingMode::Disable, true, &both, Some((SCRAM_SHA_256, "n,,"))),
            (ChannelBindingMode::Prefer, false, &both, Some((SCRAM_SHA_256, "n,,"))),
            (ChannelBindingMode::Prefer, true, &both[1..], Some((SCRAM_SHA_256, "y,,"))),
            (ChannelBindingMode::Prefer, false, &both[..1], None),
            (ChannelBindingMode::Prefer, true, &["OAUTHBEARER"], None),
        ] {
            let server_end_point = is_tls.then(|| vec![7; 32]);
            let (parameters, channel_binding) = (Vec::new(), mode);
            let login = Login { user: "u", password: None, parameters, channel_binding, server_end_point };
            let found = choose_scram(&login, offered).map(|(mechanism, binding)| {
                let first = ScramSha256::new(b"", binding).message().to_vec();
                (mechanism, String::from_utf8(first).expect("SCRAM is text"))
            });
            assert_eq!(found.is_some(), chosen.is_some(), "{mode:?} {is_tls} {offered:?}");
            if let (Some((mechanism, first)), Some((wanted, header))) = (found, chosen) {
                assert_eq!(mechanism, wanted);
                assert!(first.starts_with(header), "{first}");
            }
        }
    }
}
