//! From a socket to a session: startup, and the proof of who we are.

use std::io;
use std::time::Duration;

use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::PostgresError;
use super::settings::Password;
use super::wire::Wire;

/// How long the server may take for one step.
const STEP: Duration = Duration::from_secs(30);

/// The SQLSTATE of a password that is wrong.
const WRONG_PASSWORD: &str = "28P01";

/// Who logs in.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Password>,
    /// What the startup message says, the user among it.
    pub(super) parameters: Vec<(&'a str, &'a str)>,
}

/// Logs in, and gives the number of the server's process.
pub(super) fn log_in(wire: &mut Wire, login: &Login<'_>) -> Result<i32, PostgresError> {
    wire.send(|message| frontend::startup_message(login.parameters.iter().copied(), message))?;
    let server = wire.server().to_owned();
    let password = || {
        login.password.map(|password| password.text.as_str()).ok_or_else(|| {
            PostgresError::Settings(format!(
                "PostgreSQL at {server} asks for the password of {:?}: give it in PGPASSWORD, ~/.pgpass or the URL",
                login.user
            ))
        })
    };
    prove(wire, login.user, &password).map_err(|error| match (error, login.password) {
        (PostgresError::Server { code, message, detail, hint }, Some(password)) if code == WRONG_PASSWORD => {
            let hint =
                format!("{hint}{}the password came from {}", if hint.is_empty() { "" } else { "; " }, password.from);
            PostgresError::Server { code, message, detail, hint }
        }
        (error, _) => error,
    })?;
    let mut process = 0;
    loop {
        match wire.message(STEP)? {
            Message::BackendKeyData(body) => process = body.process_id(),
            Message::ReadyForQuery(_) => return Ok(process),
            _ => return Err(wire.broken(&io::Error::other("an answer to the login that was not expected"))),
        }
    }
}

/// Answers what the server asks until it is content.
fn prove<'a>(
    wire: &mut Wire,
    user: &str,
    password: &dyn Fn() -> Result<&'a str, PostgresError>,
) -> Result<(), PostgresError> {
    loop {
        match wire.message(STEP)? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => {
                let password = password()?;
                wire.send(|message| frontend::password_message(password.as_bytes(), message))?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(user.as_bytes(), password()?.as_bytes(), body.salt());
                wire.send(|message| frontend::password_message(hash.as_bytes(), message))?;
            }
            Message::AuthenticationSasl(body) => {
                let mut mechanisms = body.mechanisms();
                let mut offered = false;
                while let Some(mechanism) = mechanisms.next().map_err(|error| wire.broken(&error))? {
                    offered |= mechanism == SCRAM_SHA_256;
                }
                if !offered {
                    return Err(unknown("a SASL mechanism other than SCRAM-SHA-256"));
                }
                scram(wire, password()?)?;
            }
            Message::AuthenticationGss | Message::AuthenticationSspi | Message::AuthenticationKerberosV5 => {
                return Err(unknown("GSSAPI, SSPI or Kerberos"));
            }
            _ => return Err(wire.broken(&io::Error::other("an answer to the login that was not expected"))),
        }
    }
}

fn unknown(method: &str) -> PostgresError {
    PostgresError::Settings(format!(
        "PostgreSQL asks for {method}, which walbook does not speak: let pg_hba.conf ask this role for scram-sha-256"
    ))
}

fn scram(wire: &mut Wire, password: &str) -> Result<(), PostgresError> {
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    wire.send(|message| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), message))?;
    match wire.message(STEP)? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data()).map_err(|error| wire.broken(&error))?,
        _ => return Err(wire.broken(&io::Error::other("SCRAM was not continued"))),
    }
    wire.send(|message| frontend::sasl_response(scram.message(), message))?;
    match wire.message(STEP)? {
        Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(|error| wire.broken(&error)),
        _ => Err(wire.broken(&io::Error::other("SCRAM was not finished"))),
    }
}
