//! A connection that answers questions.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ERROR_RESPONSE_TAG, Message, NOTICE_RESPONSE_TAG, PARAMETER_STATUS_TAG};
use postgres_protocol::message::frontend;

use super::connect::{self, Way};
use super::error::PostgresError;
use super::host::Host;
use super::login::{Login, log_in};
use super::settings::{ConnectSettings, Session};
use super::stream::CopyStream;
use super::wire::{Wire, parse};

/// How long an answer may take, unless the question says otherwise.
const ANSWER: Duration = Duration::from_secs(60);

/// The tag of CopyBothResponse (PostgreSQL, protocol-message-formats).
const COPY_BOTH_RESPONSE: u8 = b'W';

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Questions in SQL.
    Sql,
    /// Replication commands of the connection's database, and questions too.
    Replication,
}

/// A session at a server.
pub struct Client {
    wire: Wire,
    process: i32,
}

/// A row of an answer: texts by column.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<Vec<String>>,
    values: Vec<Option<Vec<u8>>>,
}

impl Row {
    /// The text of a column; `None` for NULL, and for a column that this server does not have.
    pub fn get(&self, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|name| name == column)?;
        std::str::from_utf8(self.values.get(place)?.as_deref()?).ok()
    }

    /// The bytes of a column as they came.
    pub fn bytes(&self, column: &str) -> Option<&[u8]> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.values.get(place)?.as_deref()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({}, process {})", self.wire.server(), self.process)
    }
}

impl Client {
    /// Connects to the first host that can be reached and logs in; `session` are settings of the session by name.
    ///
    /// # Errors
    /// [`PostgresError`]: not reached, not let in, or a setting that the server does not know.
    pub fn connect(
        settings: &ConnectSettings,
        purpose: Purpose,
        session: &[(&str, &str)],
    ) -> Result<Client, PostgresError> {
        let mut failed = Vec::new();
        for host in settings.hosts() {
            match connect_to(settings, host, purpose, session) {
                Ok(client) => return Ok(client),
                // The next host may be there, be ready, or be the one that is meant.
                Err(error) if error.is_of_this_host() => failed.push(error),
                Err(error) => return Err(error),
            }
        }
        if failed.len() > 1 {
            let told: Vec<String> = failed.iter().map(PostgresError::to_string).collect();
            return Err(PostgresError::Connect { server: "any of its hosts".to_owned(), message: told.join("; ") });
        }
        Err(failed.pop().expect("a list of hosts is never empty"))
    }

    /// Refuses a server that is not of the kind that is meant.
    fn expect(&mut self, session: Session, host: &Host) -> Result<(), PostgresError> {
        if session == Session::Any {
            return Ok(());
        }
        let rows = self.query(
            "select pg_catalog.pg_is_in_recovery() as standby, \
             pg_catalog.current_setting('transaction_read_only') as read_only",
        )?;
        let is = |column: &str, value: &str| rows.first().and_then(|row| row.get(column)) == Some(value);
        let (seen, wanted) = match session {
            Session::Primary if is("standby", "t") => ("a standby", "primary"),
            Session::ReadWrite if is("standby", "t") || is("read_only", "on") => ("read-only", "read-write"),
            _ => return Ok(()),
        };
        Err(PostgresError::Connect {
            server: host.to_string(),
            message: format!("the server is {seen}, and target_session_attrs={wanted} was asked for"),
        })
    }

    /// Where the server is.
    pub fn server(&self) -> &str {
        self.wire.server()
    }

    /// Asks in SQL (or a replication command) and gives the rows, texts all.
    ///
    /// # Errors
    /// The server's error; the session is usable after it. Or that the connection broke.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, PostgresError> {
        self.query_within(sql, ANSWER)
    }

    /// [`Client::query`] for a question that may take longer than usual.
    ///
    /// # Errors
    /// Those of [`Client::query`].
    pub fn query_within(&mut self, sql: &str, patience: Duration) -> Result<Vec<Row>, PostgresError> {
        self.wire.send(|message| frontend::query(sql, message))?;
        let (mut rows, mut columns) = (Vec::new(), Arc::new(Vec::new()));
        let mut failed = None;
        loop {
            // An error of the server must not end the reading: ReadyForQuery follows it.
            let message = match self.wire.message(patience) {
                Err(error @ PostgresError::Server { .. }) => {
                    let fatal = error.code().is_some_and(|code| code.starts_with("57P"));
                    if fatal {
                        return Err(error);
                    }
                    failed.get_or_insert(error);
                    continue;
                }
                other => other?,
            };
            match message {
                Message::RowDescription(body) => {
                    let names = body.fields().map(|field| Ok(field.name().to_owned())).collect();
                    columns = Arc::new(names.map_err(|error| self.wire.broken(&error))?);
                }
                Message::DataRow(body) => {
                    let value = |range: Option<std::ops::Range<usize>>| Ok(range.map(|r| body.buffer()[r].to_vec()));
                    let values = body.ranges().map(value).collect().map_err(|error| self.wire.broken(&error))?;
                    rows.push(Row { columns: Arc::clone(&columns), values });
                }
                Message::ReadyForQuery(_) => return failed.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    /// Begins a stream in both directions with a command such as `START_REPLICATION`.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn copy_both(mut self, command: &str) -> Result<CopyStream, PostgresError> {
        self.wire.send(|message| frontend::query(command, message))?;
        loop {
            let unanswered = "no answer to a replication command";
            let Some(frame) = self.wire.frame(ANSWER)? else {
                return Err(self.wire.broken(&io::Error::other(unanswered)));
            };
            let wrong = match frame.tag {
                COPY_BOTH_RESPONSE => return Ok(CopyStream::new(self.wire)),
                NOTICE_RESPONSE_TAG | PARAMETER_STATUS_TAG => continue,
                ERROR_RESPONSE_TAG => match parse(&frame) {
                    Ok(Message::ErrorResponse(body)) => return Err(PostgresError::from_fields(body.fields())),
                    _ => "an error that cannot be read",
                },
                _ => "an answer that was not expected",
            };
            return Err(self.wire.broken(&io::Error::other(wrong)));
        }
    }
}

fn connect_to(
    settings: &ConnectSettings,
    host: &Host,
    purpose: Purpose,
    session: &[(&str, &str)],
) -> Result<Client, PostgresError> {
    let mut parameters = vec![("user", settings.user()), ("database", settings.database())];
    parameters.extend([("client_encoding", "UTF8"), ("application_name", settings.application_name())]);
    if purpose == Purpose::Replication {
        parameters.push(("replication", "database"));
    }
    parameters.extend(settings.options().map(|options| ("options", options)));
    parameters.extend(session);
    let password = settings.password(host);
    let login = Login { user: settings.user(), password: password.as_ref(), parameters };

    let mut told = None;
    for way in connect::ways(settings, host) {
        let tried = connect::open(settings, host, way).and_then(|mut wire| Ok((log_in(&mut wire, &login)?, wire)));
        match tried {
            Ok((process, wire)) => {
                let mut client = Client { wire, process };
                client.expect(settings.session(), host)?;
                return Ok(client);
            }
            Err(error) if error.may_depend_on_tls() => {
                // What was said to the try with TLS tells more.
                if told.is_none() || *way != Way::Plain {
                    told = Some(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(told.expect("there is always a way to try"))
}
