//! A session for replication commands.

use std::fmt;
use std::io;
use std::time::Duration;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ERROR_RESPONSE_TAG, Message, NOTICE_RESPONSE_TAG, PARAMETER_STATUS_TAG};
use postgres_protocol::message::frontend;

use super::PostgresError;
use super::connect::{
    Encryption, TARGET_SESSION_QUERY, check_target_session, connect_error, connect_to_any, open, tls_error,
};
use super::login::{Login, log_in};
use super::settings::{ConnectSettings, Host, TargetSession};
use super::socket::{ByteStream, Socket};
use super::stream::CopyStream;
use super::tls::tls_settings::server_end_point;
use super::wire::{Wire, parse};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The tag of CopyBothResponse (PostgreSQL, protocol-message-formats).
const COPY_BOTH_RESPONSE: u8 = b'W';

/// A session for replication commands of one database.
pub struct ReplicationClient {
    wire: Wire,
    process: i32,
    /// The host that it is connected to, at the address of this connection.
    host: Host,
}

impl fmt::Debug for ReplicationClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicationClient({}, process {})", self.wire.server(), self.process)
    }
}

impl ReplicationClient {
    /// Connects and logs in; `parameters` are settings of the session by name.
    ///
    /// # Errors
    /// [`PostgresError`]: not reached, not allowed, or a parameter that the server does not know.
    pub fn connect(
        settings: &ConnectSettings,
        parameters: &[(&str, &str)],
    ) -> Result<ReplicationClient, PostgresError> {
        connect_to_any(settings, |host, encryption| ReplicationClient::attempt(settings, host, encryption, parameters))
    }

    fn attempt(
        settings: &ConnectSettings,
        host: &Host,
        encryption: Encryption,
        parameters: &[(&str, &str)],
    ) -> Result<ReplicationClient, PostgresError> {
        let (socket, tls_name) = open(settings, host, encryption)?;
        let plain = socket.try_clone().map_err(|error| connect_error(host, &error))?;
        let peer = socket.peer_address().map_err(|error| connect_error(host, &error))?;
        let (stream, server_end_point): (Box<dyn ByteStream>, _) = match tls_name {
            None => (Box::new(socket), None),
            Some(name) => {
                let tls = settings.tls().handshake(socket, name).map_err(|failure| tls_error(host, failure))?;
                let end_point = server_end_point(&tls.conn);
                (Box::new(tls), end_point)
            }
        };
        let mut wire = Wire::new(Socket::new(stream, plain), host.to_string());

        let mut startup = vec![("user", settings.user()), ("database", settings.database())];
        startup.extend([("client_encoding", "UTF8"), ("application_name", settings.application_name())]);
        startup.push(("replication", "database"));
        startup.extend(settings.options().map(|options| ("options", options)));
        startup.extend(parameters);
        let password = settings.password(host);
        let login = Login {
            user: settings.user(),
            password: password.as_ref(),
            parameters: startup,
            channel_binding: settings.tls().channel_binding,
            server_end_point,
        };
        let process = log_in(&mut wire, &login)?;
        let reached = peer.map_or_else(|| host.clone(), |address| host.pinned_to(address));
        let mut client = ReplicationClient { wire, process, host: reached };
        if settings.target_session() != TargetSession::Any {
            let row = client.first_row(TARGET_SESSION_QUERY)?;
            let text =
                |column: usize| row.get(column).and_then(Option::as_deref).and_then(|b| std::str::from_utf8(b).ok());
            check_target_session(settings.target_session(), host, text(0), text(1))?;
        }
        Ok(client)
    }

    /// The host that it is connected to, at the address of this connection.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// The server's system identifier and its timeline.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn identify_system(&mut self) -> Result<(String, u32), PostgresError> {
        let row = self.first_row("IDENTIFY_SYSTEM")?;
        let text = |column: usize| row.get(column)?.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let timeline = text(1).and_then(|timeline| timeline.parse().ok());
        text(0).map(str::to_owned).zip(timeline).ok_or_else(|| self.unexpected("IDENTIFY_SYSTEM"))
    }

    /// The content of the history file of a timeline.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn timeline_history(&mut self, timeline: u32) -> Result<Vec<u8>, PostgresError> {
        let row = self.first_row(&format!("TIMELINE_HISTORY {timeline}"))?;
        row.into_iter().nth(1).flatten().ok_or_else(|| self.unexpected("TIMELINE_HISTORY"))
    }

    /// The first row of an answer, by column; `None` for NULL.
    fn first_row(&mut self, command: &str) -> Result<Vec<Option<Vec<u8>>>, PostgresError> {
        self.wire.send(|message| frontend::query(command, message))?;
        let mut outcome = Err(self.unexpected(command));
        let mut has_row = false;
        loop {
            match self.wire.message(ANSWER_TIMEOUT) {
                Ok(Message::DataRow(body)) if !has_row => {
                    let column = |range: Option<std::ops::Range<usize>>| Ok(range.map(|r| body.buffer()[r].to_vec()));
                    outcome = body.ranges().map(column).collect().map_err(|error| self.wire.broken(&error));
                    has_row = true;
                }
                Ok(Message::ReadyForQuery(_)) => return outcome,
                Ok(_) => {}
                // ReadyForQuery follows an error, but not one that ends the session.
                Err(error @ PostgresError::Server { ends_session: false, .. }) => outcome = Err(error),
                Err(error) => return Err(error),
            }
        }
    }

    fn unexpected(&self, command: &str) -> PostgresError {
        self.wire.broken(&io::Error::other(format!("the answer to {command} was not the expected one")))
    }

    /// Begins a stream in both directions with a command such as `START_REPLICATION`.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn copy_both(mut self, command: &str) -> Result<CopyStream, PostgresError> {
        self.wire.send(|message| frontend::query(command, message))?;
        loop {
            let Some(frame) = self.wire.frame(ANSWER_TIMEOUT)? else {
                let seconds = ANSWER_TIMEOUT.as_secs();
                return Err(self.wire.broken(&io::Error::other(format!("no answer within {seconds} s"))));
            };
            match frame.tag {
                COPY_BOTH_RESPONSE => return Ok(CopyStream::new(self.wire)),
                NOTICE_RESPONSE_TAG | PARAMETER_STATUS_TAG => continue,
                ERROR_RESPONSE_TAG => {
                    if let Ok(Message::ErrorResponse(body)) = parse(&frame) {
                        return Err(PostgresError::from_fields(body.fields()));
                    }
                }
                _ => {}
            }
            return Err(self.unexpected(command));
        }
    }
}
